"""Profiles: a limit and the concurrency that goes with it; how one is put on a card."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from regime3.config import Power
from regime3.power.card import Card

PROFILES = ("quiet", "normal", "max")
"""From the least power to the most."""
MISMATCH_W_MAX = 1.0
"""A card that enforces another limit than this near the one asked for has not done as asked."""


@dataclass(frozen=True)
class Profile:
    """What a name stands for."""

    name: str
    power_w: float
    slots: int


def profile_of(power: Power, name: str) -> Profile:
    """The profile of a name, by the settings."""
    return Profile(name, getattr(power, f"{name}_w"), getattr(power, f"{name}_slots"))


@dataclass(frozen=True)
class Applied:
    """What came of putting a limit on a card."""

    name: str
    uuid: str
    simulated: bool
    asked_w: float
    clamped_w: float
    """What the card allows of it; that is what was set."""
    enforced_w: float
    """What the card says afterwards."""
    mismatch: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def apply(card: Card, power_w: float) -> Applied:
    """Set a limit and read it back. Raises `NodeRefused` or `Unavailable`."""
    clamped_w = card.limits().clamped(power_w)
    card.set_limit(clamped_w)
    enforced_w = card.limit_w()
    return Applied(
        card.name,
        card.uuid,
        card.simulated,
        power_w,
        clamped_w,
        enforced_w,
        abs(enforced_w - clamped_w) > MISMATCH_W_MAX,
    )
