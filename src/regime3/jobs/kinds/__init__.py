"""The kinds of jobs: what an item is, how it is worked on, what the results come to.

A file a kind. Work is made from the job alone, so that any process can go on with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from regime3.jobs.desk import Desk
from regime3.jobs.kinds.attempts import Attempts
from regime3.jobs.kinds.compare import Compare
from regime3.jobs.kinds.evaluate import Evaluate
from regime3.jobs.kinds.prompt import PromptWork
from regime3.jobs.kinds.sift import Sift
from regime3.jobs.record import Bound, Item, Job, Kind


class Work(Protocol):
    """A job's work. Everything that it gives is decided by the job and the engine's answers."""

    async def do(self, item: int) -> dict[str, Any]:
        """The result of an item. Raises `NodeRefused` or `InputRefused`."""

    def lines(self, results: Iterable[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
        """What is published: names of shards and their lines, in order."""

    def summary(self, results: Iterable[Item]) -> dict[str, Any]:
        """What the results come to."""


class Makes(Protocol):
    """A kind."""

    def __call__(self, job: Job, bound: list[Bound], desk: Desk) -> Work:
        """The work of a job with its models as they are loaded now."""


KINDS: dict[Kind, Makes] = {
    Kind.EVAL: Evaluate,
    Kind.DATA_GEN: Attempts,
    Kind.GENERATE: PromptWork,
    Kind.COMPARE: Compare,
    Kind.FILTER: Sift,
}
