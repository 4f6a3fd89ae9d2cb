"""One of two results tells the other, right or wrong, and never one too long to be written."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.lang import replay
from regime3.lang.problem import read_problem
from regime3.lang.replay.finding import LITERAL_END
from regime3.lang.replay.telling import TELLING

BIG = LITERAL_END - 1


@pytest.mark.parametrize(
    ("rule", "operands", "told", "results"),
    [
        ("d-add", (5, 7, 0), 2, (2, 1)),
        ("d-add", (9, 9, 1), 9, (9, 1)),
        ("d-add", (1, 2, 0), 3, (3, 0)),
        ("d-add", (5, 7, 0), 3, (3, 0)),
        ("d-add", (5, 7, 0), 13, (13, -1)),
        ("d-add", (5, 7, BIG), -BIG, (-BIG, (12 + 2 * BIG) // 10)),
        ("d-div", (25, 7), 4, (3, 4)),
        ("d-div", (25, 7), 5, (2, 5)),
        ("d-div", (25, 7), 30, (-1, 30)),
        ("d-div", (BIG, 1), -1, (0, -1)),
        ("d-div", (BIG, 1), 0, (BIG, 0)),
        ("r-divmod", (462, 147), 21, (3, 21)),
        ("r-divmod", (462, 147), 20, (3, 20)),
        ("r-divmod", (462, 147), -1, (3, -1)),
        ("r-divmod", (0, 12), 0, (0, 0)),
        ("r-divmod", (BIG, 1), -BIG, (0, -BIG)),
        ("r-divmod", (-BIG, 1), BIG, (0, BIG)),
        ("f-div", (12,), 6, (2, 6)),
        ("f-div", (12,), 5, (2, 5)),
        ("f-div", (12,), 0, (0, 0)),
        ("f-div", (12,), -5, (-3, -5)),
        ("f-div", (12,), 13, (0, 13)),
    ],
)
def test_the_other_result_follows_from_what_is_told(
    rule: str, operands: Any, told: int, results: Any
) -> None:
    place, completed = TELLING[rule]
    assert results[place] == told
    assert completed(operands, told) == results
    assert all(abs(each) < LITERAL_END for each in results)


def test_a_division_by_0_tells_a_quotient_of_0() -> None:
    assert TELLING["r-divmod"][1]((5, 0), 2) == (0, 2)


@pytest.mark.parametrize(
    ("problem", "before", "right", "told"),
    [
        ("(gcd 462 147)", [], ("r-divmod", 462, 147, 3, 21), (21,)),
        ("(factor 12)", [], ("f-div", 12, 2, 6), (6,)),
        ("(factor 12)", [], ("f-div", 12, 3, 4), (4,)),
        ("(eval (add 95 7))", [("long-add", 95, 7)], ("d-add", 5, 7, 0, 2, 1), (2,)),
        ("(gcd 95 7)", [("long-div", 95, 7)], ("d-div", 9, 7, 1, 2), (2,)),
        ("(mod 95 7)", [("long-div", 95, 7)], ("d-div", 9, 7, 1, 2), (2,)),
        ("(eval (div 95 7))", [("long-div", 95, 7)], ("d-div", 9, 7, 1, 2), (2,)),
    ],
)
def test_a_step_is_told_just_if_its_other_result_follows(
    problem: str, before: Any, right: Any, told: Any
) -> None:
    state = replay.start(read_problem(problem), 2)
    for step in before:
        assert state.play(step) is None
    assert state.expects()[0] == ("Int",)
    assert state.bare(right) == told
    assert state.step_of(told) == right
    place, _ = TELLING[right[0]]
    at = len(right) - 2 + (1 - place)
    wrong = (*right[:at], right[at] + 1, *right[at + 1 :])
    assert state.bare(wrong) is None, "it has to be spelled"


@pytest.mark.parametrize(
    ("problem", "step"),
    [("(gcd 462 147)", ("r-divmod", 462, 147, 9, 21)), ("(factor 12)", ("f-div", 12, 5, 6))],
)
def test_strategy_1_tells_both_results_whatever_they_are(problem: str, step: Any) -> None:
    state = replay.start(read_problem(problem), 1)
    assert state.expects() == (("Int", "Int"),)
    assert state.bare(step) == step[-2:]
    assert state.step_of(step[-2:]) == step
