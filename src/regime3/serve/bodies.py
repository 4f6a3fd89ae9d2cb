"""Bodies on their way in: read whole under a limit, counted as they pass, or thrown away."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive

from regime3.errors import NodeRefused
from regime3.serve.limits import Limits


class Incoming:
    """What the client sends; `over` once nothing of the body is still to come."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.over = False

    async def __call__(self) -> Message:
        """The next message."""
        message = await self._receive()
        self.over = message["type"] != "http.request" or not message.get("more_body", False)
        return message


async def read_whole(receive: Receive, limits: Limits) -> bytes | None:
    """The body, or None when the client left. Raises `NodeRefused`: too large, or too slow."""
    pieces: list[bytes] = []
    size_bytes = 0
    try:
        async with asyncio.timeout(limits.body_s_max):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                piece = message.get("body", b"")
                size_bytes += len(piece)
                if size_bytes > limits.body_bytes_max:
                    raise too_large(limits.body_bytes_max)
                if piece:
                    pieces.append(piece)
                if not message.get("more_body", False):
                    return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    except TimeoutError:
        raise too_slow() from None


def too_large(bytes_max: int) -> NodeRefused:
    return NodeRefused(413, "body_too_large", f"a body holds at most {bytes_max} bytes")


def too_slow() -> NodeRefused:
    return NodeRefused(408, "body_too_slow", "the body did not come in time")


def replayed(body: bytes, receive: Receive) -> Receive:
    """`receive` as if the body were still to come; then whatever follows, a disconnect."""
    told = False

    async def receive_again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class Watched:
    """A body that passes: `receive` counts it and minds its pauses."""

    def __init__(self, receive: Incoming, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._size_bytes = 0
        self.refused: NodeRefused | None = None

    async def receive(self) -> Message:
        """The next message; a disconnect once the body is refused."""
        if self.refused is not None:
            return {"type": "http.disconnect"}
        if self._receive.over:
            return await self._receive()
        try:
            async with asyncio.timeout(self._limits.upload_idle_s_max):
                message = await self._receive()
        except TimeoutError:
            self.refused = too_slow()
            return {"type": "http.disconnect"}
        self._size_bytes += len(message.get("body", b""))
        if self._size_bytes > self._limits.upload_bytes_max:
            self.refused = too_large(self._limits.upload_bytes_max)
            return {"type": "http.disconnect"}
        return message


async def linger(receive: Incoming, limits: Limits) -> None:
    """Throw away some of what still comes: a connection closed on unread bytes is reset, and the
    client might never read why."""
    left = limits.linger_bytes_max
    try:
        async with asyncio.timeout(limits.linger_s_max):
            while left > 0 and not receive.over:
                left -= len((await receive()).get("body", b""))
    except TimeoutError:
        return
