"""What each layer does, measured on validation rows: how much it adds, and how much that turned.

    watch = LayerWatch(model)
    with watch.over(positions):      # around a forward pass
        ...
    watch.reading()                  # after the last; the next begins anew

*Activity* is the root mean square of what a layer adds to the residual stream over that of what it
was given: a layer near 0 does nothing. *Steadiness* is the cosine between the mean of what it
adds now and at the reading before: 1 is "as before", 0 is something else altogether; None the first
time in a process. Both are over the positions that predict supervised tokens, and cost two norms a
layer. A model whose blocks cannot be told gives no reading.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from regime3.records.messages import LayerReading


def blocks_of(model: nn.Module) -> list[nn.Module]:
    """The model's transformer blocks, first to last: its longest list of modules of one kind."""
    found: list[nn.Module] = []
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) > len(found):
            children = list(module)
            if all(type(child) is type(children[0]) for child in children):
                found = children
    return found


class LayerWatch:
    """Sums over forward passes; see the module."""

    def __init__(self, model: nn.Module) -> None:
        self.blocks = blocks_of(model)
        self._before: torch.Tensor | None = None
        self._clear()

    def _clear(self) -> None:
        self._count = 0
        # Tensors once something was measured, so that a card is waited for at the end alone.
        self._given: list[Any] = [0.0] * len(self.blocks)
        self._added: list[Any] = [0.0] * len(self.blocks)
        self._means: list[torch.Tensor | None] = [None] * len(self.blocks)

    @contextlib.contextmanager
    def over(self, positions: torch.Tensor) -> Iterator[None]:
        """Measure the forward passes inside, at flat `positions` of [rows x length]."""
        hooks = [
            block.register_forward_hook(self._hook(number, positions), with_kwargs=True)
            for number, block in enumerate(self.blocks)
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
        self._count += len(positions)

    def _hook(self, number: int, positions: torch.Tensor) -> Any:
        def take(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
            before = given[0] if given else named["hidden_states"]
            after = out[0] if isinstance(out, tuple) else out
            source = before.flatten(0, -2)[positions].float()
            added = after.flatten(0, -2)[positions].float() - source
            self._given[number] = self._given[number] + source.square().sum()
            self._added[number] = self._added[number] + added.square().sum()
            total, seen = added.sum(0), self._means[number]
            self._means[number] = total if seen is None else seen + total

        return take

    def reading(self) -> LayerReading | None:
        """Of everything since the last; None when nothing was measured or a figure is not finite.

        What it rests on is forgotten, but for the directions that the next is compared with.
        """
        means = [each for each in self._means if each is not None]
        if not self._count or len(means) < len(self.blocks) or not means:
            self._clear()
            return None
        activity = [
            float(added / given) ** 0.5 if given else 0.0
            for added, given in zip(self._added, self._given, strict=True)
        ]
        now = torch.nn.functional.normalize(torch.stack(means), dim=-1).cpu()
        steady = None if self._before is None else (now * self._before).sum(-1).tolist()
        finite = bool(torch.isfinite(now).all()) and all(a < float("inf") for a in activity)
        self._before = now if finite else None
        self._clear()
        if not finite:
            return None
        shares = [round(each, 4) for each in activity]
        return LayerReading(shares, None if steady is None else [round(s, 4) for s in steady])
