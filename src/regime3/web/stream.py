"""The live status, told to everyone who listens as soon as it changes: server-sent events.

    GET /api/stream     event "live": what /api/live says; event "same": nothing new, still here

The file is looked at a few times a second while anyone listens, once for all of them. A listener
that is slow misses what was replaced meanwhile and gets the newest. Whoever is one too many is
told 503, and polls.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

LOOK_S: Final = 0.2
SAME_S: Final = 2.0
"""A page hears something at least so often, and so knows that the server is there."""
LISTENERS_MAX: Final = 100

Look = Callable[[], tuple[dict[str, Any], str]]
"""The body and its tag: equal tags, nothing new."""


class LiveStream:
    """One for an app. It ends with its server, and without one after the first message."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._listeners = 0
        self._message, self._tag = b"", ""
        self._number = 0
        self._changed = asyncio.Condition()
        self._looking: asyncio.Task[None] | None = None
        self.closing: Callable[[], bool] = lambda: True

    async def answer(self, request: Request) -> Response:
        """The route."""
        if self._listeners >= LISTENERS_MAX:
            return JSONResponse({"error": f"{LISTENERS_MAX} listen already; poll /api/live"}, 503)
        return StreamingResponse(
            self._listen(), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
        )

    async def _listen(self) -> AsyncIterator[bytes]:
        self._listeners += 1
        seen = -1
        try:
            self._message, self._tag = await self._read()
            while True:
                if seen != self._number:
                    seen = self._number
                    yield self._message
                else:
                    yield b"event: same\ndata:\n\n"
                if self.closing():
                    return
                if self._looking is None:
                    self._looking = asyncio.create_task(self._keep_looking())
                await self._news(seen)
        finally:
            self._listeners -= 1

    async def _news(self, seen: int) -> None:
        """Until there is another message than the one seen, for SAME_S at most."""
        try:
            async with asyncio.timeout(SAME_S), self._changed:
                await self._changed.wait_for(lambda: self._number != seen or self.closing())
        except TimeoutError:
            return

    async def _keep_looking(self) -> None:
        try:
            while self._listeners and not self.closing():
                message, tag = await self._read()
                if tag != self._tag:
                    self._message, self._tag = message, tag
                    self._number += 1
                    await self._tell()
                await asyncio.sleep(LOOK_S)
            await self._tell()
        finally:
            self._looking = None

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _read(self) -> tuple[bytes, str]:
        body, tag = await asyncio.to_thread(self._look)
        return b"event: live\ndata: " + msgspec.json.encode(body) + b"\n\n", tag
