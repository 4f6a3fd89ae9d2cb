"""Time as an argument: the one place that asks the machine what time it is.

Rooms take `now` (wall seconds since the epoch, for what people read) or a `Clock`; durations
come from `monotonic()`, so that a stepped wall clock never loses or reorders work.
`FakeClock` ships in the package so that users of the rooms can test against it too.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What a room needs of time."""

    def now(self) -> float:
        """Wall time, seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds that only grow; differences are durations."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class FakeClock:
    """A clock that moves only when told; `sleep` moves it."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.wall = now
        self.elapsed = 0.0

    def now(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks."""
        self.wall += seconds
        self.elapsed += seconds
