"""Equations told by their new numbers: fractions first, then brackets, a layer at a time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from regime3.errors import LanguageError
from regime3.lang import replay
from regime3.lang.canon import canonical
from regime3.lang.problem import Problem, problem_of, step_of_term
from regime3.lang.replay.gather import gathered, places_in
from regime3.lang.replay.linear import parts_of
from regime3.lang.replay.solve import Equation
from regime3.lang.replay.solving import NUMBERS_MAX
from regime3.lang.signature import INTEGER_MAX, PROBLEM_NODES_MAX
from regime3.lang.terms import parse, size
from tests.lang.generate import random_problem

HALF: Any = ("frac", 1, 2)


def _state(equation: Any) -> Equation:
    term = parse(equation) if isinstance(equation, str) else equation
    return Equation(problem_of(("solve", term)), 2)


@pytest.mark.parametrize(
    ("equation", "numbers", "told"),
    [
        ("(eqn (add (scale (frac 1 2) x0) (scale (frac 1 3) x0)) 1)", (2, 3, 6),
         "(mul-both 6 (eqn (add (scale 2 x0) (scale 3 x0)) 6))"),
        ("(eqn (add (scale (frac 1 2) x0) x0) 0)", (2,),
         "(mul-both 2 (eqn (add (scale 2 x0) x0) 0))"),
        ("(eqn (scale (frac -2 3) (add x0 1)) (frac 1 6))", (-4, 1, 1),
         "(mul-both 6 (eqn (scale -4 (add x0 1)) 1))"),
        ("(eqn (add (scale (frac 1 2) (add x0 7)) 3) x0)", (6, 7, 2),
         "(mul-both 2 (eqn (add x0 6 7) (scale 2 x0)))"),
        ("(eqn (sub x0 (scale (frac 1 2) (sub x0 1))) 4)", (-1, 1, 2, 8),
         "(mul-both 2 (eqn (add (scale -1 (sub x0 1)) (scale 2 x0)) 8))"),
        ("(eqn (scale 2 (add (scale 3 (add x0 1)) 4)) 5)", (6, 1, 8),
         "(expand (eqn (add (scale 6 (add x0 1)) 8) 5))"),
        ("(eqn (add (scale 6 (add x0 1)) 8) 5)", (6, 6, 8),
         "(expand (eqn (add (scale 6 x0) 6 8) 5))"),
        ("(eqn (add (scale 6 x0) 6 8) 5)", (6, 14), "(expand (eqn (add (scale 6 x0) 14) 5))"),
        ("(eqn (sub 7 (scale 2 (sub x0 1))) x0)", (-2, 2, 7),
         "(expand (eqn (add (scale -2 x0) 2 7) x0))"),
        ("(eqn (scale 2 5) (scale 3 (add x0 x0)))", (10, 3, 3),
         "(expand (eqn 10 (add (scale 3 x0) (scale 3 x0))))"),
        ("(eqn (scale 2 (frac 1 2)) x0)", (1,), "(expand (eqn 1 x0))"),
        ("(eqn (scale 0 (add x0 3)) 4)", (0, 0), "(expand (eqn (add (scale 0 x0) 0) 4))"),
        ("(eqn (scale -1 (scale -1 x0)) 4)", (), ""),
        ("(eqn (scale (frac 1 2) (add x0 x0)) (scale (frac 1 2) x0))", (), ""),
    ],
)  # fmt: skip
def test_the_next_equation_is_told_by_the_numbers_of_the_sides_that_change(
    equation: str, numbers: Any, told: str
) -> None:
    state = _state(equation)
    if not told:
        assert state.expects() == (), "no number is new"
        return
    assert state.expects() == (("Num",) * len(numbers),)
    step = canonical(parse(told))
    assert state.step_of(numbers) == step
    assert state.bare(step) == numbers
    assert state.play(step) is None, "these numbers are right"


def test_a_side_that_changes_into_the_other_is_told_and_the_other_stays() -> None:
    state = _state("(eqn (scale 2 (add x0 1)) (add (scale 2 x0) 2))")
    step = ("expand", parse("(eqn (add (scale 2 x0) 2) (add (scale 2 x0) 2))"))
    assert state.bare(step) == (2, 2)
    other = ("expand", parse("(eqn (add (scale 2 x0) 2) (add (scale 3 x0) 2))"))
    assert state.bare(other) is None
    assert state.step_of((3, 2))[1] == parse("(eqn (add (scale 3 x0) 2) (add (scale 2 x0) 2))")


@pytest.mark.parametrize(("brackets", "foreseen"), [(16, True), (17, False)])
def test_more_than_32_numbers_are_spelled(brackets: int, foreseen: bool) -> None:
    side = ("add", *[("scale", n + 2, ("add", "x0", "x0")) for n in range(brackets)])
    ways = _state(("eqn", side, 1)).expects()
    assert ways == ((("Num",) * NUMBERS_MAX,) if foreseen else ())


def test_fractions_may_be_told_where_whole_numbers_are_right() -> None:
    state = _state("(eqn (scale 2 (add x0 1)) 5)")
    step = ("expand", ("eqn", ("add", ("scale", HALF, "x0"), ("frac", 3, 4)), 5))
    assert state.step_of((HALF, ("frac", 3, 4))) == step
    assert state.bare(step) == (HALF, ("frac", 3, 4))


def test_wrong_numbers_sort_their_summands_anew() -> None:
    state = _state("(eqn (add (scale 2 (add x0 1)) (scale 3 (add x0 x0))) 5)")
    assert state.step_of((2, 3, 3, 2)) == state.step_of((3, 3, 2, 2))
    step = state.step_of((9, 1, 4, 0))
    assert step[1] == canonical(step[1])
    assert state.bare(step) == (1, 4, 9, 0)


def test_wrong_numbers_that_sort_brackets_elsewhere_are_spelled() -> None:
    state = _state("(eqn (scale 2 (add x0 (scale 3 (sub x0 1)))) 5)")
    right = canonical(parse("(expand (eqn (add (scale 2 x0) (scale 6 (sub x0 1))) 5))"))
    assert state.bare(right) == (2, 6, 1)
    step = state.step_of((9, 1, 1))
    assert step[1] == parse("(eqn (add (scale 1 (sub x0 1)) (scale 9 x0)) 5)")
    assert state.bare(step) is None


def test_a_common_denominator_too_long_to_be_written_lets_sides_be_collected() -> None:
    fractions = [("frac", 1, INTEGER_MAX - n) for n in range(2)]
    state = _state(("eqn", ("add", "x0", *fractions), 1))
    assert state.expects() == (("Num",) * 2,)
    assert state.step_of((1, 5)) == ("expand", ("eqn", ("add", "x0", 5), 1))


def test_an_equation_that_fractions_could_make_too_large_is_spelled() -> None:
    few = ("scale", 2, ("add", "x0", 1))
    for count, foreseen in ((1012, True), (1013, False)):
        many = ("add", *["x0"] * count)
        state = _state(("eqn", few, many))
        assert state.expects() == ((("Num",) * 2,) if foreseen else ())
        if foreseen:
            assert size(state.step_of((HALF, HALF))) == PROBLEM_NODES_MAX


def test_a_side_is_multiplied_out_however_deep_it_is() -> None:
    side: Any = "x0"
    for _ in range(29):
        side = ("scale", ("frac", 1, 3), ("sub", side, HALF))
    state = _state(("eqn", side, 1))
    assert state.expects() == (), "the numbers inside count as well: more than 32"
    side = "x0"
    for _ in range(14):
        side = ("scale", 3, ("sub", side, 1))
    state, layers = _state(("eqn", side, 1)), 0
    while parts_of(state._equation[1]) is None:
        step = _right(state)
        numbers = state.bare(step)
        assert numbers is not None and state.step_of(numbers) == step
        assert state.play(step) is None
        layers += 1
        if not gathered(state._equation):
            break
    assert layers == 14


def _right(state: Equation) -> Any:
    found = gathered(state._equation)
    assert found is not None
    return (*found[0], found[1])


def _is_typed(problem: Problem, step: Any) -> bool:
    try:
        return step_of_term(problem, step, 0) == step
    except LanguageError:
        return False


def test_what_is_right_is_always_told_if_it_is_foreseen() -> None:
    told = 0
    for seed in range(1500):
        problem = random_problem(random.Random(f"solving|{seed}"), "solve")
        state = Equation(problem, 2)
        if None not in map(parts_of, problem.term[1][1:]) or not gathered(problem.term[1]):
            continue
        step = _right(state)
        if not _is_typed(problem, step):
            continue
        numbers = state.bare(step)
        if state.expects():
            assert numbers is not None and state.step_of(numbers) == step
            told += 1
        else:
            assert not 0 < places_in(step[-1]) <= NUMBERS_MAX or _changes_no_number(problem, step)
        assert replay.start(problem, 1).bare(step) is None
    assert told > 300


def _changes_no_number(problem: Problem, step: Any) -> bool:
    pairs = zip(problem.term[1][1:], step[-1][1:], strict=True)
    return sum(places_in(after) for before, after in pairs if before != after) == 0
