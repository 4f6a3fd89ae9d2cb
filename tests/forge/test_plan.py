"""The plan: problems at the edge, some of old and unknown levels; levels open and close."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.config import Forge as Settings
from regime3.forge.estimate import Estimate
from regime3.forge.plan import CELL_SHARE_MAX, PROBLEMS_MIN, moved, plan
from regime3.forge.state import Family, State

NAMES = ["arithmetic", "equations", "lists", "numbers"]
SETTINGS = Settings()


def state_of(rates: dict[str, list[float]], tried: float = 1000.0) -> State:
    """Families whose open levels pass so often."""
    found = State()
    for name, levels in rates.items():
        found.families[name] = Family(len(levels))
        for level, rate in enumerate(levels, 1):
            found.cell(name, level).estimate = Estimate(rate * tried, tried)
    return found


def counts(found: list[tuple[str, int, int]]) -> dict[tuple[str, int], int]:
    return {(name, level): problems for name, level, problems in found}


def test_a_new_lab_begins_with_the_first_level_of_every_family() -> None:
    state = State()
    assert moved(state, SETTINGS, NAMES) == []
    assert counts(plan(state, SETTINGS, NAMES, 80)) == {(name, 1): 20 for name in NAMES}


def test_the_edge_gets_most_and_the_middle_of_it_most_of_all() -> None:
    state = state_of({"arithmetic": [0.99], "equations": [0.5], "lists": [0.31], "numbers": [0.0]})
    found = counts(plan(state, SETTINGS, NAMES, 400))
    assert found["equations", 1] >= found["lists", 1] > found["arithmetic", 1] > 0
    assert found["numbers", 1] > 0


def test_a_collapsed_family_is_not_asked() -> None:
    state = state_of({name: [0.5] for name in NAMES})
    state.families["lists"].stopped_until = state.next_shard + 1
    assert {name for name, _, _ in plan(state, SETTINGS, NAMES, 100)} == {*NAMES} - {"lists"}
    state.next_shard += 1
    assert "lists" in {name for name, _, _ in plan(state, SETTINGS, NAMES, 100)}


def test_every_old_level_has_its_turn() -> None:
    state = state_of({name: [0.95] * 6 + [0.5] for name in NAMES})
    asked = set()
    for number in range(1, 60):
        state.next_shard = number
        asked |= {(name, level) for name, level, _ in plan(state, SETTINGS, NAMES, 240)}
    assert asked == {(name, level) for name in NAMES for level in range(1, 8)}


levels = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=10)


@given(
    rates=st.dictionaries(st.sampled_from(NAMES), levels, min_size=1),
    tried=st.sampled_from([0.0, 5.0, 1000.0]),
    problems=st.integers(PROBLEMS_MIN, 500),
    number=st.integers(1, 50),
)
def test_a_plan_asks_for_what_is_open_and_no_more_than_wanted(
    rates: dict[str, list[float]], tried: float, problems: int, number: int
) -> None:
    state = state_of(rates, tried)
    state.next_shard = number
    found = plan(state, SETTINGS, list(rates), problems)
    assert found == plan(state, SETTINGS, list(rates), problems)
    assert 0 < sum(each for _, _, each in found) <= problems
    assert len({each[:2] for each in found}) == len(found) <= SETTINGS.cells_max
    highest = max(PROBLEMS_MIN, problems * max(CELL_SHARE_MAX, 2 / len(found))) + 1
    for name, level, each in found:
        assert 1 <= level <= len(rates[name]) and each > 0
        assert each <= max(highest, problems / len(found) + 1)


def test_a_level_opens_when_the_highest_passes_often_enough() -> None:
    state = state_of({"lists": [0.9, 0.6]})
    assert moved(state, SETTINGS, ["lists"]) == ["lists level 3 opens: level 2 passes 60%"]
    assert state.families["lists"].top == 3
    assert moved(state, SETTINGS, ["lists"]) == []  # nothing is known of level 3


@pytest.mark.parametrize("tried", [0.0, SETTINGS.evidence_attempts - 1.0])
def test_too_little_evidence_opens_and_closes_nothing(tried: float) -> None:
    state = state_of({"lists": [1.0], "numbers": [0.9, 0.0]}, tried)
    assert moved(state, SETTINGS, ["lists", "numbers"]) == []


def test_the_last_level_is_the_last() -> None:
    state = state_of({"lists": [0.9] * SETTINGS.level_max})
    assert moved(state, SETTINGS, ["lists"]) == []


def test_a_level_that_never_passes_closes_and_stays_closed_for_a_while() -> None:
    state = state_of({"lists": [0.9, 0.0]})
    (told,) = moved(state, SETTINGS, ["lists"])
    assert told.startswith("lists level 2 closes")
    assert state.families["lists"].top == 1
    assert moved(state, SETTINGS, ["lists"]) == []
    state.next_shard += SETTINGS.close_shards
    assert len(moved(state, SETTINGS, ["lists"])) == 1
    assert state.families["lists"].top == 2


def test_the_first_levels_never_close() -> None:
    state = state_of({"lists": [0.0]})
    assert moved(state, SETTINGS, ["lists"]) == []
