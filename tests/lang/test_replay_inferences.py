"""What one cited line, or the goal, tells in `entails`: each rule of SPEC.md, section 5."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.lang.canon import canonical
from regime3.lang.problem import Problem, problem_of, read_body, read_problem, step_of_term
from regime3.lang.replay.entails import Entails
from regime3.lang.signature import LINES_MAX
from regime3.lang.terms import parse


def _state(problem: Problem | str, steps: str = "") -> Entails:
    """The replay after those steps."""
    posed = read_problem(problem) if isinstance(problem, str) else problem
    state = Entails(posed, 2)
    for step in read_body(posed, f"{steps} (qed yes)")[:-1]:
        state.play(step)
    return state


def _given(premises: str, goal: str) -> str:
    return f"(entails (given {premises}) {goal})"


FALSE = [
    ("false", "c0", "(assume (not c0))", "l1", "(raa l2 l1 c0)"),
    ("false", "c0", "(assume c0)", "l1", "(raa l2 l1 (not c0))"),
    ("false (not c0)", "c1", "(assume c0)", "l1", "(raa l3 l1 (not c0))"),
    ("false", "c0", "", "l1", "(efq l1 c0)"),
    ("false c0", "c0", "", "l1", "(efq l1 c0)"),
]
CONTRADICTIONS = [
    ("c0 (not c0)", "c1", "", "l1", "(bot l1 l2)"),
    ("c0 (not c0)", "c1", "", "l2", "(bot l1 l2)"),
    ("c0 (not c0) false (imp c0 c1)", "c1", "", "l1", "(bot l1 l2)"),
    ("(imp c0 c1) c0 (not (imp c0 c1))", "c2", "", "l1", "(bot l1 l3)"),
    ("(not c0) (not (not c0)) c0", "c1", "", "l1", "(bot l1 l2)"),
]
WANTED = [
    ("c0", "(imp c1 c0)", "(assume c1)", "l1", "(imp-i l2 l1 (imp c1 c0))"),
    ("c0", "(iff c1 c0)", "(assume c1)", "l1", "(imp-i l2 l1 (imp c1 c0))"),
    ("c0 (or c1 c2)", "c0", "(assume c1)", "l1", "(imp-i l3 l1 (imp c1 c0))"),
    ("(imp c0 c1) c0", "(imp c2 (imp c0 c1))", "(assume c2)", "l1",
     "(imp-i l3 l1 (imp c2 (imp c0 c1)))"),
    ("c0 (imp c0 c1) (or c2 c3)", "c0", "(assume c2)", "l1", "(imp-i l4 l1 (imp c2 c0))"),
    ("c0 (imp c0 c1) (or c2 c3)", "c0", "(assume (not c2))", "l1", "(mp l2 l1 c1)"),
    ("c0 (imp c0 c1) (or c2 c3)", "c2", "(assume c3)", "l1", "(mp l2 l1 c1)"),
]  # fmt: skip
USES = [
    ("(imp c0 c1) c0", "c2", "", "l1", "(mp l1 l2 c1)"),
    ("(imp c0 c1) c0 c0", "c2", "", "l1", "(mp l1 l3 c1)"),
    ("(imp c0 c1) (not c1)", "c2", "", "l1", "(mt l1 l2 (not c0))"),
    ("(imp c0 c1) (not c1) c0", "c2", "", "l1", "(mp l1 l3 c1)"),
    ("(imp c0 c1) c0 c1 (imp c1 c0)", "c2", "", "l1", "(iff-i l1 l4 (iff c0 c1))"),
    ("(imp c1 c0) (imp c0 c1)", "c2", "", "l1", "(iff-i l1 l2 (iff c0 c1))"),
    ("(or c0 c1 c2) (not c1)", "c0", "", "l1", "(ds l1 l2 (or c0 c2))"),
    ("(or c0 c1) (not c1) (not c0)", "c2", "", "l1", "(ds l1 l3 c1)"),
    ("(or c0 c1) (not c0) (not c1) c1", "c2", "", "l1", "(ds l1 l3 c0)"),
    ("(or (not c0) c1) c0", "c2", "", "l1", "(ds l1 l2 c1)"),
    ("(or (not c0) c1) c0 (not (not c0))", "c2", "", "l1", "(ds l1 l3 c1)"),
    ("(or c0 c1) (imp c0 c2) (imp c1 c2)", "c2", "", "l1", "(cases l1 l2 l3 c2)"),
    ("(or c0 c1) (imp c0 c2) (imp c1 c2) (imp c0 c3) (imp c1 c3)", "c2", "", "l1",
     "(cases l1 l4 l5 c3)"),
    ("(or c0 c1) (imp c0 c2) (imp c1 c2) (imp c0 c3)", "c2", "", "l1", "(cases l1 l2 l3 c2)"),
    ("(or c0 c1) (imp c0 c2) (imp c1 c2) (not c0)", "c2", "", "l1", "(ds l1 l4 c1)"),
    ("(or c0 c1 c2) (imp c0 c3) (imp c1 c3) (imp c2 c3)", "c3", "", "l1",
     "(dn l1 (not (not (or c0 c1 c2))))"),
    ("(iff c0 c1) c1", "c2", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(iff c0 c1) c1 c0", "c2", "", "l1", "(iff-e l1 (imp c0 c1))"),
    ("(iff c0 c1) (not c0)", "c2", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(iff c0 c1) (not c1)", "c2", "", "l1", "(iff-e l1 (imp c0 c1))"),
    ("(iff c0 c1) (not c1) c1", "c2", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(and c0 c1)", "c1", "", "l1", "(and-e l1 c1)"),
    ("(and c0 c1)", "c2", "", "l1", "(and-e l1 c0)"),
    ("(and c0 c1) c0", "c2", "", "l1", "(and-e l1 c1)"),
    ("(not (not c0))", "c1", "", "l1", "(dn l1 c0)"),
]  # fmt: skip
IDLE = [
    ("(iff c0 c1)", "c2", "", "l1", "(iff-e l1 (imp c0 c1))"),
    ("(iff c0 c1)", "c0", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(iff c0 c1) (imp c0 c2)", "c2", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(iff c0 c1) (imp c2 (not c0))", "c2", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(iff (not c0) c1) (imp c2 c0)", "c2", "", "l1", "(iff-e l1 (imp c1 (not c0)))"),
    ("(iff c0 c1) (or (not c0) c2)", "c2", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(iff c0 c1) (imp c2 c0)", "c2", "", "l1", "(iff-e l1 (imp c1 c0))"),
    ("(iff c0 (not c1)) (not c0)", "c2", "", "l1", "(iff-e l1 (imp (not c1) c0))"),
    ("(iff c0 c1) (or c0 c2)", "c2", "", "l1", "(iff-e l1 (imp c0 c1))"),
]
SERVED = [
    ("c0 (imp c0 c1) (imp c0 c2)", "c3", "", "l1", "(mp l3 l1 c2)"),
    ("c0 (imp c0 c1) (imp c0 c2) c2", "c3", "", "l1", "(mp l2 l1 c1)"),
    ("(not c0) (imp c1 c0)", "c2", "", "l1", "(mt l2 l1 (not c1))"),
    ("c0 (imp c1 (not c0)) c2", "(and c0 c2)", "", "l1", "(dn l1 (not (not c0)))"),
    ("c0 (imp c1 (not c0)) c2 (not c1)", "(and c0 c2)", "", "l1",
     "(and-i l1 l3 (and c0 c2))"),
    ("(imp c0 c1) c0 (imp (imp c0 c1) c2)", "c3", "", "l1", "(mp l1 l2 c1)"),
    ("c0 (imp c0 c1)", "(or c0 c2)", "", "l1", "(mp l2 l1 c1)"),
]  # fmt: skip
BUILDS = [
    ("c0 c1", "(and c0 c1)", "", "l1", "(and-i l1 l2 (and c0 c1))"),
    ("c0 c1", "(and c0 c1)", "", "l2", "(and-i l2 l1 (and c0 c1))"),
    ("c0 c1 c2", "(and c0 c1 c2)", "", "l1", "(dn l1 (not (not c0)))"),
    ("c0", "(or c0 c1)", "", "l1", "(or-i l1 (or c0 c1))"),
    ("(or c0 c1)", "(or c0 c1 c2)", "", "l1", "(or-i l1 (or c0 c1 c2))"),
    ("c0 (imp (or c0 c1) c2)", "(or c0 c3)", "", "l1", "(or-i l1 (or c0 c3))"),
    ("c0 (imp (or c0 c1) c2)", "c3", "", "l1", "(or-i l1 (or c0 c1))"),
    ("c0 (imp c1 (imp (or c0 c2) c3))", "c1", "(assume c3)", "l1", "(or-i l1 (or c0 c2))"),
]
LAST = [
    ("c0", "(imp c1 c2)", "(assume c1)", "l1", "(imp-i l2 l1 (imp c1 c0))"),
    ("c0", "(imp c1 c2)", "(assume c1)", "l2", "(imp-i l2 l2 (imp c1 c1))"),
    ("c0 (imp c1 c0)", "c2", "(assume c1)", "l1", "(dn l1 (not (not c0)))"),
    ("c0", "c1", "", "l1", "(dn l1 (not (not c0)))"),
    ("c0 (not (not c0))", "c1", "", "l1", "(dn l1 (not (not c0)))"),
]
CANNOT_BE_CITED = [
    ("c0", "(imp c1 c0)", "(assume c1) (imp-i l2 l1 (imp c1 c0))", "l2", "(efq l2 false)"),
    ("c0", "c1", "(try true true)", "l2", "(efq l2 false)"),
    ("c0", "c1", "(mp l1 l1 c1)", "l2", "(efq l2 false)"),
]


@pytest.mark.parametrize(
    ("premises", "goal", "steps", "line", "told"),
    [*FALSE, *CONTRADICTIONS, *WANTED, *USES, *IDLE, *SERVED, *BUILDS, *LAST, *CANNOT_BE_CITED],
)
def test_a_line_tells_the_step_that_the_list_says(
    premises: str, goal: str, steps: str, line: str, told: str
) -> None:
    state = _state(_given(premises, goal), steps)
    step = state.step_of((line,))
    assert step == canonical(parse(told))
    again = state.bare(step)
    assert again is not None
    assert state.step_of(again) == step


@pytest.mark.parametrize(
    ("premises", "goal", "steps", "assumed"),
    [
        ("", "(imp c0 c1)", "", "c0"),
        ("c0", "(imp c0 c1)", "", "(not c1)"),
        ("", "(imp c0 (imp c1 c2))", "(assume c0)", "c1"),
        ("", "(imp c0 (imp c1 c2))", "(assume c0) (assume c1)", "(not c2)"),
        ("c0 (not c1)", "(imp c0 c1)", "", "(not (imp c0 c1))"),
        ("", "(not c0)", "", "c0"),
        ("c0", "(not c0)", "", "c0"),
        ("", "(or c0 c1)", "", "(not c0)"),
        ("", "(or c0 c1)", "(assume (not c0))", "(not c1)"),
        ("(not c0) (not c1)", "(or c0 c1)", "", "(not (or c0 c1))"),
        ("", "(or (not c0) (imp c1 c2))", "", "c0"),
        ("", "(or (not c0) (imp c1 c2))", "(assume c0) (assume c1)", "(not c2)"),
        ("", "(and c0 c1)", "", "(not c0)"),
        ("c0", "(and c0 c1)", "", "(not c1)"),
        ("(not c0)", "(and c0 c1)", "", "(not (and c0 c1))"),
        ("c0 c1", "(and c0 c1)", "", "(not (and c0 c1))"),
        ("", "(iff c0 c1)", "", "c0"),
        ("c0", "(iff c0 c1)", "", "(not c1)"),
        ("(imp c0 c1)", "(iff c0 c1)", "", "c1"),
        ("(imp c0 c1) c1", "(iff c0 c1)", "", "(not c0)"),
        ("", "c0", "", "(not c0)"),
        ("(not c0)", "c0", "", "(not c0)"),
        ("", "false", "", "(not false)"),
    ],
)
def test_the_goal_tells_what_to_assume(premises: str, goal: str, steps: str, assumed: str) -> None:
    state = _state(_given(premises, goal), steps)
    step = ("assume", canonical(parse(assumed)))
    assert state.step_of(("l0",)) == step
    assert state.bare(step) == ("l0",)


@pytest.mark.parametrize("premises", [LINES_MAX - 2, LINES_MAX - 1])
def test_the_last_line_is_too_far_from_the_goal_to_cite_it(premises: int) -> None:
    state = _state(_given("c0 " * premises, "c1"))
    step = ("assume", ("not", "c1"))
    assert state.step_of(("l0",)) == step
    assert state.bare(step) == (("l0",) if premises + 1 < LINES_MAX else None)


def test_without_premises_there_still_is_the_goal_to_cite() -> None:
    state = _state(_given("", "(imp c0 c0)"))
    assert state.expects() == (("Cited",), ("Bool",))
    state.play(state.step_of(("l0",)))
    state.play(state.step_of(("l1",)))
    assert state.implied() == "yes"


# ---------------------------------------------------------------------- values


def test_bools_tell_the_constants_that_no_line_states_and_then_the_values() -> None:
    state = _state(_given("(or c0 c1) (not c2) (imp c2 c3)", "(and c1 c3)"))
    assert state.expects() == (("Cited",), ("Bool",) * 3)
    told = ("true", "false", "true")
    step = ("try", "true", "false", "false", "true")
    assert state.step_of(told) == step
    assert state.bare(step) == told
    assert state.bare(("try", "true", "false", "true", "true")) is None, "(not c2) is a line"
    assert state.bare(step[:-1]) is None
    state.play(step)
    for valued in [("or", "c0", "c1"), ("imp", "c2", "c3"), ("and", "c1", "c3")]:
        assert state.expects() == (("Cited",), ("Bool",))
        assert state.step_of(("true",)) == ("val", valued, "true")
        assert state.bare(("val", ("not", "c2"), "true")) is None
        state.play(("val", valued, "false"))
    assert state.expects() == (("Cited",), ("Bool",) * 3), "another try may follow"
    assert state.bare(step) == told


def test_a_value_moves_on_from_where_it_stands() -> None:
    state = _state(_given("(or c0 c1) (or c1 c2)", "c0"), "(try true true true)")
    state.play(("val", ("or", "c1", "c2"), "true"))
    assert state.step_of(("true",)) == ("val", "c0", "true")
    assert state.bare(("val", ("or", "c0", "c1"), "true")) is None
    state.play(("val", ("or", "c0", "c1"), "true"))
    assert state.step_of(("true",)) == ("val", "c0", "true")


def test_one_bool_tells_a_try_where_all_constants_are_stated() -> None:
    state = _state(_given("c0 (not c1)", "c1"))
    assert state.expects() == (("Cited",), ("Bool",))
    for value in ("true", "false"):
        step = ("try", value, "false")
        assert state.step_of((value,)) == step
        assert state.bare(step) == (value,)
    assert state.bare(("try", "true", "true")) is None


def test_a_problem_without_constants_has_no_bools() -> None:
    state = _state(_given("", "false"))
    assert state.expects() == (("Cited",),)
    assert state.bare(("try",)) is None
    state.play(("try",))
    assert state.step_of(("false",)) == ("val", "false", "false")


# ---------------------------------------------------------------------- limits


def _nested(depth: int, inner: Any) -> Any:
    for _ in range(depth):
        inner = ("not", inner)
    return inner


def _is_typed(problem: Problem, step: Any, index: int = 0) -> bool:
    return step_of_term(problem, step, index) == step


@pytest.mark.parametrize(("depth", "fits"), [(60, True), (61, False)])
def test_a_line_whose_step_would_be_too_deep_tells_one_that_can_be_written(
    depth: int, fits: bool
) -> None:
    premise = ("or", _nested(depth, "c0"), "c1")
    problem = problem_of(("entails", ("given", premise), "c1"))
    step = _state(problem).step_of(("l1",))
    assert step == (("dn", "l1", ("not", ("not", premise))) if fits else ("efq", "l1", "false"))
    assert _is_typed(problem, step)


def test_a_goal_whose_denial_would_be_too_deep_tells_to_assume_the_goal() -> None:
    deep = _nested(62, "c0")
    problem = problem_of(("entails", ("given", "c0", deep), ("and", deep, "c0")))
    state = _state(problem)
    step = state.step_of(("l0",))
    assert step == ("assume", problem.goal)
    assert _is_typed(problem, step)
    assert state.bare(step) == ("l0",)


def test_a_line_whose_step_would_have_too_many_nodes_tells_one_that_can_be_written() -> None:
    names = [f"c{n}" for n in range(12)]
    wide = ("or", *[("imp", a, ("imp", b, "c0")) for a in names for b in names])
    problem = problem_of(("entails", ("given", wide), "c0"))
    state = _state(problem)
    assert state.step_of(("l1",)) == ("dn", "l1", ("not", ("not", wide)))
    state.play(("assume", ("imp", "c0", wide)))
    for line in ("l1", "l2"):
        step = state.step_of((line,))
        assert step == ("efq", line, "false"), "(imp-i …) would have 1,400 nodes"
        assert _is_typed(problem, step, 1)
