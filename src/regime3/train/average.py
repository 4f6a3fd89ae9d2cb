"""An exponential moving average of the weights: steadier than the weights that are trained.

    average = Average(model, steps=1000)
    average.take(step)           # after each optimizer step
    with average.in_place(): ... # the model has the average's weights, and its own ones afterwards

At a constant learning rate the last weights jitter around where they lead to; their average is
there, as if the rate had been lowered for it (Polyak and Juditsky 1992). It is what a checkpoint
holds as its model: served, judged and validated. The weights that are trained lie beside it.

While a model still changes fast, an average over many steps lags behind it and is worse. So it
looks back over a share of the steps taken so far, and over `steps` of them at most.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

SHARE = 0.1
"""Of all steps so far that the average looks back over, until that is `steps`. Measured on the
nano model in `docs/journal.md`."""


class Average:
    """The average of one model's parameters, on their devices, in their types."""

    def __init__(self, model: torch.nn.Module, steps: int) -> None:
        self.steps = steps
        self._own = {name: each.data for name, each in model.named_parameters()}
        self.mean = {name: each.clone() for name, each in self._own.items()}
        """By name; tied ones once."""

    def take(self, step: int) -> None:
        """Move towards the weights as they are after optimizer step `step`."""
        back = max(1.0, min(self.steps, SHARE * step))
        torch._foreach_lerp_(list(self.mean.values()), list(self._own.values()), 1.0 / back)

    def restart(self) -> None:
        """Begin again at the weights as they are now."""
        torch._foreach_copy_(list(self.mean.values()), list(self._own.values()))

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """The average in the model's place; exact in both directions, as values are only moved."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, own in self._own.items():
            kept = own.clone()
            own.copy_(self.mean[name])
            self.mean[name].copy_(kept)
