"""Connections of the node: a client that dawdles over its headers is let go.

    uvicorn.Config(app, http=Connection, ...)

The guard sees a request only once its headers are whole, so this limit has to sit below it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_S_MAX = 20.0


class Connection(H11Protocol):
    """HTTP/1.1, with a deadline from the first moment (or the last answer) to whole headers."""

    headers_s_max = HEADERS_S_MAX
    _deadline: asyncio.TimerHandle | None = None
    _known: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        if self._deadline is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_headers()
        super().data_received(data)

    def handle_events(self) -> None:
        super().handle_events()
        if self.cycle is not self._known:
            self._known = self.cycle
            self._forget()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _expect_headers(self) -> None:
        self._deadline = self.loop.call_later(self.headers_s_max, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if not self.transport.is_closing():
            self.transport.close()

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
