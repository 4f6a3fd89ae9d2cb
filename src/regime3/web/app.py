"""The app of the viewer: what a viewer may ask, all of it read from files as they are now.

    GET /                              the page of the door that was knocked at
    GET /live, /memory, /lab           the pages, see `regime3.web.pages`
    GET /static/...                    its modules, styles and fonts
    GET /status/training_status.json   the contract, byte for byte; 503 when missing or torn
    GET /api/live                      status, judged by age
    GET /api/stream                    the same as it changes, see `regime3.web.stream`
    GET /api/history?metric=loss:min:max,...&first=&last=&since=&points=
    GET /api/export.csv, /api/export.html  a stretch to take away; first, last, since, points
    GET /api/events?after=
    GET /api/loop                      verdicts, pass rates, the last attempts
    GET /api/system, /api/gpu_stats    both boxes now, see `regime3.web.system`
    GET /api/memory_stats?since=&points=, or ?box=node&range=
    GET /api/lab/ledger, compare?one=&other=, curriculum, lengths, layers, evolution,
        probe?name=, codebook, lineage?of=          see `regime3.web.lab`
    GET /api/node/jobs, power, models     what the node says of them, asked through `NodeView`
    POST /api/chat; GET /api/lab/families, problem?family=&level=   see `regime3.web.talk`
    GET, POST /api/session; POST /api/act see `regime3.web.acts`
    GET /healthz

`create_app` touches no socket. Answers carry an ETag, so that a page that asks often is mostly
told "as before".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from regime3 import export, tasks
from regime3.clock import Clock, SystemClock
from regime3.config import Settings
from regime3.errors import InputRefused, LabError, Unavailable
from regime3.paths import Lab
from regime3.status import layers
from regime3.status.events import read_events
from regime3.status.history_files import POINTS_MAX, HistoryFiles, Table
from regime3.status.liveness import judge
from regime3.status.machine_log import POINTS_MAX as MACHINE_POINTS_MAX
from regime3.status.reading import read_bytes, read_status
from regime3.status.tiers import METRICS, Array
from regime3.tasks.family import LEVELS
from regime3.tokens import TokenFile
from regime3.web import lab as lab_page
from regime3.web import loop, talk
from regime3.web.acts import Acts
from regime3.web.guard import Guard, check_exposure
from regime3.web.pages import DOORS, page
from regime3.web.stream import LiveStream
from regime3.web.system import RANGES, Boxes
from regime3.web.talk import Talk

STATIC = Path(__file__).parent / "static"
POINTS_DEFAULT = 800
EVENTS_MAX = 500
JOBS_SHOWN = 20
LAYER_POINTS = 60
KINDS = ("min", "max", "mean", "last")
STEP_MAX = 1 << 53
SEAL_MAX = 99_999_999


def create_app(
    lab: Lab, settings: Settings, clock: Clock | None = None, doors: Mapping[int, str] | None = None
) -> Starlette:
    """The app of one lab. Raises SettingsError when it would be open to others.

    `doors` are ports and the pages they open on; any other port opens on the live page.
    """
    check_exposure(settings.web)
    pages = Pages(lab, settings, clock or SystemClock(), doors or {})
    stream = LiveStream(pages.look)
    tokens = TokenFile(lab, "viewer")
    acts = Acts(lab, settings, tokens)
    app = Starlette(
        routes=[
            Route("/", pages.front),
            *(Route(f"/{name}", pages.page, name=name) for name in DOORS),
            Route("/status/training_status.json", pages.contract),
            Route("/api/live", pages.live),
            Route("/api/stream", stream.answer),
            Route("/api/history", pages.history),
            Route("/api/export.csv", pages.export),
            Route("/api/export.html", pages.export),
            Route("/api/events", pages.events),
            Route("/api/loop", pages.loop),
            Route("/api/system", pages.system),
            Route("/api/gpu_stats", pages.cards),
            Route("/api/memory_stats", pages.memory),
            Route("/api/session", acts.session, methods=["GET", "POST"]),
            Route("/api/act", acts.act, methods=["POST"]),
            Route("/api/node/jobs", pages.jobs),
            Route("/api/node/power", pages.power),
            Route("/api/node/models", pages.models),
            Route("/api/chat", Talk(lab, settings).chat, methods=["POST"]),
            Route("/api/lab/families", pages.families),
            Route("/api/lab/problem", pages.problem),
            Route("/api/lab/ledger", pages.ledger),
            Route("/api/lab/compare", pages.compare),
            Route("/api/lab/curriculum", pages.curriculum),
            Route("/api/lab/lengths", pages.lengths),
            Route("/api/lab/layers", pages.layers),
            Route("/api/lab/evolution", pages.evolution),
            Route("/api/lab/probe", pages.probe),
            Route("/api/lab/codebook", pages.codebook),
            Route("/api/lab/lineage", pages.lineage),
            Route("/healthz", pages.health),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Guard, web=settings.web, tokens=tokens),
            # Level 9 takes thrice the time of 6 for a two-hundredth less.
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=6),
        ],
        exception_handlers={BadQuery: _refuse},
    )
    app.state.stream = stream
    return app


class BadQuery(Exception):
    """A query that cannot be answered; the message goes to whoever asked."""


def _refuse(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 400)


class Pages:
    """The routes. They are plain functions, so Starlette runs them off its event loop."""

    def __init__(
        self, lab: Lab, settings: Settings, clock: Clock, doors: Mapping[int, str]
    ) -> None:
        self.lab, self.clock, self.doors = lab, clock, doors
        self.settings = settings
        self.boxes = Boxes(lab, settings, clock)

    def front(self, request: Request) -> Response:
        """The page of this door."""
        return _page(request, self.doors.get(request.scope["server"][1], "live"))

    def page(self, request: Request) -> Response:
        """The page that the path names."""
        return _page(request, request.url.path[1:])

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
        body, tag = self.look()
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return _json(body, {"etag": tag})

    def look(self) -> tuple[dict[str, Any], str]:
        """What `live` answers, and its tag."""
        now = self.clock.now()
        body: dict[str, Any] = {"now": now, "lab": self.lab.root.resolve().name}
        try:
            status = read_status(self.lab)
        except Unavailable as problem:
            told = _problem(problem)
            tag = hashlib.sha256(repr(told).encode()).hexdigest()[:16]
            return body | {"status": None, "judgement": None, "problem": told}, f'"{tag}"'
        judgement = judge(status, now)
        tag = f'"{status.sequence}-{status.timestamp}-{judgement.state}"'
        return body | {"status": status, "judgement": judgement, "problem": None}, tag

    def history(self, request: Request) -> Response:
        """Metrics over a stretch of steps in common buckets; null is "not measured"."""
        query = request.query_params
        asked = _metrics(query.get("metric", ""))
        files = HistoryFiles(self.lab)
        first, last, points = _stretch(files, query, POINTS_DEFAULT)
        tag = f'"{files.tier(1).stop}-{first}-{last}-{points}-{query["metric"]}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        table = files.read_table(list(asked), first, last, points)
        return _json(_table(table, asked), {"etag": tag})

    def export(self, request: Request) -> Response:
        """The same stretch, every metric, as a file to keep; the path says which kind."""
        asked = _stretch(HistoryFiles(self.lab), request.query_params, export.POINTS)
        table = export.stretch(self.lab, *asked)
        kind = request.url.path.rpartition(".")[2]
        if kind == "csv":
            text, media = export.as_csv(table), "text/csv"
        else:
            text, media = export.as_html(self.lab, table, self.clock.now()), "text/html"
        name = quote(f"{export.stem(self.lab, table)}.{kind}")
        headers = {"content-disposition": f"attachment; filename*=utf-8''{name}"}
        return Response(text, media_type=media, headers=headers)

    def events(self, request: Request) -> Response:
        """Events newer than `after`, oldest first."""
        after = _whole(request.query_params.get("after"), 0, STEP_MAX, 0)
        return _json({"events": read_events(self.lab, after=after, limit=EVENTS_MAX)})

    def loop(self, request: Request) -> Response:
        """What judge and forge have done, see `regime3.web.loop`."""
        tag = loop.tag(self.lab)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag})
        return _json(loop.look(self.lab), {"etag": tag})

    def system(self, request: Request) -> Response:
        """Processor, memory and disk of both boxes."""
        return _json(self.boxes.system())

    def cards(self, request: Request) -> Response:
        """Cards of both boxes."""
        return _json(self.boxes.cards())

    def jobs(self, request: Request) -> Response:
        """The node's newest jobs."""
        return _json(self.boxes.node.ask(f"jobs?limit={JOBS_SHOWN}", "jobs"))

    def power(self, request: Request) -> Response:
        """The profile that holds at the node, its quiet hours, and what changed."""
        told: dict[str, Any] = {}
        for name in ("changes", "schedule", "profile"):  # the reason of the last one stands
            told |= self.boxes.node.ask(f"settings/power_{name}", name)
        return _json(told | {"changes": (told["changes"] or {}).get("changes", [])})

    def models(self, request: Request) -> Response:
        """The node's models, in memory or not, and what the aliases mean."""
        return _json(self.boxes.node.ask("models", "models"))

    def families(self, request: Request) -> Response:
        """Families of tasks, and how many levels each has."""
        return _json({"families": list(tasks.FAMILIES), "levels": LEVELS})

    def problem(self, request: Request) -> Response:
        """A held-out problem of a family and a level."""
        query = request.query_params
        family = query.get("family", "")
        if family not in tasks.FAMILIES:
            raise BadQuery(f"family is one of {', '.join(tasks.FAMILIES)}")
        level = _whole(query.get("level"), 1, LEVELS, 1)
        return _json(talk.problem(family, level))

    def memory(self, request: Request) -> Response:
        """A box over time: the trainer's since a time, or the node's over one of `RANGES`."""
        query = request.query_params
        if query.get("box", "trainer") == "node":
            back = _whole(query.get("range"), 0, STEP_MAX, RANGES[0])
            if back not in RANGES:
                raise BadQuery(f"range is one of {', '.join(map(str, RANGES))} seconds")
            return _json(self.boxes.node_over_time(back))
        points = _whole(query.get("points"), 1, MACHINE_POINTS_MAX, POINTS_DEFAULT)
        return _json(self.boxes.memory(_number(query.get("since", "0")), points))

    def ledger(self, request: Request) -> Response:
        """Verdicts and checkpoints."""
        return _tagged(request, lambda: lab_page.ledger_of(self.lab))

    def compare(self, request: Request) -> Response:
        """Two checkpoints on the same probes."""
        query = request.query_params
        one, other = (_whole(query.get(name), 0, SEAL_MAX, 0) for name in ("one", "other"))
        return _tagged(request, lambda: lab_page.compare(self.lab, one, other))

    def curriculum(self, request: Request) -> Response:
        """Pass rates, and where generation is aimed."""
        return _tagged(request, lambda: lab_page.curriculum(self.lab))

    def lengths(self, request: Request) -> Response:
        """Solved by family and length."""
        return _tagged(request, lambda: lab_page.lengths(self.lab))

    def layers(self, request: Request) -> Response:
        """What each layer did, validation by validation."""
        return _tagged(request, lambda: layers.view(self.lab, LAYER_POINTS))

    def evolution(self, request: Request) -> Response:
        """The probes."""
        return _tagged(request, lambda: lab_page.evolution(self.lab))

    def probe(self, request: Request) -> Response:
        """One probe through time."""
        name = request.query_params.get("name", "")
        return _tagged(request, lambda: lab_page.probe(self.lab, name))

    def codebook(self, request: Request) -> Response:
        """The codes."""
        return _tagged(request, lambda: lab_page.codes(self.lab))

    def lineage(self, request: Request) -> Response:
        """Everything known of a row, a checkpoint or an answer; 404 with the reason."""
        what = request.query_params.get("of", "")
        return _tagged(request, lambda: lab_page.lineage(self.lab, self.settings, what))


