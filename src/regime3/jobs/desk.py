"""What an item's work may use: the engine, the checker's thread, the codebook, the profile.

    desk = Desk(engine, store, settings)
    whole = await desk.ask(generate)               # a low-priority request
    judged = await desk.think(judge, ...)          # off the event loop, one at a time

The checker is plain Python and would hold streams up; on a thread of its own it costs them at most
the interpreter's switch interval (5 ms).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from regime3.config import Settings
from regime3.errors import NodeRefused
from regime3.jobs.record import Bound
from regime3.jobs.store import Store
from regime3.lang import codebook
from regime3.lang.codebook import Codebook
from regime3.model.profile import Profile
from regime3.records.answers import Completes, Whole
from regime3.records.wire import Generate

P = ParamSpec("P")
T = TypeVar("T")
Books = Callable[[str | None], Codebook]
"""The codebook of a name; None means the package's. Raises `NodeRefused`."""


def shipped_only(name: str | None) -> Codebook:
    """The package's own codebook, under its own name."""
    book = codebook.shipped()
    if name is not None and name != book.name:
        raise NodeRefused(
            409,
            "codebook_not_found",
            f"the model speaks codebook {name[:12]}, and this node has {book.name[:12]}",
            param="model",
        )
    return book


class Desk:
    """What all jobs share."""

    def __init__(
        self,
        engine: Completes,
        store: Store,
        settings: Settings,
        books: Books = shipped_only,
        workshop: Executor | None = None,
    ) -> None:
        self.store, self.books = store, books
        self.profile = Profile(settings.examples)
        self.answered = 0
        """Requests that the engine has answered."""
        self.tokens = 0
        """That it wrote for jobs."""
        self._engine = engine
        self._workshop = workshop or ThreadPoolExecutor(1, "jobs-checker")

    async def ask(self, ask: Generate) -> Whole:
        """The engine's answer. Raises `NodeRefused`."""
        assert not ask.interactive, "a job takes no reserved slot"
        whole = await self._engine.complete(ask)
        self.answered += 1
        self.tokens += sum(each.tokens for each in whole.samples)
        return whole

    async def think(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run what would hold up the event loop."""
        assert not kwargs
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._workshop, work, *args)

    def book(self, bound: Bound | None) -> Codebook:
        """The codebook that a model speaks."""
        return self.books(bound.codebook if bound else None)

    def close(self) -> None:
        """End the checker's thread."""
        self._workshop.shutdown(wait=False, cancel_futures=True)

    def facts(self) -> dict[str, Any]:
        """For statistics."""
        return {"requests": self.answered, "tokens": self.tokens}
