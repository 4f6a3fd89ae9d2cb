"""From a client's body to what the engine is asked, and the care for clients that leave.

The gate counts what is open: beyond its limit a request is refused with 429 at once instead of
waiting in the dark. A client that goes away takes its request with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Iterator
from typing import Any, TypeVar

from starlette.requests import Request

from regime3.errors import NodeRefused
from regime3.records.wire import Begun, Finished, Piece, Sampling
from regime3.serve.openai.schema import Drawn

T = TypeVar("T")
Tells = AsyncGenerator[Begun | Piece | Finished]
RETRY_AFTER_S = 2.0


class Gone(Exception):
    """The client has left; nobody reads an answer."""


class Gate:
    """So many samples may be open at one time."""

    def __init__(self, samples_max: int) -> None:
        self.samples_max = samples_max
        self.open = 0

    @contextlib.contextmanager
    def entered(self, samples: int) -> Iterator[None]:
        """Raises `NodeRefused` (429) when there is no room."""
        self.enter(samples)
        try:
            yield
        finally:
            self.leave(samples)

    def enter(self, samples: int) -> None:
        """Take room. Raises `NodeRefused`: 429, or 400 for what could never be served."""
        if samples > self.samples_max:
            raise NodeRefused(
                400,
                "too_many_samples",
                f"{samples:,} samples in one request; at most {self.samples_max:,} are taken",
                param="n",
            )
        if self.open + samples > self.samples_max:
            raise NodeRefused(
                429,
                "node_busy",
                f"{self.open:,} samples are open and {self.samples_max:,} may be",
                retry_after_s=RETRY_AFTER_S,
            )
        self.open += samples

    def leave(self, samples: int) -> None:
        """Give it back."""
        self.open -= samples


def sampling_of(body: Drawn) -> Sampling:
    """How the request wants its tokens drawn."""
    return Sampling(
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        top_k=body.top_k,
        seed=body.seed,
        presence_penalty=body.presence_penalty or 0.0,
        frequency_penalty=body.frequency_penalty or 0.0,
        logit_bias={int(token): bias for token, bias in (body.logit_bias or {}).items()},
        marker_penalty=body.marker_penalty,
        ignore_eos=body.ignore_eos,
    )


def check_samples(body: Drawn, samples_max: int) -> int:
    """Samples a prompt. Raises `NodeRefused`."""
    count = body.n or 1
    if count > samples_max:
        raise NodeRefused(400, "too_many_samples", f"n is at most {samples_max}", param="n")
    return count


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Wait for the work, or cancel it and raise `Gone` when the client leaves."""
    task = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise Gone
    finally:
        for each in (task, leaving):
            each.cancel()
            with contextlib.suppress(asyncio.CancelledError, NodeRefused):
                await each


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def first_told(tells: Tells) -> Begun:
    """The prompt is in: from here on an answer may begin. Raises `NodeRefused`."""
    begun = await anext(tells)
    assert isinstance(begun, Begun)
    return begun


def usage(prompt: int, written: int, shared: int = 0) -> dict[str, Any]:
    """OpenAI's count of tokens."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": shared},
    }
