"""What admission says about a file: the outcome, the progress on the way, the verdict."""

from __future__ import annotations

from typing import Literal

import msgspec

from regime3.config import Settings
from regime3.records.files import Lane
from regime3.spool.encoding import conversion
from regime3.spool.reading import Judged

Outcome = Literal["admitted", "refused", "duplicate", "returned", "lost"]


class Admission(msgspec.Struct, frozen=True):
    """What became of one file of the inbox. `str()` is a line for people."""

    outcome: Outcome
    name: str
    lane: Lane
    ids: list[str] = []
    """Files that entered the queue now, one a pass; of a duplicate those it repeats."""
    rows: int = 0
    buried: int = 0
    size_bytes: int = 0
    reason: str = ""
    raised: list[str] = []
    """Files admitted before whose lane this one raised."""

    def __str__(self) -> str:
        match self.outcome:
            case "admitted":
                passes = f", {len(self.ids)} passes" if len(self.ids) > 1 else ""
                buried = f", {self.buried:,} buried" if self.buried else ""
                text = f"admitted {self.name} ({self.lane}): {self.rows:,} rows{passes}{buried}"
            case _:
                text = f"{self.outcome} {self.name}: {self.reason}"
        return text + (f"; raised to {self.lane}" if self.raised else "")


class AdmitProgress(msgspec.Struct, frozen=True):
    """Told after every block: the file being read, and how far its batch is."""

    name: str
    bytes_done: int
    bytes_total: int
    rows: int
    buried: int
    files_done: int
    files_total: int


def refusal(judged: Judged, name: str, settings: Settings) -> str | None:
    """Why the whole file fails, or None when its good rows train."""
    if judged.encoding is not None:
        command = conversion(judged.encoding, name)
        return f"the file is {judged.encoding}, not UTF-8; convert it: {command}"
    if judged.size_bytes == 0:
        return "the file is empty"
    first = judged.first_burial
    if first is None:
        return None if judged.rows else "the file has no rows, only blank lines"
    story = f"first at line {first.line}: {first.reason}"
    total = judged.rows + judged.buried
    if not judged.rows:
        return f"no row of {total:,} can be trained; {story}"
    if judged.buried > settings.queue.mostly_bad * total:
        limit = settings.queue.mostly_bad
        return (
            f"{judged.buried:,} of {total:,} rows are bad, "
            f"more than queue.mostly_bad = {limit:g}; {story}"
        )
    return None
