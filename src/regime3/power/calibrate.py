"""Tokens per joule at each power limit: a sweep, from the lowest limit to the highest.

    found = calibrate(card, clock, load, seconds=10.0)

`load(seconds)` keeps the card busy for about so long and says how many tokens it wrote. Energy is
the card's own counter where it has one, else its draw over time. The limit that was there is put
back whatever happens; to survive a kill as well, note it first (`before.Before`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from regime3.clock import Clock
from regime3.errors import InputRefused, NodeRefused
from regime3.power.card import Card
from regime3.power.profiles import apply

STEP_W = 10.0
SECONDS = 10.0
SLICE_S = 0.5
SETTLE_S = 1.0
LIMITS_MAX = 200
Load = Callable[[float], int]


@dataclass(frozen=True)
class Point:
    """What one limit bought."""

    limit_w: float
    """As enforced."""
    seconds: float
    tokens: int
    energy_j: float
    counted: bool
    """Energy by the card's counter, not by its draw over time."""

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def tokens_per_j(self) -> float | None:
        return self.tokens / self.energy_j if self.energy_j > 0 else None

    def as_dict(self) -> dict[str, Any]:
        rates = {"tokens_per_s": self.tokens_per_s, "tokens_per_j": self.tokens_per_j}
        return asdict(self) | rates


@dataclass(frozen=True)
class Calibration:
    """The sweep and its best point."""

    card: str
    simulated: bool
    points: list[Point]
    restored_w: float
    """The limit after it was put back."""

    @property
    def best(self) -> Point | None:
        """The most tokens per joule; of equals, the faster."""
        known = [point for point in self.points if point.tokens_per_j is not None]
        return max(known, key=lambda p: (p.tokens_per_j or 0, p.tokens_per_s), default=None)

    def as_dict(self) -> dict[str, Any]:
        return {
            "card": self.card,
            "simulated": self.simulated,
            "points": [point.as_dict() for point in self.points],
            "best": self.best.as_dict() if self.best else None,
            "restored_w": self.restored_w,
        }


def calibrate(
    card: Card,
    clock: Clock,
    load: Load,
    *,
    step_w: float = STEP_W,
    seconds: float = SECONDS,
    tell: Callable[[Point], None] = lambda _: None,
) -> Calibration:
    """Sweep the limits. Raises `InputRefused` for a step that makes no sweep, `NodeRefused` when
    the card refuses or does not do as it says."""
    asked_w = sweep(card.limits().min_w, card.limits().max_w, step_w)
    if not 0 < seconds <= 3600:
        raise InputRefused(f"{seconds} s at each limit: want more than 0, at most 3600")
    original_w = card.limit_w()
    points: list[Point] = []
    try:
        for limit_w in asked_w:
            done = apply(card, limit_w)
            if done.mismatch:
                raise NodeRefused(
                    409,
                    "power_refused",
                    f"{card.name} enforces {done.enforced_w:.0f} W, not {done.clamped_w:.0f} W",
                )
            load(min(SETTLE_S, seconds))
            points.append(_measure(card, clock, load, seconds))
            tell(points[-1])
    finally:
        card.set_limit(card.limits().clamped(original_w))
    return Calibration(card.name, card.simulated, points, card.limit_w())


def sweep(low_w: float, high_w: float, step_w: float) -> list[float]:
    """Limits from low to high, both included. Raises `InputRefused`."""
    if not step_w > 0 or (high_w - low_w) / step_w > LIMITS_MAX:
        raise InputRefused(f"a step of {step_w} W is no sweep: at most {LIMITS_MAX} limits")
    count = int((high_w - low_w) / step_w)
    limits = [low_w + number * step_w for number in range(count + 1)]
    return limits if high_w - limits[-1] < 1e-6 else [*limits, high_w]


def _measure(card: Card, clock: Clock, load: Load, seconds: float) -> Point:
    """Load in slices, so that the draw can be seen in between."""
    first = card.read()
    began = before = clock.monotonic()
    drawn_j, draw_w, tokens = 0.0, first.power_w, 0
    while clock.monotonic() - began < seconds - 1e-9:
        tokens += load(min(SLICE_S, seconds))
        now, reading = clock.monotonic(), card.read()
        seen = [watts for watts in (draw_w, reading.power_w) if watts is not None]
        drawn_j += sum(seen) / max(1, len(seen)) * (now - before)
        before, draw_w = now, reading.power_w
    last = card.read()
    counted_j = (last.energy_j or 0.0) - (first.energy_j or 0.0)
    counted = counted_j > 0
    energy_j = counted_j if counted else drawn_j
    return Point(card.limit_w(), clock.monotonic() - began, tokens, energy_j, counted)
