"""Counts every answer by its route's template and status, and how long it took."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regime3.serve.metrics import Metrics

UNROUTED = "none"
CLIENT_GONE = 499


class Measured:
    """ASGI middleware around the app: the guard's own refusals are counted by nobody's route."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, began = CLIENT_GONE, time.monotonic()

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, counted)
        finally:
            route = getattr(scope.get("route"), "path", UNROUTED)
            self._metrics.request_done(route, status, time.monotonic() - began)
