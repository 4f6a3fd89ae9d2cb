"""Keys and values of all running sequences: one rectangle a layer, rows by tokens.

A row is a sequence, a column a position. Rows and columns grow as they are needed, as long as rows
times columns stays within `tokens_max`; what a step attends to is cut to the longest live row. The
model calls `update` through transformers' own cache interface, so that any family with standard
attention works. A step says beforehand where its tokens go: `decode` or `fill`.

The last column is nobody's: what a padded token writes goes there. It is zeros at first and finite
for ever, because a masked NaN would still spoil a sum.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import Cache

COLUMNS_STEP = 64
ATTEND_STEP = 16


class Pool(Cache):  # type: ignore[misc]
    """Rows and columns for at most `rows_max` sequences and `tokens_max` tokens."""

    def __init__(self, rows_max: int, tokens_max: int, device: torch.device) -> None:
        super().__init__(layers=[])
        self.rows_max, self.tokens_max, self.device = rows_max, tokens_max, device
        self.rows = self.columns = 0
        self._stored: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._at: torch.Tensor | None = None
        """Rows of a fill; None: a decode."""
        self._count = self._width = 0
        self._places = torch.empty(0)
        self._everyone = torch.arange(rows_max, device=device)

    # ------------------------------------------------------------------------------ shape

    def fit(self, rows: int, length: int) -> bool:
        """Make room for so many rows of so many tokens; False if that is more than the pool."""
        columns = _up(length + 1, COLUMNS_STEP)
        if rows <= self.rows and columns <= self.columns:
            return True
        more_rows = self.rows if rows <= self.rows else min(self.rows_max, max(rows, 2 * self.rows))
        more_columns = max(columns, self.columns)
        for shape in ((more_rows, more_columns), (max(rows, self.rows), columns), (rows, columns)):
            if shape[0] * shape[1] <= self.tokens_max:
                self._reshape(*shape)
                return True
        if rows * (length + 1) <= self.tokens_max:
            self._reshape(rows, length + 1)
            return True
        return False

    def _reshape(self, rows: int, columns: int) -> None:
        kept_rows, kept = min(rows, self.rows), min(columns, self.columns)
        for number, pair in enumerate(self._stored):
            made = []
            for old in pair:
                new = old.new_zeros(rows, old.shape[1], columns, old.shape[3])
                new[:kept_rows, :, :kept] = old[:kept_rows, :, :kept]
                made.append(new)
            self._stored[number] = (made[0], made[1])
        self.rows, self.columns = rows, columns

    @property
    def token_bytes(self) -> int:
        """Of one token in all layers; the pool has been written to."""
        parts = [stored for pair in self._stored for stored in pair]
        return sum(each.shape[1] * each.shape[3] * each.element_size() for each in parts)

    def drop(self) -> None:
        """Give all memory back; what the rows held is lost."""
        self._stored.clear()
        self.rows = self.columns = 0

    def copy(self, source: int, targets: list[int], length: int) -> None:
        """Let other rows begin as `source` does."""
        for pair in self._stored:
            for stored in pair:
                stored[targets, :, :length] = stored[source, :, :length]

    # ------------------------------------------------------------------------------- steps

    def decode(self, count: int, columns: torch.Tensor, length: int) -> int:
        """The next forward feeds one token to each of the first `count` rows, at `columns`.

        Returns the width that it attends to, at least `length`."""
        self._at, self._count, self._places = None, count, columns
        self._width = min(_up(length, ATTEND_STEP), self.columns)
        return self._width

    def fill(self, rows: torch.Tensor, columns: torch.Tensor, length: int) -> int:
        """The next forward feeds several tokens to each of `rows`, at `columns` [rows, tokens]."""
        self._at, self._places = rows, columns
        self._width = min(_up(length, ATTEND_STEP), self.columns)
        return self._width

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        layer_idx: int,
        *_: Any,
        **__: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write what a layer computed; gives what it may attend to. Called by the model."""
        while len(self._stored) <= layer_idx:
            self._stored.append((self._new(key_states), self._new(value_states)))
        keys, values = self._stored[layer_idx]
        width, at = self._width, self._at
        if at is None:
            count = self._count
            everyone = self._everyone[:count]
            keys[everyone, :, self._places] = key_states[:, :, 0]
            values[everyone, :, self._places] = value_states[:, :, 0]
            return keys[:count, :, :width], values[:count, :, :width]
        keys[at[:, None], :, self._places] = key_states.transpose(1, 2)
        values[at[:, None], :, self._places] = value_states.transpose(1, 2)
        return keys[:, :, :width].index_select(0, at), values[:, :, :width].index_select(0, at)

    def _new(self, like: torch.Tensor) -> torch.Tensor:
        return like.new_zeros(self.rows, like.shape[1], self.columns, like.shape[3])

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions are always given: a model that asks is told nothing is there."""
        return 0


def _up(number: int, step: int) -> int:
    return -(-number // step) * step
