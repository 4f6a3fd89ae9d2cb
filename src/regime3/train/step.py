"""The gradient of one window, whatever the memory says.

`WindowStep.gradient(window, step)` cuts the window into slices, runs forward and backward on each
and leaves the window's exact gradient in `.grad`: each slice's loss is its sum over the window's
supervised count. Out of memory is an event: outside the `except` block gradients are cleared,
memory and RNG restored, the budget halved, and the **whole** window replayed, since a broken
backward may have written half a gradient. A row with an example that fails even alone is given
up, and the count taken anew. A gradient that is not finite is thrown away.

It never calls the optimizer: that is the Trainer's, and running out of memory there is not
retryable (`trainer.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.utils import get_total_norm

from regime3.errors import StepLost
from regime3.model import oom
from regime3.records.messages import OutOfMemory
from regime3.records.rows import RowRef, Window
from regime3.train.budget import TokenBudget
from regime3.train.faults import FaultInjector
from regime3.train.hooks import TrainHooks
from regime3.train.loss import TokenLoss
from regime3.train.rng import TorchRng
from regime3.train.slices import Slice, Slicing, collate, cut, supervised_count

REPLAYS_PER_ROW_MAX = 24
"""More failures than this many a row means that memory is gone for another reason."""

RowKey = tuple[str, int]


def key_of(row: RowRef) -> RowKey:
    return row.file_id, row.position


@dataclass(frozen=True)
class Failure:
    """An out of memory, without the error that would pin its tensors."""

    where: str
    message: str
    rows: frozenset[RowKey]
    lone: bool
    """The slice was a single example: no smaller cut exists."""


@dataclass
class Gradient:
    """What a window left behind. `skipped` says why `.grad` is empty."""

    loss: float | None = None
    norm: float | None = None
    rows: list[RowRef] = field(default_factory=list)
    slices: list[Slice] = field(default_factory=list)
    supervised: int = 0
    replays: int = 0
    given_up: int = 0
    skipped: str | None = None


@dataclass
class Trouble:
    """What went wrong in the window so far."""

    budget_before: int
    lone_failures: dict[RowKey, int] = field(default_factory=dict)
    suspects: frozenset[RowKey] | None = None
    """Rows that were in every failing slice: if one is given up, the budget was innocent."""
    replays: int = 0
    lone: bool = False
    """The budget is at its floor: every example goes alone for the rest of this window."""


@dataclass
class WindowStep:
    """One model's way from windows to gradients."""

    model: Any
    loss: TokenLoss
    budget: TokenBudget
    hooks: TrainHooks
    faults: FaultInjector
    device: torch.device
    backward: Callable[[torch.Tensor], None]
    autocast: Callable[[], AbstractContextManager[Any]]
    price_tokens: int
    where: str = "forward"
    """Which half of a slice runs, for the story of a failure."""
    slicing: Slicing = "whole"
    """Set by the driver before a window that a process died on."""

    def gradient(self, window: Window, step: int) -> Gradient:
        """Leave the gradient of `window` in `.grad`, or nothing and the reason.

        Raises StepLost when memory fails without end. Other errors pass through.
        """
        rng = TorchRng.capture()
        retries = oom.alloc_retries(self.device)
        trouble = Trouble(self.budget.tokens)
        out = Gradient(rows=[row for row in window.rows if row.refused is None and row.examples])
        while True:
            out.supervised = sum(
                supervised_count(example) for row in out.rows for example in row.examples
            )
            if out.supervised == 0:
                out.skipped = "nothing left to train"
                return out
            budget = 1 if trouble.lone else self.budget.tokens
            out.slices = cut(out.rows, budget, self.slicing, self.price_tokens)
            outcome = self._attempt(out, step)
            if isinstance(outcome, torch.Tensor):
                break
            trouble.replays += 1
            self._recover(outcome, out, trouble, step)
            rng.restore()
        out.replays = trouble.replays
        self._judge(out, outcome)
        self._learn(trouble, oom.alloc_retries(self.device) - retries, step)
        return out

    def _attempt(self, out: Gradient, step: int) -> torch.Tensor | Failure:
        """All slices once: the summed loss (fp64), or the failure, told outside its traceback."""
        at = 0
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        try:
            for at, part in enumerate(out.slices):
                self.hooks.before_slice(part.rows)
                middle = at == len(out.slices) // 2
                total += self.slice_gradient(part, out.supervised, step, middle=middle)
            return total
        except (RuntimeError, MemoryError) as error:
            if not oom.is_oom(error):
                raise
            message = oom.message_of(error)
        failed = out.slices[at]
        keys = frozenset(key_of(row) for row in failed.rows)
        return Failure(self.where, message, keys, lone=len(failed.pieces) == 1)

    def slice_gradient(
        self, part: Slice, supervised: int, step: int, *, middle: bool = False
    ) -> torch.Tensor:
        """Forward and backward of one slice; returns its loss sum. Raises what the device does."""
        self.where = "forward"
        self.faults.before_forward(step, part, middle=middle)
        with self.autocast():
            loss = self.loss.sum(collate(part.examples, self.device))
        loss = self.faults.spoil(step, loss, middle=middle)
        self.where = "backward"
        with self.faults.broken_backward(step, self.model, middle=middle):
            self.backward(loss / supervised)
        return loss.detach()

    def _recover(self, failure: Failure, out: Gradient, trouble: Trouble, step: int) -> None:
        """Give memory back, then halve the budget or give a row up."""
        self.model.zero_grad(set_to_none=True)
        oom.reclaim()
        if trouble.replays > REPLAYS_PER_ROW_MAX * (len(out.rows) + out.given_up):
            raise StepLost(f"out of memory without end: {failure.message}")
        before = self.budget.tokens
        seen = trouble.suspects
        trouble.suspects = failure.rows if seen is None else seen & failure.rows
        hopeless = self._hopeless(failure, trouble)
        if hopeless is not None:
            self._give_up(hopeless, failure, out, trouble)
        elif not failure.lone:
            trouble.lone = self.budget.at_floor
            self.budget.halve()
        self.hooks.report(
            OutOfMemory(step, failure.where, before, self.budget.tokens, failure.message)
        )

    def _hopeless(self, failure: Failure, trouble: Trouble) -> RowKey | None:
        """The row whose example failed alone twice: once may be another's leftovers."""
        if not failure.lone:
            return None
        (key,) = failure.rows
        trouble.lone_failures[key] = trouble.lone_failures.get(key, 0) + 1
        return key if trouble.lone_failures[key] > 1 else None

    def _give_up(self, key: RowKey, failure: Failure, out: Gradient, trouble: Trouble) -> None:
        row = next(row for row in out.rows if key_of(row) == key)
        longest = max(example.length for example in row.examples)
        reason = f"out of memory on its own, longest example {longest} tokens: {failure.message}"
        out.rows = [other for other in out.rows if other is not row]
        out.given_up += 1
        if trouble.suspects is not None and key in trouble.suspects:
            self.budget.restore(trouble.budget_before)
        trouble.suspects = None
        self.hooks.row_given_up(row, reason)

    def _judge(self, out: Gradient, total: torch.Tensor) -> None:
        """Fill in loss and norm; a gradient that is not finite is thrown away."""
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        loss = total.item() / out.supervised
        norm = float(get_total_norm(gradients).item())
        if torch.isfinite(torch.tensor([loss, norm], dtype=torch.float64)).all():
            out.loss, out.norm = loss, norm
            return
        self.model.zero_grad(set_to_none=True)
        what = "loss" if loss != loss or loss in (float("inf"), -float("inf")) else "gradient norm"
        out.skipped = f"the {what} is not finite"
        for row in out.rows:
            self.hooks.row_given_up(row, out.skipped)
        out.given_up += len(out.rows)

    def _learn(self, trouble: Trouble, retries: int, step: int) -> None:
        """What the window teaches about the budget."""
        if trouble.replays:
            return
        if not retries:
            self.budget.window_clean()
            return
        before = self.budget.tokens
        if self.budget.window_tight():
            text = f"the allocator had to retry {retries} times"
            self.hooks.report(OutOfMemory(step, "allocator", before, self.budget.tokens, text))
