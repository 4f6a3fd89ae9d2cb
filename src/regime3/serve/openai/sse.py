"""Server-sent events at a measured pace: what came within tens of milliseconds goes out as one.

A token an event costs the server four times what the same token costs in a whole reply; nobody
reads that fast. The first piece goes out at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

from regime3.errors import NodeRefused
from regime3.records.wire import Begun, Finished, Piece
from regime3.serve import faults
from regime3.serve.openai.asking import Tells

DONE = "data: [DONE]\n\n"
HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def event(body: dict[str, Any]) -> str:
    """One event."""
    return f"data: {json.dumps(body, ensure_ascii=False, separators=(',', ':'))}\n\n"


def response(events: AsyncIterator[str]) -> StreamingResponse:
    """The stream as an answer. A refusal half-way becomes its last event."""
    return StreamingResponse(_guarded(events), media_type="text/event-stream", headers=HEADERS)


async def _guarded(events: AsyncIterator[str]) -> AsyncIterator[str]:
    try:
        async for each in events:
            yield each
    except NodeRefused as refusal:
        yield event(faults.fault(refusal.status, refusal.code, refusal.message, refusal.param))


async def paced(tells: Tells, pause_s: float) -> AsyncGenerator[list[Piece | Finished]]:
    """Tells in lists, a list at most every `pause_s` seconds, pieces of a sample joined."""
    inbox: asyncio.Queue[Piece | Finished | BaseException | None] = asyncio.Queue()

    async def read() -> None:
        try:
            async for tell in tells:
                if not isinstance(tell, Begun):
                    inbox.put_nowait(tell)
            inbox.put_nowait(None)
        except NodeRefused as refusal:
            inbox.put_nowait(refusal)

    reader = asyncio.create_task(read())
    try:
        while True:
            found: list[Piece | Finished | BaseException | None] = [await inbox.get()]
            while not inbox.empty():
                found.append(inbox.get_nowait())
            ready = [each for each in found if isinstance(each, Piece | Finished)]
            if ready:
                yield _joined(ready)
            if found[-1] is None:
                return
            if isinstance(found[-1], BaseException):
                raise found[-1]
            await asyncio.sleep(pause_s)
    finally:
        reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reader


def _joined(tells: list[Piece | Finished]) -> list[Piece | Finished]:
    """Pieces of one sample as one piece; each sample's end stays behind them."""
    pieces: dict[int, Piece] = {}
    ends: list[Finished] = []
    for tell in tells:
        if isinstance(tell, Finished):
            ends.append(tell)
            continue
        known = pieces.get(tell.index)
        if known is None:
            pieces[tell.index] = tell
            continue
        scores = None
        if known.scores is not None or tell.scores is not None:
            scores = [*(known.scores or []), *(tell.scores or [])]
        pieces[tell.index] = Piece(
            tell.id, tell.index, known.text + tell.text, known.ids + tell.ids, scores
        )
    return [*pieces.values(), *ends]
