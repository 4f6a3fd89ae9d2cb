"""Which levels oracles answer: most of where the model is learning, some of all."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from regime3.forge import mixture
from regime3.forge.state import Family, State
from regime3.tasks.draw import Draw
from tests.forge.conftest import small


def places(rates: dict[str, float], count: int = 6000) -> Counter[str]:
    """Levels drawn for oracles when families pass so often."""
    state = State()
    for name, rate in rates.items():
        state.families[name] = Family(1)
        cell = state.cell(name, 1)
        cell.estimate = cell.estimate.after(round(1000 * rate), 1000, 1e9)
    drawn = mixture._places(state, small().forge, list(rates), Draw("test"))
    return Counter(name for name, _, _ in islice(drawn, count))


def test_the_edge_has_most_and_nothing_is_left_out() -> None:
    found = places({"arithmetic": 0.0, "lists": 0.5, "numbers": 1.0})
    assert 4 < found["lists"] / found["arithmetic"] < 6.5
    assert 4 < found["lists"] / found["numbers"] < 6.5


def test_while_nothing_is_known_all_are_alike() -> None:
    state = State(families={name: Family(1) for name in ("arithmetic", "lists")})
    drawn = mixture._places(state, small().forge, ["arithmetic", "lists"], Draw("test"))
    found = Counter(name for name, _, _ in islice(drawn, 4000))
    assert 0.9 < found["arithmetic"] / found["lists"] < 1.1


def test_the_highest_level_that_oracles_answer_has_three_times_as_much() -> None:
    state = State(families={"lists": Family(3)})
    own = small(oracle_level_max=2).forge
    found = Counter(
        level for _, level, _ in islice(mixture._places(state, own, ["lists"], Draw("test")), 4000)
    )
    assert set(found) == {1, 2} and 2.7 < found[2] / found[1] < 3.3
