"""Pass rates: between 0 and 1 always, moved by evidence, and forgetful."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from regime3.forge.estimate import Estimate

seen = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_nothing_known_is_a_half() -> None:
    assert Estimate().rate == 0.5
    assert not Estimate().known(1)


@given(st.lists(seen, min_size=1, max_size=20))
def test_a_rate_lies_strictly_inside(history: list[tuple[int, int]]) -> None:
    found = Estimate()
    for passed, tried in history:
        found = found.after(passed, tried, 300)
        assert 0.0 < found.rate < 1.0
        assert 0.0 <= found.passed <= found.tried + 1e-9


@given(seen, st.integers(1, 1000))
def test_more_passes_never_lower_the_rate(counts: tuple[int, int], half_life: int) -> None:
    passed, tried = counts
    before = Estimate(10.0, 30.0)
    rates = [before.after(each, tried, half_life).rate for each in range(passed, tried + 1)]
    assert rates == sorted(rates)


def test_the_past_counts_half_after_a_half_life() -> None:
    found = Estimate(100.0, 100.0).after(0, 200, 200)
    assert (found.passed, found.tried) == (50.0, 250.0)


def test_a_model_that_changed_is_known_anew() -> None:
    found = Estimate()
    for _ in range(20):
        found = found.after(0, 100, 300)
    for _ in range(20):
        found = found.after(90, 100, 300)
    assert abs(found.rate - 0.9) < 0.02
