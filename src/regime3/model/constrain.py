"""Generation under masks: every row of a batch writes codes that its own problem allows.

    rows = [Constrainer(problem, book, budget=200) for problem in problems]
    fence = Fence(rows, code_ids(tokenizer)[0], ends=[tokenizer.eos_token_id])
    model.generate(**prompts, max_new_tokens=201, logits_processor=[CodesOnly(fence)])
    greedy(model, tokenizer, prompts, 201, masker=fence.masked, chosen=fence.take)     # or ours

A row writes codes until its answer is given, within its budget, then the tokens in `ends`, in that
order; the last of them repeats. A batch gathers its masks from one table on the model's device: of
the vocabulary only the columns of codes and ends are read, all others are minus infinity.

It samples nothing and judges nothing. Beams would need the state of their ancestors: refused.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LogitsProcessor

from regime3.errors import ModelError
from regime3.lang.codes import CODES_MAX
from regime3.lang.masks import Constrainer, Rows


class Fence:
    """The masks of a batch, and what each of its rows has written.

    `rows` are of one codebook; `first` is the token id of code 0, after which the others follow;
    `ends` are the ids that come after an answer. Rows are called by their number in `rows`, also
    when some have left the batch.
    """

    def __init__(self, rows: Sequence[Constrainer], first: int, ends: Sequence[int]) -> None:
        _check(rows, first, ends)
        self.rows = list(rows)
        self._first, self._ends = first, list(ends)
        self._due = [int(row.done) for row in rows]
        """The number of the end that each row has to write, from 1; 0: a code."""
        self._places = [0] * len(rows)
        """Where each row's mask is in the table."""
        self._epoch = -1
        self._table: _Table | None = None

    def masked(self, rows: Sequence[int], scores: torch.Tensor) -> torch.Tensor:
        """New scores for these rows: [rows, vocabulary], minus infinity where one may not go."""
        shared = self.rows[0].masks.rows
        while self._epoch != shared.epoch:
            self._epoch = shared.epoch
            self._places = [shared.put(row.row) for row in self.rows]
        if self._table is None or self._table.device != scores.device:
            self._table = _Table(shared, self._first, self._ends, scores.device)
        places, due = self._places, self._due
        if rows != range(len(self.rows)):
            places, due = [places[row] for row in rows], [due[row] for row in rows]
        return self._table.masked(scores, np.array(places), np.array(due))

    def take(self, row: int, written: int) -> None:
        """A row has written a token. Raises `ModelError` or `LanguageError` if it may not."""
        constrainer = self.rows[row]
        if constrainer.done:
            self._due[row] = min(self._due[row] + 1, len(self._ends))
            return
        if not 0 <= written - self._first < CODES_MAX:
            raise ModelError(f"row {row}: token {written} is no code, and its body is not done")
        constrainer.advance(written - self._first)
        self._note(row, constrainer)

    def replace(self, row: int, constrainer: Constrainer) -> None:
        """Let another problem have the row: its batch goes on."""
        self.rows[row] = constrainer
        self._note(row, constrainer)

    def _note(self, row: int, constrainer: Constrainer) -> None:
        """Know the place of a row's new mask, and whether it is done."""
        mask = constrainer.row
        self._places[row] = mask.place if mask.place >= 0 else constrainer.masks.rows.put(mask)
        self._due[row] = int(constrainer.done)


