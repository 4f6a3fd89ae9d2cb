"""Readings of this box over time: memory, processor, disk and cards, bounded however long it runs.

    log = MachineLog(lab, "trainer")          # or the node's box, in the node's own lab
    log.add(now, figures_of(system, gpu))     # at every reading; written when a stretch is over
    read(lab, since=now - 3600, points=400)

Two files of fixed-width records, min, max and last of each figure over 10 s for two days and over
10 min for a year: a peak of one reading stays in sight. What a kill takes is the stretch that was
not over. A torn tail is cut before the next record. NaN is "not measured".
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from regime3 import disk
from regime3.paths import Lab
from regime3.records.status import GpuReading, SystemReading

FIGURES: Final = (
    "cpu_percent",
    "memory_used_bytes",
    "worker_memory_bytes",
    "disk_free_bytes",
    "gpu_memory_bytes",
    "gpu_temperature_c",
    "gpu_power_w",
    "gpu_busy_percent",
)
"""Of several cards: memory and power summed, the highest temperature and load. The worker of the
node's box is its engine."""
RECORD: Final = np.dtype(
    [("time", "<f8"), *((name, "<f8", (len(FIGURES),)) for name in ("min", "max", "last"))]
)
GAP_STRETCHES: Final = 4
"""So many stretches without a record are a gap, not a line."""
POINTS_MAX: Final = 2000


class Tier(NamedTuple):
    """A file: its name, seconds of a record, records kept."""

    name: str
    every_s: float
    kept: int


TIERS: Final = (Tier("10s", 10.0, 17_280), Tier("10min", 600.0, 52_560))
Figures = dict[str, float | None]
Box = Literal["trainer", "node"]


def figures_of(system: SystemReading | Any | None, gpu: list[GpuReading] | None) -> Figures:
    """A reading as numbers, of anything with such fields; None is not measured."""

    def of_cards(name: str, how: Any) -> float | None:
        known = [getattr(card, name) for card in gpu or [] if getattr(card, name) is not None]
        return float(how(known)) if known else None

    found: Figures = {name: getattr(system, name, None) for name in FIGURES[:4]}
    return found | {
        "gpu_memory_bytes": of_cards("memory_used_bytes", sum),
        "gpu_temperature_c": of_cards("temperature_c", max),
        "gpu_power_w": of_cards("power_w", sum),
        "gpu_busy_percent": of_cards("busy_percent", max),
    }


class MachineLog:
    """The write side; the supervisor holds the trainer's box's, the node its own."""

    def __init__(self, lab: Lab, box: Box = "trainer") -> None:
        self._files = [_File(lab.machine_log(tier.name, box), tier) for tier in TIERS]

    def add(self, now: float, figures: Figures) -> None:
        """Take a reading at `now`, wall seconds."""
        values = np.array(
            [math.nan if figures[name] is None else figures[name] for name in FIGURES], "<f8"
        )
        for each in self._files:
            each.add(now, values)


class _File:
    """One tier: the stretch that is gathered, and the file."""

    def __init__(self, path: Path, tier: Tier) -> None:
        self.path, self.tier = path, tier
        self._record: Any = None

    def add(self, now: float, values: Any) -> None:
        if self._record is not None and not 0 <= now - self._record["time"] < self.tier.every_s:
            self._write(self._record)
            self._record = None
        if self._record is None:
            self._record = np.zeros((), RECORD)
            self._record["time"] = now
            for name in ("min", "max", "last"):
                self._record[name] = math.nan
        one = self._record
        one["min"], one["max"] = np.fmin(one["min"], values), np.fmax(one["max"], values)
        one["last"] = np.where(np.isnan(values), one["last"], values)

    def _write(self, record: Any) -> None:
        size = self.path.stat().st_size if self.path.exists() else 0
        disk.make_folder(self.path.parent)
        if size % RECORD.itemsize:
            size -= size % RECORD.itemsize
            disk.truncate(self.path, size)
        if size >= 2 * self.tier.kept * RECORD.itemsize:
            disk.write_bytes(self.path, _records(self.path)[-self.tier.kept :].tobytes())
        with disk.Appender(self.path) as out:
            out.append(record.tobytes())


def read(lab: Lab, since: float, points: int, box: Box = "trainer") -> dict[str, Any]:
    """From `since`, wall seconds, in at most `points` buckets: time, and min, max and last of each.

    From the finer file as far as it reaches back. Bucket times are those of their last record;
    lists are equally long; None is "not measured", and stands between two stretches of records
    that lie apart.
    """
    fine, coarse = (_records(lab.machine_log(tier.name, box)) for tier in TIERS)
    first = fine["time"][0] if len(fine) else math.inf
    older = coarse[coarse["time"] < first]
    found, every_s = np.concatenate([older, fine]), TIERS[0].every_s
    found = found[found["time"] >= since]
    width = -(-len(found) // max(1, min(points, POINTS_MAX))) or 1
    buckets = [found[at : at + width] for at in range(0, len(found), width)]
    times: list[float] = []
    sides: dict[str, list[Any]] = {"min": [], "max": [], "last": []}
    nothing = np.full(len(FIGURES), math.nan)
    with np.errstate(all="ignore"):
        for bucket in buckets:
            if times and bucket["time"][0] - times[-1] > _apart(bucket, every_s):
                _push(times, sides, (times[-1] + bucket["time"][0]) / 2, 3 * [nothing])
            low = np.fmin.reduce(bucket["min"])
            high = np.fmax.reduce(bucket["max"])
            _push(times, sides, float(bucket["time"][-1]), [low, high, bucket["last"][-1]])
    return {
        "time": [round(at, 1) for at in times],
        "figures": {
            name: {side: [_plain(row[column]) for row in rows] for side, rows in sides.items()}
            for column, name in enumerate(FIGURES)
        },
    }


def _apart(bucket: Any, every_s: float) -> float:
    """Seconds from one record to the next that make a gap. Coarse records lie far apart anyway."""
    steps = np.diff(bucket["time"])
    usual = float(np.median(steps)) if len(steps) else TIERS[1].every_s
    return GAP_STRETCHES * max(usual, every_s)


def _push(times: list[float], sides: dict[str, list[Any]], at: float, rows: list[Any]) -> None:
    times.append(float(at))
    for side, row in zip(("min", "max", "last"), rows, strict=True):
        sides[side].append(row)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")


def _records(path: Path) -> Any:
    """Whole records in order of time; what a clock that jumped back left behind is sorted in."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        data = b""
    found = np.frombuffer(data[: len(data) - len(data) % RECORD.itemsize], RECORD)
    found = found[np.isfinite(found["time"])]
    return found[np.argsort(found["time"], kind="stable")]
