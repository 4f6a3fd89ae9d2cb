"""A card for machines without one. Every reading of it says `simulated`.

With b the share of time that it is busy (0 to 1) and L its limit:

    draw         = min(L, 25 + b * 325) W            idle 25 W, 350 W at full load
    speed        = min(1, L / 350) ** 0.5            of full speed: decoding is mostly memory
    temperature  = 30 + 0.15 * draw °C
    energy       = the sum of draw * time, from one reading to the next
    clock        = 1695 * speed MHz; fan = draw / 350 * 80 %; memory = 1 GiB + b * 22 GiB

Its limit is kept in a file, so that it outlives a killed process as a real card's does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from regime3 import disk
from regime3.clock import Clock
from regime3.errors import NodeRefused
from regime3.power.card import PowerLimits, Reading

IDLE_W, FULL_W = 25.0, 350.0
LIMITS = PowerLimits(min_w=100.0, max_w=366.0, default_w=350.0)
GIB = 2**30
FULL_TOKENS_PER_S = 1000.0


class SimulatedCard:
    """`busy` says how busy the card is, 0 to 1; `state` keeps its limit, or nothing does."""

    name = "simulated card"
    uuid = "GPU-simulated"
    simulated = True

    def __init__(
        self, clock: Clock, state: Path | None = None, busy: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._clock, self._state, self.busy = clock, state, busy
        self._limit_w = LIMITS.default_w
        self._energy_j = 0.0
        self._read_at = clock.monotonic()

    def limits(self) -> PowerLimits:
        return LIMITS

    def set_limit(self, power_w: float) -> None:
        if not LIMITS.min_w <= power_w <= LIMITS.max_w:
            raise NodeRefused(409, "power_refused", f"{power_w} W is out of the card's bounds")
        self._spend()
        self._limit_w = power_w
        if self._state is not None:
            disk.make_folder(self._state.parent)
            disk.write_json(self._state, {"limit_w": power_w}, durable=False)

    def limit_w(self) -> float:
        if self._state is not None and self._state.exists():
            self._limit_w = float(json.loads(self._state.read_bytes())["limit_w"])
        return self._limit_w

    def draw_w(self) -> float:
        """By the formula above."""
        return min(self.limit_w(), IDLE_W + self._busy() * (FULL_W - IDLE_W))

    def speed(self) -> float:
        """Share of full speed that the limit leaves."""
        return float(min(1.0, self.limit_w() / FULL_W) ** 0.5)

    def read(self) -> Reading:
        self._spend()
        draw = self.draw_w()
        return Reading(
            index=0,
            name=self.name,
            uuid=self.uuid,
            simulated=True,
            power_w=draw,
            power_limit_w=self.limit_w(),
            power_min_w=LIMITS.min_w,
            power_max_w=LIMITS.max_w,
            power_default_w=LIMITS.default_w,
            energy_j=self._energy_j,
            temperature_c=30.0 + 0.15 * draw,
            busy_percent=100.0 * self._busy(),
            memory_used_bytes=int(GIB + self._busy() * 22 * GIB),
            memory_total_bytes=24 * GIB,
            clock_mhz=1695.0 * self.speed(),
            memory_clock_mhz=9751.0,
            fan_percent=80.0 * draw / FULL_W,
        )

    def load(self, seconds: float) -> int:
        """Be fully busy for so long; the tokens written meanwhile. For `calibrate`."""
        before, self.busy = self.busy, lambda: 1.0
        self._spend()
        self._clock.sleep(seconds)
        self._spend()
        self.busy = before
        return int(FULL_TOKENS_PER_S * self.speed() * seconds)

    def _busy(self) -> float:
        return min(1.0, max(0.0, self.busy()))

    def _spend(self) -> None:
        now = self._clock.monotonic()
        self._energy_j += self.draw_w() * (now - self._read_at)
        self._read_at = now
