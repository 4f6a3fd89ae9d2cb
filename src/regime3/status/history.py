"""Write the metric history: every step once, every tier as it fills.

    history = History(lab, fine_steps_max=2_000_000)
    history.append(step, now, {"loss": 0.41, "tokens_per_sec": 12_840.0})

Appends gather in memory and go out at most a second later, unsynced: a kill loses a second of
curve, never of training. At the start a torn last record is cut, and what the coarser tiers lost
is rebuilt from the finer ones. `branch` continues the line at a head's step and leaves the
abandoned stretch readable. One process writes; reading is `history_files`.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Mapping
from typing import BinaryIO

import numpy as np

from regime3 import disk
from regime3.errors import LabError
from regime3.paths import Lab
from regime3.status.history_files import Buckets, HistoryFiles, read_branches
from regime3.status.tiers import (
    COARSE,
    COARSE_TYPE,
    COLUMN_OF,
    COLUMNS,
    FINE,
    FINE_TYPE,
    HISTORY_SCHEMA,
    METRICS,
    NAN,
    TIERS,
    Array,
    Bucket,
    Groups,
    record_type,
)

FLUSH_S = 1.0
SEGMENTS_KEPT = 4


def _unpacked(record: bytes) -> tuple[int, int, float, int, Groups]:
    """First and last step, time, steps and values of a coarse record."""
    start, step, now, count, *flat = COARSE.unpack(record)
    low, high, mean, last = (flat[i * COLUMNS : (i + 1) * COLUMNS] for i in range(4))
    return start, step, now, count, (low, high, mean, last)


def _time_of(source: BinaryIO, at: int, size: int) -> float:
    source.seek(at)
    kind = FINE_TYPE if size == FINE.size else COARSE_TYPE
    return float(np.frombuffer(source.read(size), kind)["time"][0])


class History:
    """The write side; the supervisor alone holds one."""

    def __init__(self, lab: Lab, fine_steps_max: int) -> None:
        self.lab = lab
        self.files = HistoryFiles(lab)
        disk.make_folder(lab.history)
        self._segment_records = self._schema(max(1, fine_steps_max // SEGMENTS_KEPT))
        self._mend()
        self._pending: dict[int, list[bytes]] = {tier: [] for tier in TIERS}
        self._written = {tier: self.files.tier(tier).stop for tier in TIERS}
        self._buckets = {tier: Bucket(tier) for tier in TIERS[1:]}
        self._flushed_at = -math.inf
        self.last_step = self.files.last_step()
        self._refill(self._resume_at, self.last_step)

    # ------------------------------------------------------------ opening

    def _schema(self, segment_records: int) -> int:
        """Records a tier-1 segment holds: fixed when the history is made."""
        wanted = {"schema": HISTORY_SCHEMA, "columns": COLUMNS, "tiers": list(TIERS)}
        path = self.lab.history_schema
        if not path.exists():
            written = wanted | {"metrics": list(METRICS), "segment_records": segment_records}
            disk.write_json(path, written)
            return segment_records
        there = json.loads(path.read_bytes())
        if any(there.get(key) != value for key, value in wanted.items()):
            raise LabError(
                f"{path} was written by another version of regime3; move the folder aside "
                "and the history starts anew",
                "r3 doctor",
            )
        return int(there["segment_records"])

    def _mend(self) -> None:
        """Cut records and lines that a kill tore."""
        for path in self.lab.history.glob("tier-*.bin"):
            size = record_type(int(path.name.split("-")[1])).itemsize
            whole = path.stat().st_size // size * size
            with open(path, "rb") as source:
                # A power cut may leave zeros where bytes were promised: their time is 0.
                while whole and not _time_of(source, whole - size, size):
                    whole -= size
            if whole < path.stat().st_size:
                disk.truncate(path, whole)
        branches = self.lab.history_branches
        if branches.exists():
            data = branches.read_bytes()
            if data and not data.endswith(b"\n"):
                disk.truncate(branches, data.rfind(b"\n") + 1)

    def _resume_at(self, tier: int) -> int:
        """The first step that a tier's files lack, at opening."""
        branch = read_branches(self.lab)[-1]
        file = self.files.tier(tier)
        if file.stop > branch.offsets[tier]:
            return int(file.rows(file.stop - 1, file.stop)["start"][0]) + tier
        return branch.own_start(tier)

    def _refill(self, start_of: Callable[[int], int], last: int | None) -> None:
        """Fill the open buckets from the finer tiers' files, coarsest first so order holds."""
        for finer, tier in reversed(list(itertools.pairwise(TIERS))):
            if last is None:
                continue
            stop = last if finer == 1 else start_of(finer) - 1
            start = start_of(tier)
            for row in self._lines(finer, start, stop):
                self._feed(tier, *_unpacked(row.tobytes()))

    def _lines(self, tier: int, start: int, stop: int) -> Array:
        """A tier's own records of the current line whose buckets start in [start, stop]."""
        rows = self.files.rows(tier, start, stop)
        if tier == 1:
            return rows
        file = self.files.tier(tier)
        spans = self.files.line(file, read_branches(self.lab))
        parts = [
            file.rows(file.search(low, high, start), file.search(low, high, stop + 1))
            for low, high in spans
        ]
        return np.concatenate(parts) if parts else rows[:0]

    # ------------------------------------------------------------ writing

    def append(self, step: int, now: float, values: Mapping[str, float | None]) -> None:
        """Record what is known of a step. The same step again adds what came later.

        Values that are None or not finite are kept as "not measured". A step before the last
        one continues the line there, as `branch` does.
        """
        if self.last_step is not None and step < self.last_step:
            self.branch(step - 1, now)
        row = [NAN] * COLUMNS
        for name, value in values.items():
            if value is not None and math.isfinite(value):
                row[COLUMN_OF[name]] = value
        record = FINE.pack(step, now, *row)
        self._pending[1].append(record)
        rounded = FINE.unpack(record)[2:]
        count = int(self.last_step != step)
        self.last_step = step
        self._feed(TIERS[1], step, step, now, count, (rounded, rounded, rounded, rounded))
        self.flush_if_due(now)

    def _feed(
        self, tier: int, start: int, step: int, now: float, count: int, groups: Groups
    ) -> None:
        bucket = self._buckets[tier]
        if not bucket.takes(start):
            self._emit(tier)
        bucket.add(start, step, now, count, groups)

    def _emit(self, tier: int) -> None:
        """Write a bucket's record out and hand it to the coarser tier."""
        bucket = self._buckets[tier]
        record = bucket.record()
        self._pending[tier].append(record)
        bucket.clear()
        coarser = tier * 10
        if coarser in self._buckets:
            # From the packed bytes, so that a rebuild from the file feeds the same numbers.
            self._feed(coarser, *_unpacked(record))

    def flush_if_due(self, now: float) -> None:
        """`flush`, once a second at most."""
        if not 0 <= now - self._flushed_at < FLUSH_S:
            self._flushed_at = now
            self.flush()

    def flush(self) -> None:
        """Hand pending records to the operating system, finest tier first."""
        for tier in TIERS:
            if self._pending[tier]:
                records, self._pending[tier] = self._pending[tier], []
                self._write_fine(records) if tier == 1 else self._write(tier, 0, records)

    def _write(self, tier: int, segment: int, records: list[bytes]) -> None:
        with disk.Appender(self.lab.history_segment(tier, segment)) as out:
            out.append(b"".join(records))
        self._written[tier] += len(records)

    def _write_fine(self, records: list[bytes]) -> None:
        """Tier 1 goes to segments of equal size; the oldest are deleted."""
        while records:
            segment, inside = divmod(self._written[1], self._segment_records)
            room = self._segment_records - inside
            self._write(1, segment, records[:room])
            if len(records) >= room:
                self._finish_segment(segment)
            records = records[room:]

    def _finish_segment(self, segment: int) -> None:
        # Record numbers count whole segments: only the newest may ever be short.
        disk.sync_file(self.lab.history_segment(1, segment))
        old = segment - SEGMENTS_KEPT
        while old >= 0 and self.lab.history_segment(1, old).exists():
            disk.remove(self.lab.history_segment(1, old))
            old -= 1

    # ------------------------------------------------------------ branching

    def branch(self, step: int, now: float) -> bool:
        """Continue the line after `step`, a head's step. False: nothing was recorded past it.

        The stretch after it stays readable as an older branch.
        """
        if self.last_step is None or step >= self.last_step:
            return False
        for tier in TIERS[1:]:
            if self._buckets[tier].start >= 0:
                self._emit(tier)
        for bucket in self._buckets.values():
            bucket.clear()
        self.flush()
        self._refill(lambda tier: step // tier * tier, step)
        line = {"first": step + 1, "at": now, "offsets": dict(self._written)}
        with disk.Appender(self.lab.history_branches) as out:
            out.append(json.dumps(line).encode() + b"\n")
            out.sync()
        self.last_step = self.files.last_step()
        return True

    def read(self, metric: str, first: int, last: int | None, points_max: int) -> Buckets:
        """`HistoryFiles.read`, with what is pending written out first."""
        self.flush()
        return self.files.read(metric, first, last, points_max)

    def close(self) -> None:
        """Write what is pending. Open buckets are rebuilt at the next start."""
        self.flush()
