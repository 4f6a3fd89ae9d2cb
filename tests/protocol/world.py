"""The disk of the model, in memory: every change is one write, and before any write it may die.

Seals carry what the real ones hold as bytes: `weights` lists, file by file, the rows that these
weights have really seen, and the rows really given up. The ledger only *claims* the same; that
the two agree is what "exactly once" means. `Truth` is what an onlooker who misses nothing knows
of abandoned numbers; the protocol itself never reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from regime3.records.checkpoint import Manifest
from regime3.records.files import FileMeta, Lane
from regime3.records.ledger import Ledger
from regime3.vault.choice import Entry
from regime3.vault.verdicts import Verdicts

Damage = Literal["rot", "torn", "manifest"]
"""rot: found by a deep check alone; torn: by any look; manifest: and nothing of it is readable."""
Rows = tuple[frozenset[int], frozenset[int]]
"""(trained, given up) rows of a file."""
NO_ROWS: Rows = (frozenset(), frozenset())


class Killed(Exception):
    """The process died just before a write."""


class Violation(AssertionError):
    """The protocol broke one of its promises."""


@dataclass(frozen=True)
class Content:
    """What a user or the forge drops; `poison` rows are given up while training."""

    id: str
    rows: int
    lane: Lane
    poison: frozenset[int] = frozenset()
    forge: bool = False


@dataclass(frozen=True)
class Request:
    """A control file."""

    verb: str
    id: str


@dataclass(frozen=True)
class SealFolder:
    """A published checkpoint. `blob` names the bytes that hard links share."""

    manifest: Manifest
    ledger: Ledger
    weights: Mapping[str, Rows]
    caught: Mapping[str, int]
    """How many rollbacks really unlearned rows of a file, up to here."""
    blob: int
    damage: Damage | None = None


@dataclass
class Truth:
    """What really happened, for the invariants only."""

    abandoned: frozenset[int] = frozenset()
    highest: int = 0
    dropped: frozenset[str] = frozenset()


@dataclass
class Disk:
    """Everything that survives a kill."""

    inbox: dict[str, Content] = field(default_factory=dict)
    admitting: dict[str, Content] = field(default_factory=dict)
    contents: dict[str, Content] = field(default_factory=dict)
    """Content of admitted ids, there as long as `data` says where."""
    data: dict[str, str] = field(default_factory=dict)
    meta: dict[str, FileMeta] = field(default_factory=dict)
    seals: dict[int, SealFolder] = field(default_factory=dict)
    verdicts: Verdicts = field(default_factory=Verdicts)
    control: dict[int, Request] = field(default_factory=dict)
    truth: Truth = field(default_factory=Truth)
    now: float = 2e9
    writes: int = 0
    kill_at: int | None = None

    def copy(self) -> Disk:
        """An independent disk; the values in its tables are never changed in place."""
        tables = {
            name: dict(getattr(self, name))
            for name in ("inbox", "admitting", "contents", "data", "meta", "seals", "control")
        }
        return replace(self, **tables, truth=replace(self.truth), writes=0, kill_at=None)

    def write(self) -> None:
        """Stands before every change that reaches the disk."""
        self.writes += 1
        if self.writes == self.kill_at:
            raise Killed

    def entries(self) -> list[Entry]:
        """What the vault's shelf would find by its cheap look."""
        found = []
        for number, folder in sorted(self.seals.items()):
            damage = folder.damage if folder.damage in ("torn", "manifest") else None
            reason = damage or self.verdicts.damaged.get(number)
            manifest = None if folder.damage == "manifest" else folder.manifest
            found.append(Entry(number, manifest, reason))
        return found

    def good(self) -> list[int]:
        """Numbers whose every byte is well and that nothing left behind, in truth."""
        return [
            number
            for number, folder in sorted(self.seals.items())
            if folder.damage is None and number not in self.truth.abandoned
        ]


def consumed(weights: Mapping[str, Rows], file_id: str) -> frozenset[int]:
    """Rows of the file that these weights have seen or given up."""
    trained, buried = weights.get(file_id, NO_ROWS)
    return trained | buried
