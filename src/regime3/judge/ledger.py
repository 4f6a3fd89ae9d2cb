"""The ledger: every verdict with its numbers, one JSON line each, only ever appended to.

    standing = standing_of(lab)                  # what follows from all of them
    append(lab, verdict)

What follows is a pure fold, so nothing else has to be kept: who is champion, who was the best ever,
how many losses in a row, which seals are judged, what is still to be carried out. A last line that
a crash tore is no line, and the next append ends it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import msgspec

from regime3 import disk
from regime3.paths import Lab
from regime3.records.verdict import Carried, Verdict


class Standing(msgspec.Struct):
    """What all verdicts together come to."""

    verdicts: int = 0
    champion: int | None = None
    champion_model: str = ""
    best: int | None = None
    best_model: str = ""
    losses: int = 0
    """Verdicts `worse` in a row, of seals that the champion was compared with."""
    judged: set[int] = set()
    """Seals with a verdict."""
    next_problem: int = 0
    """The first index of held-out problems that no verdict has asked."""
    false_promotions: float = 0.0
    last: Verdict | None = None
    due: Verdict | None = None
    """The verdict that is not carried out yet."""

    @property
    def needed(self) -> set[int]:
        """Seals that must stay: a rollback goes to one of them."""
        return {number for number in (self.champion, self.best) if number is not None}


def fold(lines: Iterable[Verdict | Carried]) -> Standing:
    """What they come to, in order."""
    found = Standing()
    for line in lines:
        if isinstance(line, Carried):
            if found.due is not None and found.due.number == line.verdict:
                found.due = None
            continue
        found.verdicts = line.number
        found.champion, found.champion_model = line.champion, line.champion_model
        found.best, found.best_model = line.best, line.best_model
        found.losses = found.losses + 1 if line.word == "worse" else 0
        found.judged.add(line.seal)
        if line.problems:
            found.next_problem = max(found.next_problem, line.problems[1] + 1)
        found.false_promotions = line.false_promotions
        found.last = line
        # A newer verdict overtakes one that was never carried out.
        found.due = line if line.word in ("first", "promote", "rollback") else found.due
    return found


def read(lab: Lab) -> tuple[Verdict | Carried, ...]:
    """Every whole line. A line that is none is passed over: the ledger is never rewritten.

    The judge looks twice a second and the ledger grows for weeks, so it is read when it has grown.
    """
    try:
        look = lab.ledger_file.stat()
    except FileNotFoundError:
        return ()
    return _read(lab.ledger_file, look.st_size, look.st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: Path, size_bytes: int, mtime_ns: int) -> tuple[Verdict | Carried, ...]:
    found: list[Verdict | Carried] = []
    for line in path.read_bytes().splitlines():
        for decode in (_verdict, _carried):
            try:
                found.append(decode(line))
            except msgspec.MsgspecError:
                continue  # the other kind, or torn by a crash: the writer wrote the same again
            break
    return tuple(found)


_verdict = msgspec.json.Decoder(Verdict).decode
_carried = msgspec.json.Decoder(Carried).decode


def verdicts(lab: Lab) -> list[Verdict]:
    """All of them, the oldest first."""
    return [line for line in read(lab) if isinstance(line, Verdict)]


def standing_of(lab: Lab) -> Standing:
    """What the lab's ledger comes to."""
    return fold(read(lab))


def append(lab: Lab, line: Verdict | Carried) -> None:
    """Add a line, durably. Hold `lock` from reading the standing until here."""
    disk.make_folder(lab.ledger_file.parent)
    torn = _is_torn(lab)
    with disk.Appender(lab.ledger_file) as out:
        out.append((b"\n" if torn else b"") + msgspec.json.encode(line) + b"\n")
        out.sync()


def _is_torn(lab: Lab) -> bool:
    """Whether the last line has no end."""
    try:
        with open(lab.ledger_file, "rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:  # not there, or empty
        return False


def lock(lab: Lab) -> disk.Lock:
    """Held by whoever adds a verdict: the judge, or a person's command."""
    disk.make_folder(lab.ledger_file.parent)
    return disk.Lock(lab.judge_lock, "the ledger of this lab", f"pid {os.getpid()}")
