"""Held-out problems for the judge: fresh ones for each verdict, and the fixed set.

Cells are (family, level). Fresh problems begin at `FRESH` in every cell and are numbered onwards
for ever, so that no verdict rests on problems that an earlier one has asked; the fixed set is the
first ones of each cell, the same for every checkpoint.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from regime3 import tasks
from regime3.config import Judge as Settings
from regime3.lang.codebook import Codebook
from regime3.paths import Lab
from regime3.tasks.rows import row

FRESH = 10_000
"""Indexes below are the fixed set's and the probes'."""
TURN = 10
"""A tenth of the fixed set is asked at a time."""

Cell = tuple[str, int]


def cells_of(lab: Lab, settings: Settings) -> list[Cell]:
    """Families and levels that are judged: those that the forge has open, else the settings'."""
    opened = _open_levels(lab)
    families = [each.strip() for each in settings.families.split(",") if each.strip()]
    names = families or list(tasks.FAMILIES)
    default = range(1, settings.levels + 1)
    return [(family, level) for family in names for level in sorted(opened.get(family) or default)]


def _open_levels(lab: Lab) -> dict[str, list[int]]:
    """What the forge's note says; nothing if there is none."""
    try:
        found = json.loads(lab.forge_file.read_bytes())["families"]
        return {str(name): list(range(1, int(each["top"]) + 1)) for name, each in found.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # no forge here, or its note is being made anew


def fresh_rows(
    cells: Sequence[Cell], start: int, rounds: int, regime: int, book: Codebook
) -> list[dict[str, Any]]:
    """Problems in rounds, each with one of every cell; a round takes up one index."""
    return [
        row(tasks.sample(family, level, "heldout", start + number), regime, book)
        for number in range(rounds)
        for family, level in cells
    ]


def fixed_rows(
    cells: Sequence[Cell], regimes: Sequence[int], per_cell: int, turn: int | None, book: Codebook
) -> list[dict[str, Any]]:
    """The fixed set, or the tenth whose turn it is: whole cells, chosen by their names."""
    return [
        row(tasks.sample(family, level, "heldout", index), regime, book)
        for family, level in cells
        for regime in regimes
        if turn is None or _tenth(family, level, regime) == turn % TURN
        for index in range(per_cell)
    ]


def _tenth(family: str, level: int, regime: int) -> int:
    return hashlib.sha256(f"{family}|{level}|{regime}".encode()).digest()[0] % TURN
