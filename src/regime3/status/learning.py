"""Is it learning: smoothing, variance and trends of losses and answers.

Everything is over losses that reached the weights and answers to validation prompts; a refused
window and a training row never enter. Trends are words, and only beyond the noise.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence

from regime3.records.status import Trend

KEPT = 200
HALF = 100
SMOOTHING = 0.05
TREND_HALF_MIN = 20
EVALUATIONS_HALF = 5
ACCURACY_POINTS = 2.0
STRETCH = 100
STRETCHES = 40
PLATEAU_STEPS = STRETCH * STRETCHES // 2
"""The newer half of the stretches must be lower than the older one."""
LOWEST_AFTER = 200
"""Losses before the smoothed one counts as a low: the first ones are all over the place."""


class Losses:
    """The last losses and what they say."""

    def __init__(self, history: Iterable[tuple[int, float]] = (), smoothed: float | None = None):
        self.history: deque[tuple[int, float]] = deque(history, maxlen=KEPT)
        self.smoothed = smoothed
        self.lowest: float | None = None
        """The least that the smoothed loss has been, since the supervisor started."""
        self._count = 1 / SMOOTHING if smoothed is not None else 0.0
        self._stretch: list[float] = []
        self._stretches: deque[float] = deque(maxlen=STRETCHES)

    def add(self, step: int, loss: float) -> None:
        """Take a finite loss."""
        self.history.append((step, loss))
        self._count += 1
        share = max(1 / self._count, SMOOTHING)
        self.smoothed = (
            loss if self.smoothed is None else self.smoothed + (loss - self.smoothed) * share
        )
        if self._count >= LOWEST_AFTER:
            self.lowest = min(self.smoothed, self.lowest or math.inf)
        self._stretch.append(loss)
        if len(self._stretch) == STRETCH:
            self._stretches.append(statistics.fmean(self._stretch))
            self._stretch.clear()

    def forget_after(self, step: int) -> None:
        """A restart or rollback: what came after `step` will come again."""
        kept = [item for item in self.history if item[0] <= step]
        self.history = deque(kept, maxlen=KEPT)
        self._stretch.clear()
        self._stretches.clear()

    def moved(self) -> bool | None:
        """Whether the loss fell beyond the noise over the last stretches; None: too few of them."""
        if len(self._stretches) < STRETCHES:
            return None
        found = list(self._stretches)
        return _compared(found[: STRETCHES // 2], found[STRETCHES // 2 :])[1] == "falling"

    def variance(self) -> float | None:
        """Of the last losses; None under two."""
        losses = [loss for _, loss in self.history]
        return _variance(losses) if len(losses) > 1 else None

    def change(self) -> tuple[float, Trend] | None:
        """Mean of the newer half less the older, and whether that is beyond the noise."""
        losses = [loss for _, loss in self.history]
        half = min(HALF, len(losses) // 2)
        if half < TREND_HALF_MIN:
            return None
        return _compared(losses[-2 * half : -half], losses[-half:])


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / len(values)


def _compared(older: Sequence[float], newer: Sequence[float]) -> tuple[float, Trend]:
    """Difference of means, and its direction beyond two standard errors."""
    change = statistics.fmean(newer) - statistics.fmean(older)
    noise = _variance(newer) / len(newer) + _variance(older) / len(older)
    beyond = abs(change) > 2 * math.sqrt(noise) and change != 0
    return change, ("flat" if not beyond else "rising" if change > 0 else "falling")


def loss_trend(losses: Sequence[float]) -> Trend | None:
    """The last evaluations' losses against those before."""
    if len(losses) < 2 * EVALUATIONS_HALF:
        return None
    recent = losses[-2 * EVALUATIONS_HALF :]
    return _compared(recent[:EVALUATIONS_HALF], recent[EVALUATIONS_HALF:])[1]


def accuracy_trend(percents: Sequence[float]) -> Trend | None:
    """The last evaluations' accuracy against those before, beyond two points."""
    if len(percents) < 2 * EVALUATIONS_HALF:
        return None
    newer = statistics.fmean(percents[-EVALUATIONS_HALF:])
    older = statistics.fmean(percents[-2 * EVALUATIONS_HALF : -EVALUATIONS_HALF])
    if abs(newer - older) <= ACCURACY_POINTS:
        return "flat"
    return "rising" if newer > older else "falling"


def share_right(matches: str, last: int) -> float | None:
    """Percent of 1s among the last so many characters; None before there are that many."""
    if len(matches) < last:
        return None
    return 100 * matches[-last:].count("1") / last
