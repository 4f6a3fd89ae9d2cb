"""Masks as rows of one table, so that a batch gathers its masks in one operation.

Rows of equal content are one row. The table belongs to a codebook and is shared by all sequences;
it never shrinks below what is in use, and past `ROWS_MAX` it forgets all places: whoever still
holds a row has it placed again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from regime3.lang.codes import CODES_MAX

ROWS_MAX: Final = 1 << 15
"""Rows of 512 bytes here, 16 MiB, and four times that on the device of a model."""


class Row:
    """Which codes may come next. `allowed[code]` is 1 or 0; `place` is its row in the table.

    A place of -1 was forgotten: `Rows.put` gives a new one.
    """

    __slots__ = ("allowed", "place")

    def __init__(self, allowed: bytes) -> None:
        self.allowed = allowed
        self.place = -1


class Rows:
    """The table: `matrix[place]` is a boolean for each of 512 codes."""

    def __init__(self) -> None:
        self.matrix: NDArray[np.bool_] = np.zeros((256, CODES_MAX), np.bool_)
        self.count = 0
        self.epoch = 0
        """Grows when the places of old rows are forgotten."""
        self._rows: dict[bytes, Row] = {}

    def row(self, allowed: bytes) -> Row:
        """The row with that content, placed."""
        row = self._rows.get(allowed)
        if row is None:
            row = Row(allowed)
            self.put(row)
        return row

    def put(self, row: Row) -> int:
        """The place of a row's content in the table, found or made."""
        same = self._rows.get(row.allowed)
        if same is not None:
            return same.place
        if self.count == ROWS_MAX:
            self._forget()
        if self.count == len(self.matrix):
            self.matrix = np.concatenate([self.matrix, np.zeros_like(self.matrix)])
        self.matrix[self.count] = np.frombuffer(row.allowed, np.bool_)
        self._rows[row.allowed] = row
        row.place = self.count
        self.count += 1
        return row.place

    def _forget(self) -> None:
        for row in self._rows.values():
            row.place = -1
        self._rows = {}
        self.count = 0
        self.epoch += 1
