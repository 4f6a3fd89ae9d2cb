"""The first token budget: found by trying worst-case shapes before any data is touched.

On a GPU `rehearse` runs forward and backward, never a step, on as many rows of `max_length` as a
budget allows, every token supervised, and halves until it fits; the RNG is put back. Adam's
moments exist by then, so what fits here fits in training. On a CPU memory is not what limits:
`CPU_BUDGET_TOKENS` is simply the fastest (see `r3 bench train`).
"""

from __future__ import annotations

import torch

from regime3.config import Settings
from regime3.errors import StepLost
from regime3.model import oom
from regime3.records.messages import Alert, OutOfMemory
from regime3.records.rows import Example, RowRef
from regime3.train.budget import TokenBudget
from regime3.train.rng import TorchRng
from regime3.train.slices import Piece, Slice
from regime3.train.step import WindowStep

CPU_BUDGET_TOKENS = 4096
TOKEN_ID = 1


def first_budget(settings: Settings, device: torch.device) -> TokenBudget:
    """The budget to begin with: the setting, or a device's own guess.

    On a CPU it never grows past that: more tokens a slice would only be slower.
    """
    memory = settings.memory
    cuda = device.type == "cuda"
    tokens = memory.token_budget or (memory.token_budget_max if cuda else CPU_BUDGET_TOKENS)
    tokens = min(tokens, memory.token_budget_max)
    ceiling = memory.token_budget_max if cuda else tokens
    return TokenBudget(tokens, ceiling, memory.grow_after_windows)


def rehearse(step: WindowStep, max_length: int) -> int:
    """Halve `step.budget` until worst-case shapes pass; returns it. Weights stay as they are.

    Below `max_length` it tries one example as long as the budget: longer ones will be given up
    with their reason. Raises StepLost when not even the smallest budget fits.
    """
    rng = TorchRng.capture()
    while True:
        failure = _try(step, max_length)
        step.model.zero_grad(set_to_none=True)
        oom.reclaim()
        rng.restore()
        if failure is None:
            break
        before = step.budget.tokens
        if step.budget.at_floor:
            raise StepLost(f"not even {before} tokens fit: {failure}", "r3 doctor")
        step.budget.halve()
        step.hooks.report(OutOfMemory(0, "rehearsal", before, step.budget.tokens, failure))
    if step.budget.tokens < max_length:
        text = f"examples beyond some {step.budget.tokens} tokens may not fit and be given up"
        step.hooks.report(Alert("WARN", "long-examples", text))
    return step.budget.tokens


def _try(step: WindowStep, max_length: int) -> str | None:
    """One forward and backward of the fullest slice; the failure's words, or None."""
    part = _fullest_slice(step.budget.tokens, max_length)
    try:
        step.slice_gradient(part, supervised=part.padded_tokens, step=0)
        return None
    except (RuntimeError, MemoryError) as error:
        if not oom.is_oom(error):
            raise
        return oom.message_of(error)


def _fullest_slice(budget: int, max_length: int) -> Slice:
    length = min(budget, max_length)
    example = Example([TOKEN_ID] * length, 1)
    row = RowRef("rehearsal", 0, 0, [example] * (budget // length))
    return Slice([Piece(row, example) for example in row.examples])
