"""Lessons: files of chat rows that teach the families level by level, in the schedule's forms.

    for row in lesson(3, 24, 5000, book): ...     # file 3 of 24

A run is a sequence of files. Early files hold easy levels and, by default, mostly English;
later ones reach further and are mostly codes. Every draw is keyed, so the same arguments give the
same rows, and no problem is drawn twice in a run. Oracles write the answers; nothing is generated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from regime3 import tasks
from regime3.lang.codebook import Codebook
from regime3.tasks import schedule
from regime3.tasks.draw import Draw
from regime3.tasks.family import Split
from regime3.tasks.rows import row, translation

REACH_FIRST, REACH_LAST = 0.6, 1.8
"""Level n is drawn with weight exp(-(n - 1) / reach); the reach grows over the files."""
WEIGHTS = 1 << 20


def lesson(
    number: int,
    files: int,
    rows: int,
    book: Codebook,
    *,
    plan: str = "transitional",
    split: Split = "train",
    levels_max: int = 10,
    start: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of file `number` (from 0) of `files`.

    `start` is the first index of their problems; else files of one length never share any.
    """
    first = number * rows if start is None else start
    families = list(tasks.FAMILIES)
    weights = level_weights(number / max(1, files - 1), levels_max)
    for place in range(rows):
        draw = Draw(f"lesson|{plan}|{number}|{first + place}")
        family = families[place % len(families)]
        level = _weighted(weights, draw)
        sample = tasks.sample(family, level, split, first + place)
        form = schedule.choose(plan, number, files, f"{family}|{level}|{place}")
        if form.source is None:
            yield row(sample, form.target, book)
        else:
            yield translation(sample, form.source, form.target, book)


def level_weights(progress: float, levels_max: int) -> list[int]:
    """Whole weights of levels 1 .. `levels_max` when so much of the run is done (0 to 1)."""
    reach = REACH_FIRST + (REACH_LAST - REACH_FIRST) * progress
    return [round(WEIGHTS * math.exp(-n / reach)) for n in range(levels_max)]


def _weighted(weights: list[int], draw: Draw) -> int:
    """A level from 1, by weight."""
    left = draw.below(sum(weights))
    for level, weight in enumerate(weights, start=1):
        if left < weight:
            return level
        left -= weight
    raise AssertionError("weights cover the draw")
