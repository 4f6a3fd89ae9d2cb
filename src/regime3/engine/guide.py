"""What steers one sample beyond temperature: biases, penalties, budgets and forms.

A guide looks at every token that its sample writes. `edit` changes the logits before the next one
is drawn, in this order: biases, penalties, marker penalty, thought budget; what may not come is
minus infinity. Samples that want none of this have no guide and cost nothing.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch

from regime3.records.wire import Sampling


class Part(Protocol):
    """One thing that a guide does."""

    def edit(self, logits: torch.Tensor) -> None:
        """Change a sample's logits [vocabulary], fp32, in place."""

    def take(self, token: int) -> None:
        """The sample has written a token."""


class Guide:
    """All parts of one sample."""

    def __init__(self, parts: list[Part]) -> None:
        self.parts = parts

    def edit(self, logits: torch.Tensor) -> None:
        for part in self.parts:
            part.edit(logits)

    def take(self, token: int) -> None:
        for part in self.parts:
            part.take(token)


class Penalties:
    """Biases by token, and the two penalties of OpenAI's API on what was written already."""

    def __init__(self, sampling: Sampling) -> None:
        self._bias = sampling.logit_bias
        self._presence, self._frequency = sampling.presence_penalty, sampling.frequency_penalty
        self._counts: dict[int, int] = {}

    def edit(self, logits: torch.Tensor) -> None:
        changes = dict(self._bias)
        for token, count in self._counts.items():
            less = self._presence + self._frequency * count
            changes[token] = changes.get(token, 0.0) - less
        ids = [token for token in changes if token < len(logits)]
        if ids:
            values = torch.tensor([changes[token] for token in ids], device=logits.device)
            logits[ids] += values

    def take(self, token: int) -> None:
        if self._presence or self._frequency:
            self._counts[token] = self._counts.get(token, 0) + 1


def force(logits: torch.Tensor, token: int) -> None:
    """Only this token may come."""
    logits.fill_(-math.inf)
    logits[token] = 0.0


def allow(logits: torch.Tensor, tokens: list[int]) -> None:
    """Only these tokens may come; their logits stay."""
    kept = logits[tokens]
    logits.fill_(-math.inf)
    logits[tokens] = kept
