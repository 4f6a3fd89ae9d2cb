"""The sequential test: what it decides, when, and how often it errs."""

from __future__ import annotations

from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.score.sequential import Rates, Trial
from tests.judge.arithmetic import simulate

RATES = Rates()
pairs = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=300)


def trial_of(found: list[tuple[bool, bool]]) -> Trial:
    trial = Trial(RATES)
    for first, second in found:
        trial.add(first, second)
    return trial


def test_wins_alone_are_better_and_losses_alone_worse() -> None:
    assert trial_of([(True, False)] * 25).outcome == "better"
    assert trial_of([(True, False)] * 24).outcome == "open"
    assert trial_of([(False, True)] * 25).outcome == "worse"


@given(pairs)
def test_equal_pairs_say_nothing(found: list[tuple[bool, bool]]) -> None:
    padded = [each for pair in found for each in (pair, (True, True), (False, False))]
    mine, other = trial_of(found), trial_of(padded)
    assert (mine.outcome, mine.wins, mine.losses) == (other.outcome, other.wins, other.losses)
    assert other.pairs == len(padded)


@given(pairs)
def test_the_two_ways_are_mirror_images(found: list[tuple[bool, bool]]) -> None:
    mirrored = {"better": "worse", "worse": "better"}
    outcome = trial_of(found).outcome
    turned = trial_of([(second, first) for first, second in found]).outcome
    assert turned == mirrored.get(outcome, outcome)


@given(pairs, pairs)
def test_a_decision_stands(found: list[tuple[bool, bool]], more: list[tuple[bool, bool]]) -> None:
    before = trial_of(found)
    if before.decided:
        assert trial_of(found + more).outcome == before.outcome


def test_the_cap_is_a_hold() -> None:
    few = Rates(differing_max=10)
    trial = Trial(few)
    for number in range(10):
        trial.add(number % 2 == 0, number % 2 == 1)
    assert trial.outcome == "hold"


@pytest.mark.parametrize("share", [0.4, 0.5, 0.6])
def test_it_errs_no_more_often_than_stated(share: float) -> None:
    trials = 2000
    found, _ = simulate(share, trials, 7, RATES)
    slack = 3 * sqrt(RATES.alpha * (1 - RATES.alpha) / trials)
    if share <= 0.5:
        assert found["better"] / trials <= RATES.alpha + slack
    if share >= 0.5:
        assert found["worse"] / trials <= RATES.alpha + slack
    if share == 0.6:
        assert found["better"] / trials > 0.8
