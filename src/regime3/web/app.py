"""The app of the live page: what a viewer may ask, all of it read from files as they are now.

    GET /                              the page
    GET /static/...                    its modules, styles and fonts
    GET /status/training_status.json   the contract, byte for byte; 503 when missing or torn
    GET /api/live                      status, judged by age
    GET /api/history?metric=loss,...&first=&last=&since=&points=
    GET /api/events?after=
    GET /healthz

`create_app` touches no socket. Answers carry an ETag, so that a page that asks often is mostly
told "as before". Acting on training is not here: that is `r3`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from regime3.clock import Clock, SystemClock
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.status.events import read_events
from regime3.status.history_files import POINTS_MAX, HistoryFiles, Table
from regime3.status.liveness import judge
from regime3.status.reading import read_bytes, read_status
from regime3.status.tiers import METRICS, Array
from regime3.web.guard import Guard, check_exposure

STATIC = Path(__file__).parent / "static"
POINTS_DEFAULT = 800
EVENTS_MAX = 500
STEP_MAX = 1 << 53


def create_app(lab: Lab, settings: Settings, clock: Clock | None = None) -> Starlette:
    """The app of one lab. Raises SettingsError when it would be open to others."""
    check_exposure(settings.web)
    pages = Pages(lab, clock or SystemClock())
    return Starlette(
        routes=[
            Route("/", pages.page),
            Route("/status/training_status.json", pages.contract),
            Route("/api/live", pages.live),
            Route("/api/history", pages.history),
            Route("/api/events", pages.events),
            Route("/healthz", pages.health),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Guard, web=settings.web),
            Middleware(GZipMiddleware, minimum_size=1000),
        ],
        exception_handlers={BadQuery: _refuse},
    )


class BadQuery(Exception):
    """A query that cannot be answered; the message goes to whoever asked."""


def _refuse(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


class Pages:
    """The routes. They are plain functions, so Starlette runs them off its event loop."""

    def __init__(self, lab: Lab, clock: Clock) -> None:
        self.lab, self.clock = lab, clock

    def page(self, request: Request) -> Response:
        """The page itself."""
        return FileResponse(STATIC / "index.html", headers={"cache-control": "no-cache"})

    def health(self, request: Request) -> Response:
        """This server answers; it says nothing of training."""
        return JSONResponse({"ok": True})

    def contract(self, request: Request) -> Response:
        """The status file, byte for byte."""
        try:
            data = read_bytes(self.lab)
        except Unavailable as problem:
            return JSONResponse(_problem(problem), 503)
        return Response(data, media_type="application/json")

    def live(self, request: Request) -> Response:
        """Status and judgement; `problem` instead of both when there is nothing to read."""
        now = self.clock.now()
        body: dict[str, Any] = {"now": now, "lab": self.lab.root.resolve().name}
        try:
            status = read_status(self.lab)
        except Unavailable as problem:
            body |= {"status": None, "judgement": None, "problem": _problem(problem)}
            return JSONResponse(body)
        judgement = judge(status, now)
        tag = f'"{status.sequence}-{status.timestamp}-{judgement.state}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        body |= {"status": status, "judgement": judgement, "problem": None}
        return _json(body, {"etag": tag})

    def history(self, request: Request) -> Response:
        """Metrics over a stretch of steps in common buckets; null is "not measured"."""
        query = request.query_params
        metrics = [name for name in query.get("metric", "").split(",") if name]
        unknown = sorted(set(metrics) - set(METRICS))
        if not metrics or unknown:
            known = ", ".join(METRICS)
            raise BadQuery(f"metric={','.join(unknown) or '?'} is not recorded; known: {known}")
        files = HistoryFiles(self.lab)
        first = _whole(query.get("first"), 0, STEP_MAX, 0)
        last = _whole(query.get("last"), 0, STEP_MAX, STEP_MAX)
        points = _whole(query.get("points"), 1, POINTS_MAX, POINTS_DEFAULT)
        if "since" in query:
            first = max(first, files.step_at(_number(query["since"])))
        tag = f'"{files.tier(1).stop}-{first}-{last}-{points}-{",".join(metrics)}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        table = files.read_table(metrics, first, last, points)
        return _json(_table(table), {"etag": tag})

    def events(self, request: Request) -> Response:
        """Events newer than `after`, oldest first."""
        after = _whole(request.query_params.get("after"), 0, STEP_MAX, 0)
        return _json({"events": read_events(self.lab, after=after, limit=EVENTS_MAX)})


def _json(body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)


def _problem(problem: Unavailable) -> dict[str, str | None]:
    return {"reason": problem.message, "next": problem.next_command}


def _whole(text: str | None, low: int, high: int, default: int) -> int:
    if text is None or text == "":
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 16:
        raise BadQuery(f"{text[:40]!r} is not a whole number")
    return min(high, max(low, int(text)))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise BadQuery(f"{text[:40]!r} is not a number") from None


def _table(table: Table) -> dict[str, Any]:
    """JSON of a table: lists of equal length, figures to six digits, NaN as null."""
    return {
        "tier": table.tier,
        "first": table.start.tolist(),
        "step": table.step.tolist(),
        "time": np.round(table.time, 2).tolist(),
        "metrics": {
            name: {
                "min": _figures(column.min),
                "max": _figures(column.max),
                "mean": _figures(column.mean),
                "last": _figures(column.last),
            }
            for name, column in table.columns.items()
        },
    }


def _figures(values: Array) -> list[float | None]:
    return [None if value != value else float(f"{value:.6g}") for value in values.tolist()]
