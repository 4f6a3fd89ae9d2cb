"""How sure the model is of its next token on validation rows, and how right it is to be.

    sureness = Sureness()
    loss.sum(batch, told=sureness.add)      # for every chunk of logits
    sureness.reading()                      # None before the first token

*Entropy* is the mean, in nats a token, of what the model gives to the whole vocabulary: it nears 0
where a model has collapsed onto one continuation. *Calibration error* is the expected one (ECE, ten
equal bins): by how much the probability of the likeliest token and the share of times that it is
right differ, weighted by how many tokens fall into a bin. Both are over supervised tokens.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from regime3.records.messages import SurenessReading

BINS = 10
"""Bin i holds (i / 10, (i + 1) / 10]; as `regime3.score.measures.calibration` has them."""


class Sureness:
    """Sums over chunks of logits; a card is waited for at the end alone."""

    def __init__(self) -> None:
        self._tokens = 0
        self._entropy: torch.Tensor | None = None
        self._bins: torch.Tensor | None = None
        """[3, BINS]: tokens, their confidence, right ones."""

    def add(self, logits: torch.Tensor, targets: torch.Tensor) -> None:
        """Logits [tokens, vocabulary] in fp32 and the tokens [tokens] that came."""
        chances = logits.softmax(-1)
        entropy = torch.special.entr(chances).sum()
        sure, likeliest = chances.max(-1)
        place = (sure * BINS).ceil().long().clamp(1, BINS) - 1
        told = torch.stack([torch.ones_like(sure), sure, (likeliest == targets).float()])
        bins = told @ F.one_hot(place, BINS).to(told.dtype)
        self._entropy = entropy if self._entropy is None else self._entropy + entropy
        self._bins = bins if self._bins is None else self._bins + bins
        self._tokens += len(targets)

    def reading(self) -> SurenessReading | None:
        """Over all that was added; None of nothing, and of logits that were not finite."""
        if self._entropy is None or self._bins is None or not self._tokens:
            return None
        _, sure, right = self._bins
        entropy = self._entropy.item() / self._tokens
        error = (sure - right).abs().sum().item() / self._tokens
        finite = math.isfinite(entropy) and math.isfinite(error)
        return SurenessReading(entropy, error) if finite else None
