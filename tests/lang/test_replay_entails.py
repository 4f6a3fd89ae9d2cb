"""Bodies of entails: lines and boxes, wrong steps, counter-models."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from typing import Any

import pytest

from regime3.lang.check import check_text
from regime3.lang.problem import problem_of, read_problem
from regime3.lang.replay.entails import Entails
from tests.lang import judge
from tests.lang.generate import random_body, random_problem

# ---------------------------------------------------------------------- lines and boxes


def _played(text: str, *steps: Any) -> tuple[Entails, list[bool]]:
    state = Entails(read_problem(text))
    return state, [state.play(step) is None for step in steps]


def test_premises_and_all_steps_count_as_lines() -> None:
    _, right = _played(
        "(entails (given c0 (imp c0 c1)) c1)",
        ("try", "true", "true"),  # l3
        ("val", "c0", "false"),  # l4, wrong
        ("efq", "l1", "c1"),  # l5, wrong
        ("mp", "l2", "l1", "c1"),  # l6
        ("dn", "l6", ("not", ("not", "c1"))),  # l7
        ("dn", "l7", "c1"),
    )
    assert right == [True, False, False, True, True, True]


def test_lines_of_a_box_are_seen_in_boxes_within_and_not_after_it() -> None:
    state, right = _played(
        "(entails (given c0) c1)",
        ("assume", "c1"),  # l2
        ("assume", "c0"),  # l3
        ("and-i", "l2", "l3", ("and", "c0", "c1")),  # l4
        ("imp-i", "l3", "l4", ("imp", "c0", ("and", "c0", "c1"))),  # l5
        ("mp", "l5", "l1", ("and", "c0", "c1")),  # l6
        ("and-e", "l4", "c0"),  # l7: l4 is closed
        ("and-e", "l6", "c1"),  # l8
    )
    assert right == [True, True, True, True, True, False, True]
    assert state.implied() is None


@pytest.mark.parametrize(("line", "right"), [(39, True), (40, False)])
def test_a_body_may_have_40_lines_and_no_more(line: int, right: bool) -> None:
    steps = "(and-e l1 c0) " * line
    assert check_text("(entails (given c0) c0)", f"{steps}(qed yes)").accepted is right


def test_forty_lines_are_too_many_even_if_all_are_empty() -> None:
    verdict = check_text(
        "(entails (given c0) (not c0))", "(try true) " * 40 + "(qed (counter true))"
    )
    assert (verdict.index, verdict.expected) == (40, "a step")


def test_propositions_as_deep_as_may_be_are_judged() -> None:
    deep: Any = "c0"
    for _ in range(60):
        deep = ("not", deep)
    problem = problem_of(("entails", ("given", deep), ("not", "c0")))
    state = Entails(problem)
    assert state.play(("try", "true")) is None
    assert state.play(("val", deep, "true")) is None
    assert state.answer(("counter", "true")) is None


# ---------------------------------------------------------------------- wrong steps


@pytest.mark.parametrize(
    ("premises", "wrong", "cited"),
    [
        ("(imp c0 c1) c0", ("mp", "l1", "l2", "c2"), True),
        ("(imp c0 c1) c0", ("mp", "l2", "l1", "c2"), False),
        ("(imp c0 c1) c1", ("mp", "l1", "l2", "c2"), False),
        ("(imp c0 c1) (not c1)", ("mt", "l1", "l2", "c2"), True),
        ("(imp c0 c1) (not c0)", ("mt", "l1", "l2", "c2"), False),
        ("c0 c1", ("and-i", "l1", "l2", "c2"), True),
        ("(or c0 c1) (not c0)", ("ds", "l1", "l2", "c2"), True),
        ("(or c0 c1) c0", ("ds", "l1", "l2", "c2"), False),
        ("(imp c0 c1) (imp c1 c0)", ("iff-i", "l1", "l2", "c2"), True),
        ("(imp c0 c1) (imp c0 c1)", ("iff-i", "l1", "l2", "c2"), False),
        ("c0 c1", ("and-e", "l1", "c2"), True),
        ("c0 c1", ("or-i", "l1", "c2"), True),
        ("c0 c1", ("dn", "l1", "c2"), True),
        ("(iff c0 c1)", ("iff-e", "l1", "c2"), True),
        ("(imp c0 c1)", ("iff-e", "l1", "c2"), False),
        ("(and c0 c1)", ("efq", "l1", "c2"), False),
        ("(or c0 c1) (imp c0 c0) (imp c1 c0)", ("cases", "l1", "l2", "l3", "c2"), True),
        ("(or c0 c1) (imp c0 c0) (imp c1 c1)", ("cases", "l1", "l2", "l3", "c2"), False),
        ("c0 c1", ("imp-i", "l1", "l2", "c2"), False),
        ("c0 false c1", ("raa", "l1", "l2", "c2"), False),
    ],
)
def test_a_wrong_result_is_believed_where_the_operands_fit(
    premises: str, wrong: Any, cited: bool
) -> None:
    state = Entails(read_problem(f"(entails (given {premises}) (imp (and c0 c1) c2))"))
    line = f"l{len(state._premises) + 1}"
    assert state.play(wrong) is not None
    assert (state.play(("dn", line, ("not", ("not", "c2")))) is None) is cited


def test_a_goal_that_is_believed_is_implied() -> None:
    state, right = _played("(entails (given (imp c0 c1) c0) c2)", ("mp", "l1", "l2", "c2"))
    assert right == [False]
    assert state.implied() == "yes"
    assert state.answer("yes") is None
    state, right = _played("(entails (given (imp c0 c1) c0) c2)", ("mp", "l2", "l1", "c2"))
    assert right == [False]
    assert state.implied() is None


def test_a_goal_is_implied_once_it_stands_outside_and_no_box_is_open() -> None:
    state = Entails(read_problem("(entails (given (imp c1 c0) c1) c0)"))
    implied: list[Any] = []
    for step in [
        ("assume", "c0"),  # l3
        ("imp-i", "l3", "l2", ("imp", "c0", "c1")),  # l4
        ("mp", "l1", "l2", "c0"),  # l5
        ("assume", "c1"),  # l6
        ("try", "true", "false"),
        ("imp-i", "l6", "l5", ("imp", "c1", "c0")),
    ]:
        assert state.play(step) is None
        implied.append(state.implied())
    assert implied == [None, None, "yes", None, ("counter", "true", "false"), "yes"]


@pytest.mark.parametrize(
    ("step", "closes"),
    [
        (("imp-i", "l3", "l4", "c0"), True),
        (("imp-i", "l4", "l3", ("imp", "c1", "c0")), False),
        (("imp-i", "l3", "l9", "c0"), False),
        (("raa", "l3", "l5", "c0"), True),
        (("raa", "l3", "l4", ("not", "c0")), False),
    ],
)
def test_a_wrong_step_closes_its_box_just_where_its_operands_fit(step: Any, closes: bool) -> None:
    state, right = _played(
        "(entails (given (imp c0 c1) (not c1)) c0)",
        ("assume", "c0"),
        ("mp", "l1", "l3", "c1"),
        ("bot", "l4", "l2"),
    )
    assert right == [True] * 3
    assert state.play(step) is not None
    assert (state.implied() == "yes") is closes
    again = state.play(("mp", "l1", "l3", "c1"))
    assert (again is None) is not closes


def test_a_try_of_the_wrong_length_tries_nothing() -> None:
    state, right = _played(
        "(entails (given (or c0 c1)) c0)", ("try", "true"), ("val", "c0", "true")
    )
    assert right == [False, False]
    assert state.implied() is None
    assert state.play(("try", "false", "true")) is None
    assert state.play(("try", "true", "true", "true")) is not None
    assert state.play(("val", "c0", "false")) is None
    assert state.implied() == ("counter", "false", "true")


def test_a_wrong_value_leaves_what_is_tried() -> None:
    state, right = _played(
        "(entails (given (or c0 c1)) c0)", ("try", "false", "true"), ("val", "c0", "true")
    )
    assert right == [True, False]
    assert state.implied() == ("counter", "false", "true")
    assert state.answer(("counter", "false", "true")) is None


@pytest.mark.parametrize("line", ["l0", "l3", "l4", "l41", f"l{10**30}"])
def test_a_line_that_is_not_there_is_a_finding(line: str) -> None:
    state = Entails(read_problem("(entails (given c0 (imp c0 c1)) c1)"))
    finding = state.play(("mp", "l2", line, "c1"))
    assert finding is not None
    assert (finding.expected, finding.found) == ("a line that holds here", line)


def test_no_typed_step_makes_the_replay_raise() -> None:
    findings = 0
    for seed in range(60):
        rng = random.Random(f"typed|{seed}")
        problem = random_problem(rng, "entails")
        body = random_body(rng, problem, 30)
        state = Entails(problem, 2)
        for step in body[:-1]:
            told = state.bare(step)
            assert told is None or state.step_of(told) == step
            findings += state.play(step) is not None
        findings += state.answer(body[-1][1]) is not None
        implied = state.implied()
        assert implied is None or implied == "yes" or len(implied) == problem.constants + 1
    assert findings > 120


# ---------------------------------------------------------------------- counter-models


def test_counter_models_are_those_of_the_truth_table() -> None:
    rng = random.Random("counter")
    refuted: Counter[bool] = Counter()
    while refuted.total() < 600:
        problem = random_problem(rng, "entails")
        if problem.constants > 4:
            continue
        state = Entails(problem)
        for world in product((False, True), repeat=problem.constants):
            premises = all(judge.holds(each, world) for each in problem.premises)
            wanted = premises and not judge.holds(problem.goal, world)
            values = ["true" if each else "false" for each in world]
            assert (state.answer(("counter", *values)) is None) is wanted
            refuted[wanted] += 1
    assert min(refuted.values()) > 50


@pytest.mark.parametrize("strategy", [0, 1])
def test_nothing_is_foreseen_before_strategy_2(strategy: int) -> None:
    state = Entails(read_problem("(entails (given (or c0 c1) c0) (not c1))"), strategy)
    for step in [("try", "true", "true"), ("val", ("not", "c1"), "false")]:
        assert state.expects() == ()
        assert state.bare(step) is None
        assert state.play(step) is None
