"""Lists told by their items, or by the first where the others only move."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.lang import replay
from regime3.lang.problem import Problem, problem_of, read_problem, step_of_term
from regime3.lang.signature import LIST_MAX


def _problem(stages: str, items: str) -> Problem:
    return read_problem(f"(run (pipe {stages}) (list {items}))")


def _list(*items: int) -> Any:
    return ("list", *items)


@pytest.mark.parametrize(
    ("stage", "items", "told", "listed"),
    [
        ("sort", "3 1 2", (1, 2), _list(1, 2, 3)),
        ("sort", "3 1 2", (2, 3), _list(2, 3, 1)),
        ("sort", "3 1 2", (9, 9), _list(9, 9, 3)),
        ("sort", "3 3 2", (2, 3), _list(2, 3, 3)),
        ("sort", "3", (3,), _list(3)),
        ("sort", "3", (4,), _list(4)),
        ("(map (mul 2 x0))", "3 1", (6, 2), _list(6, 2)),
        ("(map (mul 2 x0))", "7", (1,), _list(1)),
        ("rev", "3 1 2", (2,), _list(2, 1, 3)),
        ("rev", "3 1 2", (5,), _list(5, 1, 3)),
        ("rev", "3", (3,), _list(3)),
        ("(take 2)", "3 1 2", (3,), _list(3, 1)),
        ("(take 9)", "3 1 2", (4,), _list(4, 1, 2)),
        ("(drop 1)", "3 1 2", (1,), _list(1, 2)),
        ("(drop 0)", "3 1 2", (3,), _list(3, 1, 2)),
        (f"(take {10**63})", "3 1", (3,), _list(3, 1)),
    ],
)
def test_a_list_as_long_as_the_right_one_is_told_by_items(
    stage: str, items: str, told: Any, listed: Any
) -> None:
    problem = _problem(stage, items)
    state = replay.start(problem, 2)
    assert state.expects() == (("Int",) * len(told),)
    step = state.step_of(told)
    assert step[1:] == (listed,)
    assert state.bare(step) == told
    assert step_of_term(problem, step, 0) == step
    assert replay.start(problem, 1).expects() == (("List",),)
    assert replay.start(problem, 1).bare(step) == (listed,)


@pytest.mark.parametrize(
    ("stage", "items", "listed"),
    [
        ("sort", "3 1 2", _list(1, 2)),
        ("sort", "3 1 2", _list(1, 2, 4)),
        ("sort", "3 1 2", _list(1, 2, 3, 4)),
        ("sort", "3 1 2", _list()),
        ("(map (mul 2 x0))", "3 1", _list(6, 2, 2)),
        ("rev", "3 1 2", _list(2, 3, 1)),
        ("rev", "3 1 2", _list(2, 1, 3, 3)),
        ("rev", "3 1 2", _list()),
        ("(take 2)", "3 1 2", _list(3)),
        ("(take 2)", "3 1 2", _list(3, 2)),
        ("(drop 1)", "3 1 2", _list(1, 3)),
    ],
)
def test_a_list_of_another_length_or_with_others_moved_is_spelled(
    stage: str, items: str, listed: Any
) -> None:
    problem = _problem(stage, items)
    name = stage.strip("(").split()[0]
    step = (f"l-{name}", listed)
    state = replay.start(problem, 2)
    assert state.bare(step) is None
    assert state.play(step) is not None


@pytest.mark.parametrize(
    ("stages", "items"),
    [
        ("sort", ""),
        ("(map x0)", ""),
        ("rev", ""),
        ("(take 0)", "3 1"),
        ("(drop 2)", "3 1"),
        (f"(drop {10**63})", "3 1"),
        ("(filter (lt 0 x0))", "3 1"),
        ("(filter (lt 0 x0))", ""),
    ],
)
def test_a_list_that_is_empty_and_what_a_filter_leaves_are_told_whole(
    stages: str, items: str
) -> None:
    state = replay.start(_problem(stages, items), 2)
    assert state.expects() == (("List",),)
    for listed in (_list(), _list(3, 1), _list(*range(LIST_MAX))):
        step = state.step_of((listed,))
        assert step[1:] == (listed,)
        assert state.bare(step) == (listed,)


def test_the_longest_list_is_told_by_all_items_but_the_last() -> None:
    items = " ".join(map(str, range(LIST_MAX)))
    state = replay.start(_problem("sort rev", items), 2)
    assert state.expects() == (("Int",) * (LIST_MAX - 1),)
    state.play(state.step_of(tuple(range(LIST_MAX - 1))))
    assert state.step_of((63,)) == ("l-rev", _list(*reversed(range(LIST_MAX))))


def test_a_list_believed_is_what_the_next_stage_moves() -> None:
    state = replay.start(_problem("sort rev (take 1) sort", "3 1 2"), 2)
    state.play(("l-sort", _list(7, 8)))
    assert state.step_of((8,)) == ("l-rev", _list(8, 7))
    state.play(("l-rev", _list()))
    assert state.expects() == (("List",),)
    state.play(("l-take", _list(4, 5, 6)))
    assert state.expects() == (("Int", "Int"),)


def test_a_fold_is_told_by_its_accumulator() -> None:
    state = replay.start(_problem("rev (fold (add x0 x1) 0)", "3 1"), 2)
    state.play(state.step_of((1,)))
    assert state.expects() == (("Int",),)
    assert state.step_of((5,)) == ("l-fold", 1, 5)
    assert state.bare(("l-fold", 1, 5)) == (5,)
    assert state.bare(("l-fold", 3, 5)) is None


def test_when_nothing_is_left_nothing_is_foreseen() -> None:
    problem = problem_of(("run", ("pipe", "sort"), _list(2, 1)))
    state = replay.start(problem, 2)
    state.play(("l-sort", _list(1, 2)))
    assert state.expects() == ()
    assert state.bare(("l-sort", _list(1, 2))) is None
    assert state.implied() == _list(1, 2)
