"""Keeps the cards at the profile that should hold: by hand, by hour, by heat.

    keeper = Keeper(lab, settings.power, cards, clock, on_slots=engine.set_slots)
    keeper.start()      # first puts back what a killed node left behind
    keeper.tick()       # every few seconds
    keeper.stop()       # puts the old limits back

A choice by hand holds until the next boundary of the quiet hours, without them for good, or until
it is released. A card hotter than the limit is stepped down, a profile a minute at most, and back
up once it is well below. Without a card a choice is refused; the hours still set the concurrency,
since fewer sequences at a time are quieter whatever computes them. Any thread may call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any

from regime3.clock import Clock
from regime3.config import Power
from regime3.errors import NodeRefused, Regime3Error
from regime3.paths import Lab
from regime3.power.before import Before
from regime3.power.card import Card
from regime3.power.changes import Changes
from regime3.power.hours import Boundary, QuietHours
from regime3.power.profiles import PROFILES, Applied, Profile, apply, profile_of

STEPPED_BACK_S_MAX = 300.0
"""A wall clock put back by less than this past a boundary does not undo the boundary."""
COOL_C = 8.0
"""So far below the limit a card counts as cool again."""
HOLD_S = 60.0
"""Between two steps of the temperature guard."""


class Keeper:
    """The power of one node. `tell` gets a line for people whenever something changes, and
    `power.changes` keeps it with its time."""

    def __init__(
        self,
        lab: Lab,
        power: Power,
        cards: Sequence[Card],
        clock: Clock,
        *,
        why_none: str | None = None,
        slots: int = 64,
        on_slots: Callable[[int], None] = lambda _: None,
        tell: Callable[[str], None] = lambda _: None,
        zone: tzinfo | None = None,
    ) -> None:
        self.cards = list(cards)
        self.why_none = None if cards else (why_none or "there is no card")
        self.profile = "none"
        """What should hold, heat aside."""
        self.steps_down = 0
        """By how many profiles the temperature guard has gone below it."""
        self.applied: list[Applied] = []
        self.problem: str | None = None
        self._one = threading.Lock()
        self._power, self._clock = power, clock
        self._before = Before(lab)
        self._changes = Changes(lab)
        self._hours = QuietHours(power.quiet_hours, zone) if power.quiet_hours else None
        self._slots, self._on_slots, self._tell_people = slots, on_slots, tell
        self._manual: str | None = None
        self._edge: Boundary | None = None
        self._set: str | None = None
        self._stepped_at: float | None = None

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Undo what a killed node left, then set what should hold."""
        for problem in self._before.restore(self.cards):
            self._tell(problem)
        self.tick()

    def stop(self) -> None:
        """Put the old limits back."""
        with self._one:
            for problem in self._before.restore(self.cards):
                self._tell(problem)
            self.applied, self._set = [], None

    def tick(self) -> None:
        """Look at the hour and at the heat; change what has to change."""
        with self._one:
            self._look_at_hour()
            self._look_at_heat()
            wanted = self._wanted()
            if wanted != self._set:
                self._try(wanted)

    def _try(self, wanted: str) -> None:
        try:
            self._change(wanted)
            self.problem = None
        except (Regime3Error, OSError) as problem:
            # Told once; the next change of mind, or a choice by hand, tries again. The
            # concurrency needs no right of root.
            self.problem, self._set = _refusal(problem).message, wanted
            self._tell(f"power: {self.problem}")
            self._on_slots(self.slots)

    def choose(self, name: str) -> list[Applied]:
        """Set a profile by hand. Raises `NodeRefused`: no card, or the card refuses."""
        if name not in PROFILES:
            raise NodeRefused(400, "unknown_profile", f"no profile {name!r}", param="profile")
        if not self.cards:
            raise NodeRefused(
                409, "no_card", f"there is no card whose power could be set: {self.why_none}"
            )
        return self._choose(name)

    def release(self) -> list[Applied]:
        """Forget the choice by hand: hours and settings hold again, which without a card they do
        already. Raises `NodeRefused` if the card refuses; then the choice stays."""
        return self._choose(None)

    def _choose(self, name: str | None) -> list[Applied]:
        with self._one:
            self._look_at_hour()
            before = self._manual, self.profile
            self._manual = name
            if name is None:
                self._look_at_hour()
            else:
                self.profile = name
            try:
                self._change(self._wanted())
            except (Regime3Error, OSError) as problem:
                self._manual, self.profile = before
                raise _refusal(problem) from None
            self.problem = None
            return self.applied

    def schedule(self) -> dict[str, Any]:
        """What holds, why, and what comes next."""
        now = self._clock.now()
        coming = self._hours.next(now) if self._hours else None
        return {
            "quiet_hours": self._power.quiet_hours or None,
            "quiet_now": self._edge.quiet if self._edge else False,
            "profile": self.profile,
            "by": "hand" if self._manual else "hours" if self._hours else "settings",
            "steps_down": self.steps_down,
            "temperature_c_max": self._power.temperature_c_max,
            "next_at": coming.at if coming else None,
            "next_profile": (self._at(coming) if coming else None),
        }

    @property
    def slots(self) -> int:
        """Sequences at one time, by the profile that is set."""
        named = self._wanted()
        return self._slots if named == "none" else profile_of(self._power, named).slots

    # ------------------------------------------------------------------ what should hold

    def _at(self, edge: Boundary) -> str:
        return "quiet" if edge.quiet else self._power.profile

    def _look_at_hour(self) -> None:
        if self._hours is None:
            self.profile = self._manual or self._power.profile
            return
        now = self._clock.now()
        edge, known = self._hours.last(now), self._edge
        stepped_back = known is not None and now < known.at <= now + STEPPED_BACK_S_MAX
        if known is None:
            self._edge = edge
        elif edge != known and not stepped_back:
            self._edge, self._manual = edge, None
        assert self._edge is not None
        self.profile = self._manual or self._at(self._edge)

    def _look_at_heat(self) -> None:
        heats = [card.read().temperature_c for card in self.cards]
        known = [heat for heat in heats if heat is not None]
        if not known:
            return
        now, heat = self._clock.monotonic(), max(known)
        if self._stepped_at is not None and now - self._stepped_at < HOLD_S:
            return
        limit_c = self._power.temperature_c_max
        if heat > limit_c and self._wanted() != "quiet":
            self._step(now, 1, f"{heat:.0f} °C is above {limit_c:.0f} °C")
        elif heat < limit_c - COOL_C and self.steps_down:
            self._step(now, -1, f"{heat:.0f} °C is cool again")

    def _step(self, now: float, by: int, why: str) -> None:
        self.steps_down += by
        self._stepped_at = now
        self._tell(f"power: {why}: {self._wanted()}")

    def _wanted(self) -> str:
        """The profile that should be set, heat included."""
        if self.profile == "none":
            ladder = ["none", "normal", "quiet"]
        else:
            ladder = [*reversed(PROFILES[: PROFILES.index(self.profile) + 1])]
        return ladder[min(self.steps_down, len(ladder) - 1)]

    # ------------------------------------------------------------------ doing it

    def _change(self, name: str) -> None:
        if name == "none":
            problems = self._before.restore(self.cards)
            self.applied, slots = [], self._slots
            if problems:
                raise NodeRefused(409, "power_refused", problems[0])
        else:
            profile = profile_of(self._power, name)
            self.applied, slots = self._put(profile), profile.slots
        if name != self._set and (name != "none" or self._set is not None):
            self._tell(f"power: {name}" + "".join(_line(done) for done in self.applied))
        self._set = name
        self._on_slots(slots)

    def _tell(self, line: str) -> None:
        self._tell_people(line)
        try:
            self._changes.append(self._clock.now(), line)
        except OSError as problem:  # a full disk takes the lane its event, never the card its limit
            self._tell_people(f"power: this could not be kept: {problem}")

    def _put(self, profile: Profile) -> list[Applied]:
        done = []
        for card in self.cards:
            before_w = self._before.remember(card)
            # The guard never gives a card that was left alone more than it had.
            asked_w = profile.power_w if self.profile != "none" else min(profile.power_w, before_w)
            done.append(apply(card, asked_w))
        return done


def _refusal(problem: Regime3Error | OSError) -> NodeRefused:
    """What a card without power limits, or a disk without room, comes to."""
    if isinstance(problem, NodeRefused):
        return problem
    message = problem.message if isinstance(problem, Regime3Error) else str(problem)
    return NodeRefused(409, "power_unavailable", message)


def _line(done: Applied) -> str:
    kind = " (simulated)" if done.simulated else ""
    text = f"; {done.name}{kind} at {done.enforced_w:.0f} W"
    if done.mismatch:
        text += f", though {done.clamped_w:.0f} W was set"
    elif done.clamped_w != done.asked_w:
        text += f", the nearest to {done.asked_w:.0f} W that it allows"
    return text