class CodesOnly(LogitsProcessor):  # type: ignore[misc]
    """A fence for one call of `generate`: row i of the batch is row i of the fence.

    `starts` gives the column where each row's codes begin; by default that is the width of the
    first call's `input_ids`, which is where `generate` begins to write.
    """

    def __init__(self, fence: Fence, *, starts: Sequence[int] | None = None) -> None:
        self.fence = fence
        self._starts = starts
        self._width = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Scores [rows, vocabulary] with minus infinity wherever a row may not go."""
        count, width = input_ids.shape
        if count != len(self.fence.rows):
            raise ModelError(
                f"{count} rows where there are {len(self.fence.rows)} problems: give a constrainer"
                " for each, copies included; beams cannot be constrained"
            )
        if self._width == 0:
            for row, start in enumerate(self._starts or [width] * count):
                for written in input_ids[row, start:].tolist():
                    self.fence.take(row, written)
        elif width == self._width + 1:
            for row, written in enumerate(input_ids[:, -1].tolist()):
                self.fence.take(row, written)
        else:
            raise ModelError("a processor serves one call of generate: make a new one")
        self._width = width
        return self.fence.masked(range(count), scores)


class _Table:
    """The codebook's masks on the scores' device, as what to add: 0 or minus infinity."""

    def __init__(self, rows: Rows, first: int, ends: list[int], device: torch.device) -> None:
        self.rows, self.ends, self.device = rows, ends, device
        self.codes = slice(first, first + CODES_MAX)
        self.epoch, self.count = -1, 0
        self.added = torch.zeros(0, CODES_MAX, device=device)
        self.added_to_ends = torch.eye(len(ends) + 1, device=device)[:, 1:].log()
        """By the number of the end that is due; 0 is for rows that still write codes."""
        self._spare = _Spare()

    def masked(
        self, scores: torch.Tensor, places: NDArray[np.int64], due: NDArray[np.int64]
    ) -> torch.Tensor:
        """The scores, with minus infinity wherever a row's mask or due end does not allow it."""
        self._update()
        found = self._spare.like(scores)
        if scores.device.type == "cpu" and scores.dtype == torch.float32:
            # A third of torch's time at 64 rows, and no threads to wait for.
            given, made = scores.detach().numpy(), found.numpy()
            masks = self.added.numpy().take(places, axis=0, mode="clip")
            np.add(given[:, self.codes], masks, out=made[:, self.codes])
        else:
            added = self.added.index_select(0, torch.from_numpy(places).to(self.device))
            torch.add(scores[:, self.codes], added, out=found[:, self.codes])
        ends = self.added_to_ends.index_select(0, torch.from_numpy(due).to(self.device))
        for column, end in enumerate(self.ends):
            torch.add(scores[:, end], ends[:, column], out=found[:, end])
        return found

    def _update(self) -> None:
        """Bring over the rows that are new."""
        rows = self.rows
        if rows.epoch != self.epoch:
            self.epoch, self.count = rows.epoch, 0
        if rows.count == self.count:
            return
        if len(self.added) < rows.count:
            larger = self.added.new_empty(len(rows.matrix), CODES_MAX)
            larger[: len(self.added)] = self.added
            self.added = larger
        new = torch.from_numpy(rows.matrix[self.count : rows.count]).to(self.device)
        self.added[self.count : rows.count] = torch.where(new, 0.0, -math.inf)
        self.count = rows.count


def _holders(tensors: list[torch.Tensor], place: int) -> int:
    return sys.getrefcount(tensors[place])


_ALONE = _holders([torch.empty(0)], 0)
"""What `_holders` says when only the list holds the tensor."""


class _Spare:
    """Results of earlier steps that nobody holds any more, minus infinity where codes are not.

    Filling a new one costs more than all the rest at a vocabulary of 151,936. A caller holds on to
    the last result while it asks for the next, so there are two.
    """

    def __init__(self) -> None:
        self._tensors: list[torch.Tensor] = []

    def like(self, scores: torch.Tensor) -> torch.Tensor:
        """A tensor like these scores, minus infinity except where earlier results were not."""
        spare = self._tensors
        if spare and (spare[0].shape != scores.shape or spare[0].dtype != scores.dtype):
            spare.clear()
        for place in range(len(spare)):
            if _holders(spare, place) == _ALONE:
                return spare[place]
        made = torch.full_like(scores, -math.inf)
        self._tensors = [*spare[-1:], made]
        return made


def _check(rows: Sequence[Constrainer], first: int, ends: Sequence[int]) -> None:
    if not rows or not ends:
        raise ModelError("generation under masks wants a row and an end token at least")
    if any(first <= end < first + CODES_MAX for end in ends):
        raise ModelError("an end token is none of the codes")
    if any(row.masks is not rows[0].masks for row in rows):
        raise ModelError("the rows of a batch are of one codebook")
