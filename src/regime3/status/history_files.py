"""Read the metric history while it is being written; any process may.

    table = HistoryFiles(lab).read_table(["loss"], first=0, last=None, points_max=800)

A stretch of any length is answered from the finest tier that holds it in few records, plus the
finer records of the newest, still open buckets; then neighbours are merged down to `points_max`.
Minima and maxima are exact whatever the zoom. The *line* is what the head checkpoint rests on:
after a rollback or restart it continues in a new branch, and the abandoned stretch can still be
read by its branch number.

It maps no file into memory (a writer that cuts a torn tail would kill the reader) and holds no
file open between calls.
"""

from __future__ import annotations

import bisect
import itertools
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regime3.paths import Lab
from regime3.status.tiers import COARSE_TYPE, COLUMN_OF, TIERS, Array, record_type, widened

ROWS_READ_MAX = 20_000
POINTS_MAX = 5_000


@dataclass(frozen=True)
class Branch:
    """A stretch of history. `first` is its first step; `offsets` its first record in each tier."""

    number: int
    first: int
    at: float
    offsets: dict[int, int]

    def own_start(self, tier: int) -> int:
        """First bucket that this branch wrote in a tier: it repeats the one it was cut in."""
        return self.first if tier == 1 else max(0, self.first - 1) // tier * tier


@dataclass(frozen=True)
class Column:
    """One metric of a table: four float32 arrays [buckets], NaN where nothing was measured."""

    min: Array
    max: Array
    mean: Array
    last: Array


@dataclass(frozen=True)
class Table:
    """Buckets in order of steps: arrays [buckets] of first and last step, wall time and steps."""

    tier: int
    start: Array
    step: Array
    time: Array
    count: Array
    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True)
class Buckets:
    """One metric over a stretch of steps; arrays [buckets]."""

    step: Array
    time: Array
    min: Array
    max: Array
    mean: Array
    last: Array


class TierFile:
    """Records of one tier, numbered from 0 for ever. Segments may have been deleted in front."""

    def __init__(self, lab: Lab, tier: int, segment_records: int) -> None:
        self.tier = tier
        self.type = record_type(tier)
        self._lab = lab
        self._per_segment = segment_records if tier == 1 else 1 << 62
        self.first, self.stop = self._extent()

    def _extent(self) -> tuple[int, int]:
        """The oldest record kept, and one past the newest whole one."""
        prefix = self._lab.history_segment(self.tier, 0).name.rpartition("-")[0] + "-"
        found = [
            int(path.stem.removeprefix(prefix))
            for path in self._lab.history.glob(f"{prefix}*.bin")
            if path.stem.removeprefix(prefix).isdigit()
        ]
        if not found:
            return 0, 0
        newest = self._path(max(found))
        whole = newest.stat().st_size // self.type.itemsize
        first = min(found) * self._per_segment
        return first, max(found) * self._per_segment + whole

    def _path(self, segment: int) -> Path:
        return self._lab.history_segment(self.tier, segment)

    def rows(self, low: int, high: int) -> Array:
        """Records [low, high) that are still kept."""
        low, high = max(low, self.first), min(high, self.stop)
        parts = []
        while low < high:
            segment, inside = divmod(low, self._per_segment)
            take = min(high - low, self._per_segment - inside)
            with open(self._path(segment), "rb") as source:
                source.seek(inside * self.type.itemsize)
                parts.append(np.fromfile(source, self.type, take))
            low += take
        return np.concatenate(parts) if parts else np.empty(0, self.type)

    def search(self, low: int, high: int, step: int) -> int:
        """The first record in [low, high) whose bucket starts at `step` or later; or `high`."""
        return self._bisect(low, high, step, "start" if self.tier > 1 else "step")

    def search_time(self, low: int, high: int, wall: float) -> int:
        """The first record in [low, high) written for a time of `wall` or later; or `high`."""
        return self._bisect(low, high, wall, "time")

    def _bisect(self, low: int, high: int, wanted: float, field: str) -> int:
        low, high = max(low, self.first), min(high, self.stop)
        if low >= high:
            return high
        handles: dict[int, int] = {}

        def at(number: int) -> float:
            segment, inside = divmod(number, self._per_segment)
            if segment not in handles:
                handles[segment] = os.open(self._path(segment), os.O_RDONLY)
            raw = os.pread(handles[segment], self.type.itemsize, inside * self.type.itemsize)
            return float(np.frombuffer(raw, self.type)[field][0])

        try:
            return low + bisect.bisect_left(range(low, high), wanted, key=at)
        finally:
            for handle in handles.values():
                os.close(handle)


