"""The running rows: who is in each, and what every step needs of it, as arrays.

Rows are numbered from 0 and refilled; `width` is one more than the last one in use. A row that is
not `live` is empty, or its prompt is still being computed. It knows no torch and no model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from regime3.engine.sequence import Sequence

PENDING_MAX = 64
"""Tokens of a row that wait to be told."""


class Batch:
    """At most `slots` sequences."""

    def __init__(self, slots: int) -> None:
        self.sequences: list[Sequence | None] = [None] * slots
        self.width = 0
        self.live = np.zeros(slots, np.bool_)
        self.token = np.zeros(slots, np.int64)
        """What is fed next."""
        self.length = np.zeros(slots, np.int64)
        """Tokens in the pool: the position of what is fed next."""
        self.written = np.zeros(slots, np.int64)
        self.limit = np.zeros(slots, np.int64)
        self.temperature = np.ones(slots, np.float32)
        self.top_p = np.ones(slots, np.float32)
        self.top_k = np.zeros(slots, np.int64)
        self.key = np.zeros(slots, np.uint64)
        self.heeds_end = np.ones(slots, np.bool_)
        self.pending = np.zeros((slots, PENDING_MAX), np.int64)
        self.waits = np.zeros(slots, np.int64)
        """How many tokens are pending."""
        self.guided: set[int] = set()
        self.scored: set[int] = set()
        self.eager: set[int] = set()

    def put(self, sequence: Sequence) -> None:
        """Give a sequence the first free row."""
        row = self.sequences.index(None)
        self.sequences[row] = sequence
        sequence.row = row
        self.width = max(self.width, row + 1)
        ask, sampling = sequence.request.ask, sequence.request.ask.sampling
        self.live[row] = False
        self.waits[row] = 0
        self.length[row] = self.token[row] = 0
        self.written[row] = len(sequence.written)
        self.limit[row] = sequence.request.limit
        self.temperature[row] = sampling.temperature
        self.top_p[row], self.top_k[row] = sampling.top_p, sampling.top_k
        self.key[row] = sequence.key
        self.heeds_end[row] = not sampling.ignore_eos or ask.form is not None
        if sequence.guide is not None:
            self.guided.add(row)
        if ask.logprobs is not None:
            self.scored.add(row)
        if sequence.eager:
            self.eager.add(row)

    def clear(self, sequence: Sequence) -> None:
        """Its row is free."""
        row, sequence.row = sequence.row, -1
        self.sequences[row] = None
        self.live[row] = False
        self.length[row] = 0
        for rows in (self.guided, self.scored, self.eager):
            rows.discard(row)
        while self.width and self.sequences[self.width - 1] is None:
            self.width -= 1

    def move(self, source: int, target: int) -> None:
        """A sequence changes its row for a free one."""
        sequence = self.sequences[source]
        assert sequence is not None and self.sequences[target] is None
        for each in (
            self.live, self.token, self.length, self.written, self.limit, self.temperature,
            self.top_p, self.top_k, self.key, self.heeds_end, self.pending, self.waits,
        ):  # fmt: skip
            each[target] = each[source]
        for rows in (self.guided, self.scored, self.eager):
            if source in rows:
                rows.discard(source)
                rows.add(target)
        self.sequences[target], sequence.row = sequence, target
        self.sequences[source] = None
        self.live[source] = False
        while self.width and self.sequences[self.width - 1] is None:
            self.width -= 1

    def take_pending(self, row: int) -> list[int]:
        """What has been written since the last call."""
        found: list[int] = self.pending[row, : self.waits[row]].tolist()
        self.waits[row] = 0
        return found

    @property
    def running(self) -> list[Sequence]:
        """Everybody who has a row."""
        return [each for each in self.sequences[: self.width] if each is not None]

    def live_rows(self) -> NDArray[np.intp]:
        """Rows that are decoded."""
        return np.flatnonzero(self.live[: self.width])
