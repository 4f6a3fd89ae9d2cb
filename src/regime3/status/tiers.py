"""Record layout of the metric history: fixed-width binary, little-endian, one file a tier.

Tier 1 keeps a record a step; tiers 10, 100, 1k and 10k keep min, max, mean and last of every
metric over so many steps, so that any stretch draws from a few thousand records and no spike is
lost. A value that was not measured is NaN on disk; it never reaches JSON.

The table is fixed: a new metric takes a spare column. A tier's mean is the mean of the finer
buckets that have the metric, weighted by their steps, so a tier rebuilt from the finer one after
a crash is equal bit for bit. This module only describes bytes; `history` writes them and
`history_files` reads them.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Groups = tuple[Sequence[float], Sequence[float], Sequence[float], Sequence[float]]
"""min, max, mean and last of every column."""

HISTORY_SCHEMA = 1
TIERS = (1, 10, 100, 1_000, 10_000)
METRICS = (
    "loss",
    "loss_smoothed",
    "validation_loss",
    "learning_rate",
    "grad_norm",
    "tokens_per_sec",
    "supervised_per_sec",
    "step_seconds",
    "token_budget",
    "memory_mb",
    "padding_percent",
    "accuracy_percent",
    "gpu_power_w",
)
"""Column order. validation_loss and accuracy_percent exist only at steps that were evaluated."""

COLUMNS = 16
NAN = math.nan
COLUMN_OF = {name: column for column, name in enumerate(METRICS)}

FINE = struct.Struct(f"<qd{COLUMNS}f")
COARSE = struct.Struct(f"<qqdq{4 * COLUMNS}f")
FINE_TYPE = np.dtype([("step", "<i8"), ("time", "<f8"), ("value", "<f4", (COLUMNS,))])
COARSE_TYPE = np.dtype(
    [
        ("start", "<i8"),
        ("step", "<i8"),
        ("time", "<f8"),
        ("count", "<i8"),
        ("min", "<f4", (COLUMNS,)),
        ("max", "<f4", (COLUMNS,)),
        ("mean", "<f4", (COLUMNS,)),
        ("last", "<f4", (COLUMNS,)),
    ]
)
assert FINE.size == FINE_TYPE.itemsize and COARSE.size == COARSE_TYPE.itemsize


def record_type(tier: int) -> np.dtype[Any]:
    """The record of a tier. Its first eight bytes are the bucket's first step."""
    return FINE_TYPE if tier == 1 else COARSE_TYPE


def widened(fine: Array) -> Array:
    """Tier-1 records [n] as coarse ones [n]: min = max = mean = last. A repeated step counts 0."""
    wide = np.empty(len(fine), COARSE_TYPE)
    wide["start"] = wide["step"] = fine["step"]
    wide["time"] = fine["time"]
    wide["count"] = np.diff(fine["step"], prepend=np.int64(-1)) > 0
    for name in ("min", "max", "mean", "last"):
        wide[name] = fine["value"]
    return wide


class Bucket:
    """One open bucket of a coarse tier, filled from finer ones in order of steps."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.start = -1
        self.clear()

    def clear(self) -> None:
        """Empty it."""
        self.start = -1
        self.step = 0
        self.time = 0.0
        self.count = 0
        self.low = [NAN] * COLUMNS
        self.high = [NAN] * COLUMNS
        self.last = [NAN] * COLUMNS
        self.total = [0.0] * COLUMNS
        self.weight = [0] * COLUMNS

    def takes(self, start: int) -> bool:
        """Whether a finer bucket that starts at `start` belongs in here."""
        return self.start < 0 or self.start == start // self.width * self.width

    def add(
        self,
        start: int,
        step: int,
        time: float,
        count: int,
        groups: Groups,
    ) -> None:
        """Merge a finer bucket."""
        assert self.takes(start)
        self.start = start // self.width * self.width
        self.step, self.time = step, time
        self.count += count
        weight = max(1, count)
        lows, highs, means, lasts = groups
        for column in range(len(METRICS)):
            mean = means[column]
            if mean != mean:
                continue
            if self.weight[column] == 0:
                self.low[column], self.high[column] = lows[column], highs[column]
            else:
                self.low[column] = min(self.low[column], lows[column])
                self.high[column] = max(self.high[column], highs[column])
            self.last[column] = lasts[column]
            self.total[column] += mean * weight
            self.weight[column] += weight

    def record(self) -> bytes:
        """Its bytes."""
        means = [
            total / weight if weight else NAN
            for total, weight in zip(self.total, self.weight, strict=True)
        ]
        return COARSE.pack(
            self.start,
            self.step,
            self.time,
            self.count,
            *self.low,
            *self.high,
            *means,
            *self.last,
        )
