"""The keeper: clamped, read back, by hand and hour and heat, and always put back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from regime3.clock import FakeClock
from regime3.config import Power
from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab
from regime3.power import Keeper
from regime3.power.changes import TOLD_MAX, Changes, read
from regime3.power.simulated import LIMITS, SimulatedCard

BERLIN = ZoneInfo("Europe/Berlin")


def keep(lab: Lab, card: SimulatedCard | None, clock: FakeClock, **power: Any) -> Keeper:
    slots: list[int] = []
    told: list[str] = []
    keeper = Keeper(
        lab,
        Power(**power),
        [card] if card else [],
        clock,
        slots=77,
        on_slots=slots.append,
        tell=told.append,
        zone=BERLIN,
    )
    keeper.slots_set, keeper.told = slots, told  # type: ignore[attr-defined]
    return keeper


def noon(clock: FakeClock, text: str = "2026-06-10T12:00") -> None:
    clock.wall = datetime.fromisoformat(text).replace(tzinfo=BERLIN).timestamp()


@pytest.mark.parametrize(("name", "watts", "slots"), [("quiet", 220, 16), ("normal", 280, 64),
                                                      ("max", 350, 128)])  # fmt: skip
def test_a_profile_sets_limit_and_concurrency(
    lab: Lab, card: SimulatedCard, clock: FakeClock, name: str, watts: float, slots: int
) -> None:
    keeper = keep(lab, card, clock)
    keeper.start()
    (done,) = keeper.choose(name)
    assert (done.enforced_w, done.mismatch, done.simulated) == (watts, False, True)
    assert card.limit_w() == watts and keeper.slots_set[-1] == slots == keeper.slots  # type: ignore[attr-defined]


@pytest.mark.parametrize(("asked", "given"), [(1.0, 100.0), (2000.0, 366.0)])
def test_a_limit_is_clamped_to_what_the_card_allows(
    lab: Lab, card: SimulatedCard, clock: FakeClock, asked: float, given: float
) -> None:
    keeper = keep(lab, card, clock, quiet_w=asked, normal_w=asked, max_w=asked)
    (done,) = keeper.choose("quiet")
    assert (done.asked_w, done.clamped_w, done.enforced_w) == (asked, given, given)


def test_a_card_that_does_not_do_as_it_says_is_told(
    lab: Lab, card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "set_limit", lambda power_w: None)
    keeper = keep(lab, card, clock)
    (done,) = keeper.choose("quiet")
    assert done.mismatch and done.enforced_w == 350.0
    assert "though 220 W was set" in keeper.told[-1]  # type: ignore[attr-defined]


def test_the_old_limit_is_noted_before_the_first_change_and_put_back(
    lab: Lab, card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    card.set_limit(300.0)
    seen: list[str] = []
    real = card.set_limit

    def set_limit(power_w: float) -> None:
        seen.append(lab.node_power_file.read_text())
        real(power_w)

    monkeypatch.setattr(card, "set_limit", set_limit)
    keeper = keep(lab, card, clock)
    keeper.start()
    assert not lab.node_power_file.exists() and card.limit_w() == 300.0
    keeper.choose("quiet")
    keeper.choose("max")
    assert all("300.0" in text for text in seen) and len(seen) == 2
    keeper.stop()
    assert card.limit_w() == 300.0 and not lab.node_power_file.exists()


def test_what_was_set_by_hand_is_released_to_the_settings(
    lab: Lab, card: SimulatedCard, clock: FakeClock
) -> None:
    card.set_limit(300.0)
    keeper = keep(lab, card, clock)
    keeper.start()
    slots = keeper.slots
    keeper.choose("quiet")
    assert keeper.release() == [] and card.limit_w() == 300.0
    assert (keeper.profile, keeper.schedule()["by"]) == ("none", "settings")
    assert keeper.slots_set[-1] == keeper.slots == slots  # type: ignore[attr-defined]
    assert not lab.node_power_file.exists()
    assert keeper.release() == []  # twice is fine


def test_what_was_set_by_hand_is_released_to_the_hour_that_is(
    lab: Lab, card: SimulatedCard, clock: FakeClock
) -> None:
    keeper = keep(lab, card, clock, quiet_hours="22:00-07:00", profile="normal")
    noon(clock, "2026-06-10T23:00")
    keeper.start()
    keeper.choose("max")
    assert card.limit_w() == 350.0
    (done,) = keeper.release()
    assert done.enforced_w == card.limit_w() == 220.0 and keeper.schedule()["by"] == "hours"
    keeper.tick()
    assert card.limit_w() == 220.0


def test_a_release_that_the_card_refuses_changes_nothing(
    lab: Lab, card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = keep(lab, card, clock, profile="normal")
    keeper.start()
    keeper.choose("max")

    def refuses(power_w: float) -> None:
        raise NodeRefused(409, "power_refused", "not today")

    monkeypatch.setattr(card, "set_limit", refuses)
    with pytest.raises(NodeRefused, match="not today"):
        keeper.release()
    assert (keeper.profile, keeper.schedule()["by"]) == ("max", "hand")


KILLED = """
import os, signal, sys
from pathlib import Path
from regime3.clock import SystemClock
from regime3.config import Power
from regime3.paths import Lab
from regime3.power import Keeper, open_cards
lab, clock, power = Lab(Path(sys.argv[1])), SystemClock(), Power(simulated=True, profile="quiet")
keeper = Keeper(lab, power, open_cards(lab, power, clock)[0], clock)
if len(sys.argv) > 2:
    keeper.cards[0].set_limit = lambda power_w: os.kill(os.getpid(), signal.SIGKILL)
