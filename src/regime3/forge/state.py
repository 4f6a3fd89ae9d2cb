"""What the forge keeps between turns: `loop/forge.json`, replaced whole, never edited by hand.

A shard that is being made stands in `pending` from before the first job is ordered until it is
noted in `loop/shards.jsonl`. What attempts teach (pass rates, diversity) enters in the same write
that calls the shard staged, so that no kill counts it twice.
"""

from __future__ import annotations

from typing import Any

import msgspec

from regime3 import disk
from regime3.errors import LabError
from regime3.forge.estimate import Estimate
from regime3.paths import Lab

ALERTS_MAX = 20


class Cell(msgspec.Struct):
    """One family at one level."""

    estimate: Estimate = Estimate()
    asked: int = 0
    """Problems that a model was asked; the next one has this index."""
    solved: int = 0
    """Problems that were solved at least once, ever."""
    told: int = 0
    """Problems that an oracle answered; the next one has this index."""


class Variety(msgspec.Struct, frozen=True):
    """How various attempts at a family are, as shares of the oracles'; see `diversity`."""

    entropy: float
    bodies: float
    length: float
    per_solved: float = 0.0
    """Distinct right bodies a solved problem; told, and no reason to stop: skill lowers it."""


class Family(msgspec.Struct):
    """What is open of a family."""

    top: int
    """The highest open level."""
    closed_until: int = 0
    """Shard number before which no further level opens."""
    stopped_until: int = 0
    """Shard number before which it is not asked, because its answers collapsed."""
    usual: Variety | None = None
    """Its variety as it was, for comparison."""
    latest: Variety | None = None
    seen: int = 0
    """Attempts behind `usual`."""


class Asked(msgspec.Struct):
    """A job, ordered or about to be: problems `start` .. `start + problems - 1` of a level."""

    family: str
    level: int
    start: int
    problems: int
    job: str | None = None
    dropped: str | None = None
    """Why nothing comes of it."""


class Pending(msgspec.Struct):
    """A shard that is being made."""

    shard: int
    began: float
    """Wall seconds."""
    asked: list[Asked] = []
    """Nothing: a shard made without a node."""
    model: str | None = None
    model_sha256: str | None = None
    """Known with the first job."""
    seal: int | None = None
    """The checkpoint that the model was exported from."""
    codebook: str | None = None
    note: str | None = None
    """Why it is made without attempts."""
    staged: str | None = None
    """sha256 of the staged file, once it is whole; '' for a shard that came to nothing."""
    told: dict[str, Any] = {}
    """Its line of shards.jsonl, once staged."""


class Alert(msgspec.Struct, frozen=True):
    """Something that a person should know of."""

    at: float
    shard: int
    code: str
    message: str


class State(msgspec.Struct):
    """Everything."""

    schema: int = 1
    next_shard: int = 1
    rows_made: int = 0
    day: str = ""
    """UTC, YYYY-MM-DD."""
    rows_today: int = 0
    last_done: float = 0.0
    """Wall seconds of the last shard."""
    rows_per_problem: float = 0.5
    """Rows that a problem asked brought lately."""
    cells: dict[str, Cell] = {}
    families: dict[str, Family] = {}
    pending: list[Pending] = []
    alerts: list[Alert] = []

    def cell(self, family: str, level: int) -> Cell:
        """What is known of a family's level."""
        return self.cells.setdefault(f"{family}:{level}", Cell())

    def alert(self, at: float, shard: int, code: str, message: str) -> None:
        """Remember something for people."""
        self.alerts = [*self.alerts, Alert(at, shard, code, message)][-ALERTS_MAX:]


_decode = msgspec.json.Decoder(State).decode


def load(lab: Lab) -> State:
    """The state; a fresh one where there is none. Raises `LabError` if it is damaged."""
    try:
        return _decode(lab.forge_file.read_bytes())
    except FileNotFoundError:
        return State()
    except ValueError as error:
        raise LabError(
            f"loop/forge.json cannot be read: {error}", "mv loop/forge.json loop/forge.bad"
        ) from None


def save(lab: Lab, state: State) -> None:
    """Write it, durably."""
    data = msgspec.json.format(msgspec.json.encode(state), indent=1)
    disk.write_bytes(lab.forge_file, data + b"\n")