def read_branches(lab: Lab) -> list[Branch]:
    """Branches oldest first; a torn last line does not count."""
    branches = [Branch(0, 0, 0.0, dict.fromkeys(TIERS, 0))]
    if not lab.history_branches.exists():
        return branches
    for line in lab.history_branches.read_bytes().split(b"\n")[:-1]:
        item = json.loads(line)
        offsets = {int(tier): number for tier, number in item["offsets"].items()}
        branches.append(Branch(len(branches), item["first"], item["at"], offsets))
    return branches


class HistoryFiles:
    """The read side. Every call looks at the files as they are now."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def _segment_records(self) -> int:
        if not self.lab.history_schema.exists():
            return 1
        return int(json.loads(self.lab.history_schema.read_bytes())["segment_records"])

    def tier(self, width: int) -> TierFile:
        """The records of one tier, as they are now."""
        return TierFile(self.lab, width, self._segment_records())

    def line(self, tier: TierFile, branches: list[Branch]) -> list[tuple[int, int]]:
        """Record ranges that make up the current line in order of steps."""
        spans: list[tuple[int, int]] = []
        stops = [branch.offsets[tier.tier] for branch in branches[1:]] + [tier.stop]
        for branch, stop in zip(branches, stops, strict=True):
            own = branch.own_start(tier.tier)
            while spans and branch.number:
                low, high = spans.pop()
                high = tier.search(low, high, own)
                if low < high:
                    spans.append((low, high))
                    break
            low = max(branch.offsets[tier.tier], tier.first)
            if low < stop:
                spans.append((low, stop))
        return spans

    def last_step(self) -> int | None:
        """The newest step of the current line; None when nothing is recorded."""
        tier = self.tier(1)
        spans = self.line(tier, read_branches(self.lab))
        return int(tier.rows(spans[-1][1] - 1, spans[-1][1])["step"][0]) if spans else None

    def step_at(self, wall: float) -> int:
        """The first step of the current line recorded at or after a wall time."""
        branches = read_branches(self.lab)
        for width in TIERS:
            tier = self.tier(width)
            for low, high in self.line(tier, branches):
                found = tier.search_time(low, high, wall)
                # The oldest record kept may stand for older ones: a coarser tier knows.
                if found < high and (found > tier.first or tier.first == 0):
                    row = tier.rows(found, found + 1)
                    return int(row["start" if width > 1 else "step"][0])
        newest = self.last_step()
        return 0 if newest is None else newest + 1

    def rows(self, width: int, first: int, last: int) -> Array:
        """Coarse records of the current line that touch steps [first, last], oldest first.

        Buckets still open at `width` come as the finer records that will fill them.
        """
        branches = read_branches(self.lab)
        parts: list[Array] = []
        start = max(0, first - width + 1) if width > 1 else first
        for tier_width in (t for t in reversed(TIERS) if t <= width):
            tier = self.tier(tier_width)
            spans = self.line(tier, branches)
            for low, high in spans:
                part = tier.rows(tier.search(low, high, start), tier.search(low, high, last + 1))
                parts.append(widened(part) if tier_width == 1 else part)
            if spans:
                newest = tier.rows(spans[-1][1] - 1, spans[-1][1])
                key = "start" if tier_width > 1 else "step"
                start = max(start, int(newest[key][0]) + tier_width)
        return np.concatenate(parts) if parts else np.empty(0, COARSE_TYPE)

    def choose_tier(self, first: int, last: int) -> int:
        """The finest tier that answers [first, last] in few records and still holds its start."""
        branches = read_branches(self.lab)
        for width in TIERS:
            if (last - first + 1) / width > ROWS_READ_MAX:
                continue
            if first >= self._kept_from(width, branches):
                return width
        return TIERS[-1]

    def _kept_from(self, width: int, branches: list[Branch]) -> int:
        """The first step of the line that a tier still holds."""
        tier = self.tier(width)
        if not tier.first:
            return 0
        low, _ = self.line(tier, branches)[0]
        return int(tier.rows(low, low + 1)["step"][0])

    def finest(self) -> Iterator[Array]:
        """The whole current line as coarse records, oldest first, each from the finest tier that
        still holds it; a step's own record has a count of 1. In parts of `ROWS_READ_MAX` at most.
        """
        newest = self.last_step()
        branches = read_branches(self.lab)
        at = 0
        while newest is not None and at <= newest:
            starts = {width: self._kept_from(width, branches) for width in TIERS}
            width = next((each for each in TIERS if starts[each] <= at), TIERS[-1])
            finer = [starts[each] for each in TIERS if each < width]
            last = min(newest, at + width * ROWS_READ_MAX - 1, *(each - 1 for each in finer))
            rows = self.rows(width, at, last)
            rows = rows[rows["step"] >= at]
            if len(rows):
                yield rows
            at = max(last, int(rows["step"][-1]) if len(rows) else 0) + 1

    def read_table(
        self, metrics: list[str], first: int, last: int | None, points_max: int
    ) -> Table:
        """Several metrics over steps [first, last] in at most `points_max` common buckets.

        Raises KeyError for a metric that is not in the table.
        """
        columns = {name: COLUMN_OF[name] for name in metrics}
        newest = self.last_step()
        stop = -1 if newest is None else newest if last is None else min(last, newest)
        first = max(0, first)
        width = self.choose_tier(first, stop)
        rows = self.rows(width, first, stop)
        return _merged(rows, width, columns, max(1, min(points_max, POINTS_MAX)))

    def read(self, metric: str, first: int, last: int | None, points_max: int) -> Buckets:
        """One metric over steps [first, last] in at most `points_max` buckets."""
        table = self.read_table([metric], first, last, points_max)
        column = table.columns[metric]
        return Buckets(table.step, table.time, column.min, column.max, column.mean, column.last)

    def abandoned(self) -> list[tuple[int, int, int]]:
        """Stretches left behind: (branch number, first and last step), oldest first."""
        tier, branches = self.tier(1), read_branches(self.lab)
        found = []
        for branch, following in itertools.pairwise(branches):
            low = max(branch.offsets[1], tier.first)
            high = following.offsets[1]
            cut = tier.search(low, high, following.first)
            if cut < high:
                steps = tier.rows(cut, high)["step"]
                found.append((branch.number, int(steps[0]), int(steps[-1])))
        return found

    def read_abandoned(self, number: int, metrics: list[str], points_max: int) -> Table:
        """The stretch that branch `number` lost to its successor."""
        tier, branches = self.tier(1), read_branches(self.lab)
        following = branches[number + 1]
        high = following.offsets[1]
        low = tier.search(branches[number].offsets[1], high, following.first)
        columns = {name: COLUMN_OF[name] for name in metrics}
        return _merged(widened(tier.rows(low, high)), 1, columns, points_max)


def _merged(rows: Array, tier: int, columns: dict[str, int], points_max: int) -> Table:
    """Neighbouring buckets merged down to `points_max`, equal in steps as far as they go."""
    if len(rows) == 0:
        empty = np.empty(0)
        none = {name: Column(empty, empty, empty, empty) for name in columns}
        whole = np.empty(0, np.int64)
        return Table(tier, whole, whole, empty, whole, none)
    origin = int(rows["start"][0])
    width = max(1, -(-(int(rows["start"][-1]) - origin + 1) // points_max))
    edges = np.flatnonzero(np.diff((rows["start"] - origin) // width, prepend=-1))
    ends = np.append(edges[1:], len(rows)) - 1
    return Table(
        tier,
        rows["start"][edges],
        rows["step"][ends],
        rows["time"][ends],
        np.add.reduceat(rows["count"], edges),
        {name: _merged_column(rows, column, edges) for name, column in columns.items()},
    )


def _merged_column(rows: Array, column: int, edges: Array) -> Column:
    mean = rows["mean"][:, column].astype(np.float64)
    there = ~np.isnan(mean)
    weight = np.where(there, np.maximum(1, rows["count"]), 0)
    total = np.add.reduceat(np.where(there, mean, 0.0) * weight, edges)
    weights = np.add.reduceat(weight, edges)
    newest = np.maximum.reduceat(np.where(there, np.arange(len(rows)), -1), edges)
    last = np.where(newest >= 0, rows["last"][:, column][newest], np.nan)
    return Column(
        np.fmin.reduceat(rows["min"][:, column], edges),
        np.fmax.reduceat(rows["max"][:, column], edges),
        np.divide(total, weights, out=np.full(len(edges), np.nan), where=weights > 0),
        last,
    )
