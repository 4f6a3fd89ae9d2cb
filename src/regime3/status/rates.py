"""How fast, and when it will be done: rates over step time, and an ETA that admits its spread.

Speed is tokens over the seconds that steps took. The ETA counts rows over wall time between
steps, so that evaluation and sealing are in it, while waiting for files, pauses and restarts are
not. It is a range: the spread of the rate between recent blocks of time.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from regime3.records.messages import StepDone
from regime3.records.status import Trend

RECENT_S = 60.0
BLOCK_S = 2.0
BLOCKS_MAX = 90
BLOCKS_MIN = 3
SPREAD_MIN = 0.05
SPREAD_MAX = 0.8
BASELINE_HALF_LIFE_S = 1800.0
BASELINE_LOW_HALF_LIFE_S = 21_600.0
BASELINE_STEPS_MIN = 20
LOW_SHARE = 0.6
CLEAR_SHARE = 0.75
TREND_SHARE = 0.1


@dataclass(frozen=True)
class Speed:
    """Means over the last minute of steps."""

    tokens_per_s: float
    supervised_per_s: float
    padding_percent: float
    step_s: float
    rows_per_step: float


class RecentSteps:
    """Sums over the last `RECENT_S` seconds of steps; one step is always kept."""

    def __init__(self) -> None:
        self._steps: deque[StepDone] = deque()
        self._tokens = self._supervised = self._padded = self._rows = 0
        self._seconds = 0.0

    def add(self, step: StepDone) -> None:
        """Take one step in and let old ones go."""
        self._steps.append(step)
        self._count(step, 1)
        while len(self._steps) > 1 and self._seconds - self._steps[0].seconds >= RECENT_S:
            self._count(self._steps.popleft(), -1)

    def _count(self, step: StepDone, sign: int) -> None:
        self._tokens += sign * step.tokens
        self._supervised += sign * step.supervised_tokens
        self._padded += sign * step.padded_tokens
        self._rows += sign * step.rows
        self._seconds += sign * step.seconds

    def speed(self) -> Speed | None:
        """None before the first step with a duration."""
        if not self._steps or self._seconds <= 0:
            return None
        steps = len(self._steps)
        return Speed(
            self._tokens / self._seconds,
            self._supervised / self._seconds,
            100 * max(0.0, 1 - self._tokens / self._padded) if self._padded else 0.0,
            self._seconds / steps,
            self._rows / steps,
        )


class Baseline:
    """A slow mean of the speed, that a slow-down does not quickly talk down."""

    def __init__(self, value: float | None = None) -> None:
        self.value = value
        self._steps = BASELINE_STEPS_MIN if value is not None else 0

    def add(self, tokens_per_s: float, seconds: float) -> None:
        """Take the recent speed after a step of so many seconds."""
        self._steps += 1
        if self.value is None or self._steps <= BASELINE_STEPS_MIN:
            self.value = tokens_per_s
            return
        low = tokens_per_s < LOW_SHARE * self.value
        half_life = BASELINE_LOW_HALF_LIFE_S if low else BASELINE_HALF_LIFE_S
        self.value += (tokens_per_s - self.value) * (1 - 0.5 ** (seconds / half_life))

    def share(self, tokens_per_s: float | None) -> float | None:
        """The speed over the baseline; None before there is one to trust."""
        if tokens_per_s is None or not self.value or self._steps < BASELINE_STEPS_MIN:
            return None
        return tokens_per_s / self.value

    def trend(self, tokens_per_s: float | None) -> Trend | None:
        """Against the baseline, beyond a tenth."""
        share = self.share(tokens_per_s)
        if share is None:
            return None
        return (
            "rising"
            if share > 1 + TREND_SHARE
            else "falling"
            if share < 1 - TREND_SHARE
            else "flat"
        )


class RowRate:
    """Rows a second of training time, in blocks; `prior` is what an earlier supervisor knew."""

    def __init__(self, prior: tuple[float, float] | None = None) -> None:
        self._prior = prior
        self._blocks: deque[tuple[float, int]] = deque(maxlen=BLOCKS_MAX)
        self._last: float | None = None
        self._seconds = 0.0
        self._rows = 0

    def interrupt(self) -> None:
        """Time until the next step does not count: a pause, a restart."""
        self._last = None

    def add(self, rows: int, step_s: float, wait_s: float, monotonic: float) -> None:
        """A step ended at `monotonic`, after `wait_s` without anything admitted."""
        gap = step_s if self._last is None else max(step_s, monotonic - self._last - wait_s)
        self._last = monotonic
        self._seconds += gap
        self._rows += rows
        if self._seconds >= BLOCK_S:
            self._blocks.append((self._seconds, self._rows))
            self._seconds, self._rows = 0.0, 0

    def estimate(self) -> tuple[float, float] | None:
        """Rows a second and its relative spread; None when too little is known."""
        if len(self._blocks) < BLOCKS_MIN:
            return self._prior
        rates = [rows / seconds for seconds, rows in self._blocks]
        total = sum(rows for _, rows in self._blocks) / sum(s for s, _ in self._blocks)
        if total <= 0:
            return self._prior
        spread = math.sqrt(math.fsum((rate - total) ** 2 for rate in rates) / len(rates)) / total
        return total, min(SPREAD_MAX, max(SPREAD_MIN, spread))

    def eta(self, rows_left: int) -> tuple[float, float, float] | None:
        """Seconds of training left: expected, fast end, slow end."""
        known = self.estimate()
        if known is None or rows_left <= 0:
            return None
        rate, spread = known
        expected = rows_left / rate
        return expected, expected / (1 + spread), expected / (1 - spread)
