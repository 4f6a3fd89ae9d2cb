"""Quiet hours: across midnight, across clock changes, never entered or left twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.power.hours import QuietHours

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1))
TIMES = st.builds("{:02d}:{:02d}".format, st.integers(0, 23), st.integers(0, 59))


def at(text: str, zone: str, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("wall", "quiet"),
    [("21:59:59", False), ("22:00", True), ("23:59:59", True), ("00:00", True), ("06:59:59", True),
     ("07:00", False), ("12:00", False)],
)  # fmt: skip
def test_hours_across_midnight_hold_from_their_first_second(wall: str, quiet: bool) -> None:
    hours = QuietHours("22:00-07:00", ZoneInfo("Europe/Berlin"))
    assert hours.last(at(f"2026-06-10T{wall}", "Europe/Berlin")).quiet is quiet


def test_hours_within_a_day_hold_within_it() -> None:
    hours = QuietHours("13:00-14:30", ZoneInfo("UTC"))
    found = [hours.last(at(f"2026-06-10T{wall}", "UTC")).quiet
             for wall in ("12:59:59", "13:00", "14:29:59", "14:30", "00:30")]  # fmt: skip
    assert found == [False, True, True, False, False]


def test_an_hour_that_comes_twice_is_left_once() -> None:
    zone = "Europe/Berlin"
    hours = QuietHours("22:00-02:30", ZoneInfo(zone))
    assert hours.last(at("2026-10-25T02:29", zone)).quiet
    assert not hours.last(at("2026-10-25T02:31", zone)).quiet
    assert not hours.last(at("2026-10-25T02:10", zone, fold=1)).quiet  # the second time


def test_an_hour_that_is_skipped_is_met_at_the_skip() -> None:
    zone = "Europe/Berlin"
    hours = QuietHours("22:00-02:30", ZoneInfo(zone))
    skip = at("2026-03-29T03:00", zone)
    assert hours.next(skip - 60).at == skip
    assert hours.last(skip - 1).quiet and not hours.last(skip).quiet


def test_hours_that_a_skip_swallows_do_not_happen() -> None:
    zone = "Europe/Berlin"
    for text in ("02:10-02:50", "02:30-03:00"):
        hours = QuietHours(text, ZoneInfo(zone))
        first = at("2026-03-29T00:00", zone)
        assert not any(hours.last(first + 60 * step).quiet for step in range(20 * 60)), text


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(ZONES),
    TIMES,
    TIMES,
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)),
    st.integers(1, 60 * 60 * 30),
)
def test_over_any_night_the_state_is_a_function_that_changes_at_boundaries_alone(
    zone: str, begin: str, end: str, moment: datetime, later_s: int
) -> None:
    if begin == end:
        return
    hours = QuietHours(f"{begin}-{end}", ZoneInfo(zone))
    now = moment.replace(tzinfo=ZoneInfo(zone)).timestamp()
    last, coming = hours.last(now), hours.next(now)
    assert last.at <= now < coming.at <= now + timedelta(hours=26).total_seconds()
    assert hours.last(coming.at) == coming and hours.last(coming.at - 0.001) == last
    # Between two boundaries nothing changes; time that goes on never goes back a boundary.
    then = now + later_s
    assert (hours.last(then) == last) == (then < coming.at)
    assert hours.last(then).at >= last.at


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(ZONES), TIMES, TIMES, st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1))
)
def test_away_from_clock_changes_the_wall_decides(
    zone: str, begin: str, end: str, moment: datetime
) -> None:
    place = ZoneInfo(zone)
    here = moment.replace(tzinfo=place, microsecond=0)
    offsets = {(here + timedelta(days=days)).utcoffset() for days in (-2, -1, 0, 1, 2)}
    if begin == end or len(offsets) > 1:
        return
    wall = here.strftime("%H:%M")
    inside = begin <= wall < end if begin < end else wall >= begin or wall < end
    assert QuietHours(f"{begin}-{end}", place).last(here.timestamp()).quiet is inside


def test_a_day_of_minutes_changes_exactly_twice_even_when_clocks_change() -> None:
    zone = "America/New_York"
    for day in ("2026-03-08", "2026-11-01", "2026-06-01"):
        hours = QuietHours("22:00-01:30", ZoneInfo(zone))
        first = at(f"{day}T00:00", zone)
        states = [hours.last(first + 60 * step).quiet for step in range(23 * 60)]
        changes = sum(a != b for a, b in pairwise(states))
        assert changes in (1, 2) and states[0]
