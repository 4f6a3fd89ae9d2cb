"""How many rows wait to be trained: in the queue, and in the inbox on their way to it.

The status file knows the queue to the row, also between checkpoints. What it cannot know lies in
the inbox or is being admitted: there every line of a file counts as a row. While no trainer has
run, nothing was admitted.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from regime3.errors import Unavailable
from regime3.paths import LANES, Lab
from regime3.status.reading import read_status

BLOCK_BYTES = 1 << 20


def rows_waiting(lab: Lab, enough: int) -> int:
    """Rows that wait; counting ends when there are `enough`."""
    try:
        queue = read_status(lab).queue
    except Unavailable:
        queue = None
    found = 0 if queue is None else queue.rows_left
    for path in _arriving(lab):
        if found >= enough:
            break
        found += _lines(path, enough - found)
    return found


def _arriving(lab: Lab) -> Iterator[Path]:
    for folder in (lab.inbox, *(lab.inbox_lane(lane) for lane in LANES), lab.admitting):
        yield from sorted(folder.glob("*.jsonl"))


def _lines(path: Path, enough: int) -> int:
    """Lines of a file, which may be taken away meanwhile."""
    found = 0
    try:
        with open(path, "rb") as source:
            while found < enough and (block := source.read(BLOCK_BYTES)):
                found += block.count(b"\n")
    except OSError:
        return found
    return found