def _tagged(request: Request, look: Callable[[], dict[str, Any]]) -> Response:
    """JSON with a tag of its content; what is wrong in the lab or the question is said."""
    try:
        body = look()
    except InputRefused as refused:
        return JSONResponse({"error": refused.message, "next": refused.next_command}, 404)
    except LabError as problem:
        return JSONResponse({"error": problem.message, "next": problem.next_command}, 503)
    data = msgspec.json.encode(body)
    tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    return Response(data, media_type="application/json", headers={"etag": tag})


def _page(request: Request, name: str) -> Response:
    data, tag = page(name)
    headers = {"cache-control": "no-cache", "etag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type="text/html", headers=headers)


def _json(body: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json", headers=headers)


def _problem(problem: Unavailable) -> dict[str, str | None]:
    return {"reason": problem.message, "next": problem.next_command}


def _stretch(files: HistoryFiles, query: QueryParams, points: int) -> tuple[int, int, int]:
    """First and last step and how many buckets are asked for."""
    first = _whole(query.get("first"), 0, STEP_MAX, 0)
    if "since" in query:
        first = max(first, files.step_at(_number(query["since"])))
    last = _whole(query.get("last"), 0, STEP_MAX, STEP_MAX)
    return first, last, _whole(query.get("points"), 1, POINTS_MAX, points)


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


def _metrics(text: str) -> dict[str, tuple[str, ...]]:
    """`loss:min:max,tokens_per_sec` as metrics with the figures asked of each; all of them where
    none is named. Raises `BadQuery`."""
    asked = {}
    for item in (each for each in text.split(",") if each):
        name, *kinds = item.split(":")
        if name not in METRICS:
            raise BadQuery(f"metric={name} is not recorded; known: {', '.join(METRICS)}")
        if set(kinds) - set(KINDS):
            raise BadQuery(f"of {name} there is {', '.join(KINDS)}")
        asked[name] = tuple(kinds) or KINDS
    if not asked:
        raise BadQuery(f"metric= names none; known: {', '.join(METRICS)}")
    return asked


def _table(table: Table, asked: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """JSON of a table: lists of equal length, figures to six digits, NaN as null."""
    return {
        "tier": table.tier,
        "first": table.start.tolist(),
        "step": table.step.tolist(),
        "time": np.round(table.time, 2).tolist(),
        "metrics": {
            name: {kind: _figures(getattr(column, kind)) for kind in asked[name]}
            for name, column in table.columns.items()
        },
    }


def _figures(values: Array) -> list[float | None]:
    return [None if value != value else float(f"{value:.6g}") for value in values.tolist()]
