"""What power control needs of a card, whatever its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class PowerLimits:
    """What a card takes as its limit, W."""

    min_w: float
    max_w: float
    default_w: float

    def clamped(self, power_w: float) -> float:
        """The nearest limit that the card takes."""
        return min(self.max_w, max(self.min_w, power_w))


@dataclass(frozen=True)
class Reading:
    """A card now. None: it does not say. `simulated` is told wherever a reading goes."""

    index: int
    name: str
    uuid: str
    simulated: bool
    power_w: float | None = None
    power_limit_w: float | None = None
    """As enforced."""
    power_min_w: float | None = None
    power_max_w: float | None = None
    power_default_w: float | None = None
    energy_j: float | None = None
    """Since the driver was loaded."""
    temperature_c: float | None = None
    busy_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    clock_mhz: float | None = None
    memory_clock_mhz: float | None = None
    fan_percent: float | None = None


class Card(Protocol):
    """One card. Methods raise `Unavailable` when the driver does not answer."""

    name: str
    uuid: str
    simulated: bool

    def limits(self) -> PowerLimits:
        """What may be set."""

    def set_limit(self, power_w: float) -> None:
        """Ask for a limit. Raises `NodeRefused` when we may not."""

    def limit_w(self) -> float:
        """The limit that is enforced now."""

    def read(self) -> Reading:
        """Everything that it says."""
