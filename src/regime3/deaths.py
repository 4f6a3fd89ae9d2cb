"""Evidence after a death: what the worker was about to train, and how often that killed it.

Before each window the worker leaves a note (seal, step, rows) and takes it away afterwards. A
note that is there when a worker has died names the suspect. First death: try again as it was,
since a power cut is no row's fault. Second death on the same note: halve the token budget and
train one row a slice, with a note for each. Third: the row named is condemned, and is buried by
itself when its turn comes. Source: `docs/protocol.md`, section crash loops.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from regime3 import disk
from regime3.paths import Lab

DEATHS_TO_CONDEMN = 3

_Kind = TypeVar("_Kind")
Care = Literal["none", "single-rows"]


class Note(msgspec.Struct, frozen=True):
    """What is being trained: the seal and step it starts from, the window's rows, the one row."""

    seal: int
    step: int
    rows: list[tuple[str, int]]
    row: tuple[str, int] | None = None

    def same_window(self, other: Note) -> bool:
        """Whether both notes stand for the same rows at the same place in the same history."""
        return (self.seal, self.step, self.rows) == (other.seal, other.step, other.rows)


class Condemned(msgspec.Struct, frozen=True):
    """A row that killed the worker; `reason` is its story."""

    id: str
    position: int
    reason: str


class Deaths(msgspec.Struct, frozen=True):
    """`control/deaths.json`: the last note found after a death, its count, the rows condemned."""

    note: Note | None = None
    count: int = 0
    condemned: list[Condemned] = []


def write_note(lab: Lab, note: Note) -> None:
    """Leave the note. Not fsynced: it must survive a process, a power cut is no row's fault."""
    disk.write_bytes(lab.window_note, msgspec.json.encode(note), durable=False)


def read_deaths(lab: Lab) -> Deaths:
    """What is known; an unreadable file counts as nothing known."""
    return _read(lab.deaths_file, Deaths) or Deaths()


def read_condemned(lab: Lab) -> dict[tuple[str, int], str]:
    """Condemned rows and their stories, as the stream wants them."""
    return {(row.id, row.position): row.reason for row in read_deaths(lab).condemned}


def after_death(lab: Lab, how: str) -> tuple[Care, Condemned | None]:
    """Count a death of the worker; says how careful the next one must be, and who was condemned.

    `how` is the ending in words ("killed by signal 9"), kept in the story.
    """
    note = _read(lab.window_note, Note)
    known = read_deaths(lab)
    if note is None:
        return "none", None
    same = known.note is not None and known.note.same_window(note)
    count = known.count + 1 if same else 1
    condemned = None
    if count >= DEATHS_TO_CONDEMN and note.row is not None:
        reason = f"it killed the worker {count} times ({how})"
        condemned = Condemned(note.row[0], note.row[1], reason)
        known = Deaths(None, 0, [*known.condemned, condemned])
    else:
        known = Deaths(note, count, known.condemned)
    disk.write_bytes(lab.deaths_file, msgspec.json.encode(known))
    disk.remove(lab.window_note)
    return ("single-rows" if known.count >= DEATHS_TO_CONDEMN - 1 else "none"), condemned


def _read(path: Path, kind: type[_Kind]) -> _Kind | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, msgspec.DecodeError):
        return None  # evidence only: a torn note accuses nobody