keeper.start()
keeper.choose("normal")
print("set", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("before_the_set", [False, True])
def test_after_a_kill_the_next_start_puts_the_limit_back(
    lab: Lab, card: SimulatedCard, clock: FakeClock, before_the_set: bool
) -> None:
    card.set_limit(333.0)
    for _ in range(2):  # a second killed node does not take the first one's limit for the old one
        arguments = [sys.executable, "-c", KILLED, str(lab.root), *["x"] * before_the_set]
        killed = subprocess.run(arguments, env=dict(os.environ), timeout=60)
        assert killed.returncode == -signal.SIGKILL
        assert "333.0" in lab.node_power_file.read_text()
    assert card.limit_w() == (333.0 if before_the_set else 280.0)
    keep(lab, card, clock).start()
    assert card.limit_w() == 333.0 and not lab.node_power_file.exists()


def test_quiet_hours_set_the_quiet_profile_and_give_it_up(
    lab: Lab, card: SimulatedCard, clock: FakeClock
) -> None:
    keeper = keep(lab, card, clock, quiet_hours="22:00-07:00", profile="normal")
    noon(clock, "2026-06-10T21:59:59")
    keeper.start()
    assert card.limit_w() == 280.0
    clock.advance(1)
    keeper.tick()
    assert card.limit_w() == 220.0 and keeper.schedule()["next_profile"] == "normal"
    clock.advance(9 * 3600)
    keeper.tick()
    assert card.limit_w() == 280.0 and keeper.schedule()["quiet_now"] is False


def test_a_card_left_alone_by_day_gets_its_own_limit_back(
    lab: Lab, card: SimulatedCard, clock: FakeClock
) -> None:
    card.set_limit(311.0)
    keeper = keep(lab, card, clock, quiet_hours="22:00-07:00")
    noon(clock, "2026-06-10T23:00")
    keeper.start()
    assert card.limit_w() == 220.0 and keeper.slots_set == [16]  # type: ignore[attr-defined]
    clock.advance(10 * 3600)
    keeper.tick()
    assert card.limit_w() == 311.0 and keeper.slots_set == [16, 77]  # type: ignore[attr-defined]


def test_a_choice_by_hand_holds_until_the_next_boundary(
    lab: Lab, card: SimulatedCard, clock: FakeClock
) -> None:
    keeper = keep(lab, card, clock, quiet_hours="22:00-07:00", profile="normal")
    noon(clock, "2026-06-10T23:00")
    keeper.start()
    keeper.choose("max")
    for _ in range(7):
        clock.advance(3600)
        keeper.tick()
        assert card.limit_w() == 350.0 and keeper.schedule()["by"] == "hand"
    clock.advance(3600)
    keeper.tick()
    assert card.limit_w() == 280.0 and keeper.schedule()["by"] == "hours"


def test_a_clock_put_back_a_little_undoes_no_boundary(
    lab: Lab, card: SimulatedCard, clock: FakeClock
) -> None:
    keeper = keep(lab, card, clock, quiet_hours="22:00-07:00", profile="normal")
    noon(clock, "2026-06-10T22:00")
    keeper.start()
    for step in (-5, 5, -299, 299):
        clock.wall += step
        keeper.tick()
        assert card.limit_w() == 220.0
    clock.wall -= 3600
    keeper.tick()
    assert card.limit_w() == 280.0


def test_a_hot_card_is_stepped_down_and_comes_back_when_well_cool(
    lab: Lab, card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heat = {"c": 90.0}
    real = card.read

    def read() -> Any:
        import dataclasses

        return dataclasses.replace(real(), temperature_c=heat["c"])

    monkeypatch.setattr(card, "read", read)
    keeper = keep(lab, card, clock, profile="max", temperature_c_max=85.0)
    found = []
    for heat["c"] in (90, 90, 90, 90, 84, 78, 77.1, 76.9, 76.9, 70, 70):
        keeper.tick()
        found.append(card.limit_w())
        clock.advance(30)
    # A step at once, the next after a minute; between 77 and 85 nothing moves.
    assert found == [280, 280, 220, 220, 220, 220, 220, 280, 280, 350, 350]
    assert not any("none" in line for line in keeper.told)  # type: ignore[attr-defined]


def test_without_a_card_a_choice_is_refused_and_the_hours_still_set_the_concurrency(
    lab: Lab, clock: FakeClock
) -> None:
    keeper = keep(lab, None, clock, quiet_hours="22:00-07:00")
    noon(clock, "2026-06-10T23:00")
    keeper.start()
    assert keeper.slots_set == [16]  # type: ignore[attr-defined]
    with pytest.raises(NodeRefused) as caught:
        keeper.choose("max")
    assert (caught.value.status, caught.value.code) == (409, "no_card")
    assert keeper.slots_set == [16] and keeper.profile == "quiet"  # type: ignore[attr-defined]
    with pytest.raises(NodeRefused, match="no profile"):
        keeper.choose("turbo")


def test_a_card_that_may_not_be_set_is_told_once_and_concurrency_changes(
    lab: Lab, card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(power_w: float) -> None:
        raise NodeRefused(409, "power_denied", "root is needed")

    monkeypatch.setattr(card, "set_limit", denied)
    keeper = keep(lab, card, clock, profile="quiet")
    for _ in range(3):
        keeper.tick()
    assert keeper.told == ["power: root is needed"] and keeper.problem == "root is needed"  # type: ignore[attr-defined]
    assert keeper.slots_set == [16]  # type: ignore[attr-defined]
    with pytest.raises(NodeRefused, match="root"):
        keeper.choose("max")
    assert keeper.profile == "quiet"


@pytest.mark.parametrize("problem", [Unavailable("it has no limits"), OSError(28, "no room")])
def test_a_card_without_limits_or_a_full_disk_is_a_refusal(
    lab: Lab,
    card: SimulatedCard,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    problem: Exception,
) -> None:
    def fails(self: object, card: object) -> float:
        raise problem

    monkeypatch.setattr("regime3.power.before.Before.remember", fails)
    keeper = keep(lab, card, clock, profile="normal")
    keeper.start()
    with pytest.raises(NodeRefused, match=r"no limits|no room") as caught:
        keeper.choose("quiet")
    assert (caught.value.status, caught.value.code) == (409, "power_unavailable")
    assert card.limit_w() == 350.0, "nothing is set that was not noted"


def test_a_damaged_note_is_no_end(lab: Lab, card: SimulatedCard, clock: FakeClock) -> None:
    Path(lab.node).mkdir(parents=True)
    lab.node_power_file.write_text("{")
    keep(lab, card, clock, profile="quiet").start()
    assert card.limit_w() == 220.0 and LIMITS.default_w == 350.0


def test_every_change_is_kept_with_its_time(
    lab: Lab, card: SimulatedCard, clock: FakeClock
) -> None:
    keeper = keep(lab, card, clock, profile="normal")
    keeper.start()
    clock.advance(60.0)
    keeper.choose("quiet")
    keeper.choose("quiet")
    keeper.tick()
    later = keep(lab, card, clock, profile="normal")
    later.start()
    found = read(lab)
    assert [each.text.split(";")[0] for each in found] == [
        "power: normal", "power: quiet", "power: normal",
    ]  # fmt: skip
    assert "(simulated) at 220 W" in found[1].text
    assert found[1].at - found[0].at == 60.0


def test_the_newest_changes_are_told(lab: Lab) -> None:
    changes = Changes(lab)
    for number in range(TOLD_MAX + 5):
        changes.append(float(number), "power: quiet")
    assert [each.at for each in read(lab)] == [float(at) for at in range(5, TOLD_MAX + 5)]


def test_a_change_that_cannot_be_kept_is_made_all_the_same(
    lab: Lab, card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, now: float, text: str) -> None:
        raise OSError(28, "no room")

    keeper = keep(lab, card, clock, profile="none")
    keeper.start()
    monkeypatch.setattr(Changes, "append", full)
    keeper.choose("quiet")
    assert card.limit_w() == 220.0
    told = keeper.told  # type: ignore[attr-defined]
    assert told[-2].startswith("power: quiet") and "could not be kept" in told[-1]
