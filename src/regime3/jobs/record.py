"""A job as it is known: its order, its state, the models it is bound to."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import msgspec


class State(StrEnum):
    """Where a job is. The last three are ends; a failed or cancelled one may be tried again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (State.QUEUED, State.RUNNING)
AGAIN = (State.FAILED, State.CANCELLED)


class Kind(StrEnum):
    """What a job does."""

    EVAL = "eval"
    DATA_GEN = "data_gen"
    GENERATE = "generate"
    COMPARE = "compare"
    FILTER = "filter"


class Bound(msgspec.Struct, frozen=True):
    """A model as it was when the job was made; an alias that moves later moves no job."""

    loaded: str
    """What `Generate.model` calls it, now."""
    model: str
    """Its id."""
    sha256: str
    """Of its content."""
    codebook: str | None = None
    """Name of its codebook; None: the package's."""


class Models(Protocol):
    """Where jobs learn of models."""

    async def resolve(self, name: str) -> Bound:
        """The model of an id or alias, loaded. Raises `NodeRefused`: 404 if there is none."""


class Job(msgspec.Struct, frozen=True):
    """One job. Times are seconds since the epoch."""

    sequence: int
    """Grows with every job: age."""
    id: str
    kind: Kind
    state: State
    priority: int
    """Higher is first."""
    created: float
    started: float | None
    ended: float | None
    total: int
    """Items."""
    done: int
    """Items with a result, whatever it is."""
    missed: int
    """Of them, items that could not be worked on, and say why."""
    attempts: int
    """Times it was begun by a person: 1, and one more for each retry."""
    error: str | None
    """Why it failed."""
    order: dict[str, Any]
    """What was asked for."""
    bound: list[Bound]
    """The models, in the order of the request."""
    facts: dict[str, Any]
    """What was found out when it was made: the data set's hash and size."""
    summary: dict[str, Any] | None
    """What it came to, once done."""

    @property
    def ended_for_good(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state not in OPEN


class Item(msgspec.Struct, frozen=True):
    """What came of one item. `missed` is why it could not be worked on; then `result` is empty."""

    item: int
    result: dict[str, Any]
    missed: str | None = None
    sequence: int = 0
    """Grows as results come in, whatever their items: who follows it misses none."""


def unlike(was: Bound, now: Bound) -> str | None:
    """Why a job cannot go on with what the model's id means now; None if it can."""
    if was.sha256 != now.sha256:
        return f"model {was.model} is {now.sha256[:12]} now; the job is bound to {was.sha256[:12]}"
    return None
