"""Wrong steps: results are believed if operands fit, else the state stays and a block closes."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.lang import replay
from regime3.lang.problem import read_problem


def _after(text: str, *steps: Any) -> replay.State:
    state = replay.start(read_problem(text), 2)
    for step in steps:
        assert state.play(step) is not None, f"{step} should be wrong"
    return state


def _foreseen(state: replay.State) -> Any:
    """Rule and operands of the step foreseen, None if there is none."""
    ways = state.expects()
    if not ways:
        return None
    types = ways[0]
    step = state.step_of((7,) * len(types))
    results = {"l-map": 1, "l-sort": 1, "r-divmod": 2, "f-div": 2, "d-add": 2, "d-div": 2}
    return step[: -results.get(step[0], 1)]


@pytest.mark.parametrize(
    ("text", "wrong", "head"),
    [
        ("(eval (add (mul 7 8) 2))", ("r-mul", 7, 8, 55), ("r-add", 55, 2)),
        ("(eval (add (mul 7 8) 2))", ("r-mul", 7, 9, 63), ("r-mul", 7, 8)),
        ("(eval (add (mul 7 8) 2))", ("r-add", 7, 8, 15), ("r-mul", 7, 8)),
        ("(eval (add (div 7 0) 2))", ("r-div", 7, 0, 1), None),
        ("(eval (mul 7 8))", ("r-split", 7, 8), ("r-mul", 7, 8)),
        ("(mod (add 1 9) 7)", ("r-mod", 9, 3), ("r-add", 1, 3)),
        ("(mod (add 1 9) 7)", ("r-mod", 9, 16), ("r-mod", 16)),
        ("(mod (add 1 6) 7)", ("r-mod", 6, 6), ("r-add", 1, 6)),
        ("(mod (pow 3 5) 7)", ("r-sqr", 3, 5, 3), ("r-sqr", 3, 2)),
        ("(mod (pow 3 5) 7)", ("r-sqr", 3, 4, 3), ("r-sqr", 3, 5)),
        ("(gcd 462 147)", ("r-divmod", 462, 147, 3, 20), ("r-divmod", 147, 20)),
        ("(gcd 462 147)", ("r-divmod", 462, 147, 3, -1), None),
        ("(gcd 462 147)", ("r-divmod", 147, 462, 0, 147), ("r-divmod", 462, 147)),
        ("(factor 12)", ("f-div", 12, 4, 3), ("f-div", 3)),
        ("(factor 12)", ("f-div", 12, 2, 0), None),
        ("(factor 12)", ("f-div", 6, 2, 3), ("f-div", 12)),
        ("(solve (eqn (add x0 2) 3))", ("sub-both", 2, ("eqn", "x0", 2)), None),
        ("(solve (eqn (add x0 2) 3))", ("swap", ("eqn", ("scale", 2, "x0"), 3)), ("div-both", 2)),
        ("(solve (eqn x0 3))", ("div-both", 0, ("eqn", ("scale", 2, "x0"), 3)), ("div-both", 2)),
        ("(run (pipe sort rev) (list 2 1))", ("l-sort", ("list", 5)), ("l-rev",)),
        ("(run (pipe sort rev) (list 2 1))", ("l-rev", ("list", 1, 2)), ("l-sort",)),
        ("(run (pipe (fold (add x0 x1) 0)) (list 2 1))", ("l-fold", 2, 3), ("l-fold", 1)),
        ("(run (pipe (fold (add x0 x1) 0)) (list 2 1))", ("l-fold", 1, 1), ("l-fold", 2)),
    ],
)
def test_the_state_after_a_wrong_step(text: str, wrong: Any, head: Any) -> None:
    assert _foreseen(_after(text, wrong)) == head


@pytest.mark.parametrize(
    ("text", "wrong", "implied"),
    [
        ("(eval (add 2 3))", ("r-add", 2, 3, 6), 6),
        ("(mod (add 2 3) 7)", ("r-add", 2, 3, 6), 6),
        ("(mod (add 2 3) 7)", ("r-add", 2, 3, 7), None),
        ("(gcd 12 5)", ("r-divmod", 12, 5, 2, 0), 5),
        ("(factor 12)", ("f-div", 12, 4, 1), ("factors", 4)),
        ("(solve (eqn (scale 2 x0) 6))", ("div-both", 2, ("eqn", "x0", 4)), 4),
        ("(solve (eqn (scale 2 x0) 6))", ("div-both", 2, ("eqn", 4, 4)), "any"),
        ("(solve (eqn (scale 2 x0) 6))", ("div-both", 2, ("eqn", 3, 4)), "none"),
        ("(run (pipe sort) (list 2 1))", ("l-sort", ("list", 5)), ("list", 5)),
        ("(run (pipe (fold (add x0 x1) 0)) (list 2))", ("l-fold", 2, 3), 3),
    ],
)
def test_the_answer_implied_after_a_wrong_step(text: str, wrong: Any, implied: Any) -> None:
    state = _after(text, wrong)
    assert state.implied() == implied
    if implied is not None:
        assert state.answer(implied) is None


def test_a_wrong_digit_is_carried_on() -> None:
    state = replay.start(read_problem("(eval (add 95 7))"), 2)
    assert state.play(("long-add", 95, 7)) is None
    assert state.play(("d-add", 5, 7, 0, 2, 4)) is not None
    assert _foreseen(state) == ("d-add", 9, 0, 4)
    assert state.play(("d-add", 9, 0, 4, 3, 1)) is None


@pytest.mark.parametrize(
    "step",
    [("d-add", 5, 7, 1, 3, 1), ("r-add", 95, 7, 102), ("long-add", 95, 7), ("d-div", 9, 7, 1, 2)],
)
def test_a_step_that_does_not_belong_closes_the_block_and_changes_nothing(step: Any) -> None:
    state = replay.start(read_problem("(eval (add 95 7))"), 2)
    assert state.play(("long-add", 95, 7)) is None
    assert state.play(step) is not None
    assert _foreseen(state) == ("r-add", 7, 95)
    assert state.play(("d-add", 5, 7, 0, 2, 1)) is not None
    assert state.play(("r-add", 95, 7, 102)) is None
    assert state.implied() == 102


def test_a_wrong_result_that_closes_a_block_is_believed() -> None:
    state = replay.start(read_problem("(gcd 9 6)"), 2)
    for step in [("long-div", 9, 6), ("d-div", 9, 6, 1, 3)]:
        assert state.play(step) is None
    assert state.play(("r-divmod", 9, 6, 1, 4)) is not None
    assert _foreseen(state) == ("r-divmod", 6, 4)
