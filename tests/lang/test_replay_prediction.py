"""Prediction: what is foreseen, how equations are spelled by a number, and that it solves."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from regime3.lang import replay
from regime3.lang.check import check
from regime3.lang.problem import Problem, body_of, read_body, read_problem
from regime3.lang.terms import literal
from tests.lang import judge
from tests.lang.corpus import examples, lines

PROBLEMS = sorted({line.split(" | ")[0].strip() for line in lines("replay.txt")})
"""Of eval, mod, gcd, factor, solve and run."""
MORE = [
    "(eval (sub (mul (add 12 -3 (frac 1 2)) (div 18 4)) (mul 4 (sub 9 2))))",
    "(eval (add (add 5 6) (mul (sub 3 8) (sub 3 8) 7)))",
    "(mod (add (mul (pow 12 11) 40) (sub 3 (pow (add 2 9) 6))) 13)",
    "(mod (pow (pow 5 3) 1000) 97)",
    "(gcd 1071 462)",
    "(factor 99980001)",
    "(factor 96059601)",
    "(run (pipe (map (sub (mul x0 x0) 2)) (filter (lt 0 x0)) rev (take 3)) (list 4 1 0 -7 2))",
    "(run (pipe (drop 1) (fold (rem (add (mul 10 x0) x1) 97) 0)) (list 4 1 0 -7 2))",
]


def _follow(state: replay.State, problem: Problem) -> list[Any]:
    """The body that prediction gives, with results by the judge's arithmetic."""
    steps: list[Any] = []
    slots = {"eval": 1, "mod": 1, "run": 1}.get(problem.kind, 2)
    while ways := state.expects():
        types = ways[0]
        head = state.step_of(tuple([0] * len(types)))[: -len(types)]
        assert len(types) == slots
        if problem.kind == "run":
            results: Any = (judge.expected_run(problem)[len(steps)][-1],)
        else:
            results = right_results(head, problem)
        step = (*head, *results)
        assert state.play(step) is None
        steps.append(step)
    return [*steps, ("qed", state.implied())]


def right_results(head: Any, problem: Problem) -> tuple[Any, ...]:
    """What follows this rule and these operands, by Python's arithmetic."""
    rule, *operands = head
    numbers = [judge.number(each) for each in operands]
    if rule == "r-mod":
        return (numbers[0] % problem.term[2],)
    if rule == "r-sqr":
        return (numbers[0] ** 2 % problem.term[2],)
    if rule in ("r-divmod", "d-div"):
        return divmod(*numbers)
    if rule == "d-add":
        return divmod(sum(numbers), 10)[::-1]
    if rule == "f-div":
        prime = next(p for p in range(2, numbers[0] + 1) if numbers[0] % p == 0)
        return prime, numbers[0] // prime
    name = rule.removeprefix("r-")
    if name == "div":
        return (literal(Fraction(numbers[0]) / numbers[1]),)
    return (literal(judge.value((name, *operands))),)


FOLLOWED = [
    each
    for each in PROBLEMS + MORE
    if not each.startswith(("(solve", "(factor 99999989")) and each != "(eval (div 1 (sub 3 3)))"
]


@pytest.mark.parametrize("text", FOLLOWED)
def test_following_the_prediction_solves_the_problem(text: str) -> None:
    problem = read_problem(text)
    steps = _follow(replay.start(problem, 1), problem)
    body = body_of(problem, steps)
    assert check(problem, body).accepted
    assert judge.fault(problem, body) is None


@pytest.mark.parametrize(
    "example",
    [example for example in examples() if "codes" in example],
    ids=lambda example: example["number"],
)
def test_the_worked_examples_are_foreseen_as_their_codes_say(example: dict[str, str]) -> None:
    problem = read_problem(example["problem"])
    body = read_body(problem, example["body"])
    for strategy in (1, 2):
        state = replay.start(problem, strategy)
        foreseen = [_played(state, step) for step in body[:-1]]
        assert all(foreseen) is (strategy == 2 or problem.kind != "entails")
        assert (state.implied() == body[-1][1]) is ("qed!" in example["codes"])


def _played(state: replay.State, step: Any) -> bool:
    found = state.bare(step) is not None
    state.play(step)
    return found


@pytest.mark.parametrize(
    ("text", "head"),
    [
        ("(eval (add (mul 2 3) (mul 4 5)))", ("r-mul", 2, 3)),
        ("(eval (add (mul 4 5 6) 3))", ("r-mul", 4, 5)),
        ("(eval (sub (add 1 (mul (div 8 4) 7)) 3))", ("r-div", 8, 4)),
        ("(eval (div 8 0))", None),
        ("(eval 8)", None),
        ("(mod (add 3 (mul 4 50)) 7)", ("r-mod", 50)),
        ("(mod (add 3 (mul 4 5)) 7)", ("r-mul", 4, 5)),
        ("(mod (add 3 (pow 4 50)) 7)", ("r-sqr", 4, 50)),
        ("(mod 5 7)", None),
        ("(gcd 9 6)", ("r-divmod", 9, 6)),
        ("(gcd 9 0)", None),
        ("(factor 9)", ("f-div", 9)),
        ("(run (pipe sort rev) (list 2 1))", ("l-sort",)),
        ("(run (pipe (fold (add x0 x1) 5)) (list 2 1))", ("l-fold", 2)),
        ("(run (pipe (fold (add x0 x1) 5)) (list))", None),
        ("(solve (eqn (add (scale 5 x0) 2) x0))", ("sub-both", "x0")),
        ("(solve (eqn 7 (add (scale 2 x0) 3)))", ("sub-both", ("scale", 2, "x0"))),
        ("(solve (eqn (add (scale 5 x0) 2) 3))", ("sub-both", 2)),
        ("(solve (eqn (add x0 (frac 1 2)) 3))", ("sub-both", ("frac", 1, 2))),
        ("(solve (eqn (scale -5 x0) 3))", ("div-both", -5)),
        ("(solve (eqn x0 3))", None),
        ("(solve (eqn 3 4))", None),
    ],
)
def test_the_first_step_foreseen_is_the_strategys(text: str, head: Any) -> None:
    problem = read_problem(text)
    for strategy in (1, 2):
        state = replay.start(problem, strategy)
        if head is None:
            assert state.expects() == ()
        else:
            types = state.expects()[0]
            assert state.step_of(tuple([7] * len(types)))[: len(head)] == head
    assert replay.start(problem, 0).expects() == ()


@pytest.mark.parametrize(
    ("equation", "head"),
    [
        ("(eqn 7 (scale 2 x0))", ("swap",)),
        ("(eqn 7 x0)", ("swap",)),
        ("(eqn (frac 1 2) (scale (frac -1 3) x0))", ("swap",)),
        ("(eqn 0 (scale 2 x0))", ("swap",)),
        ("(eqn (scale 5 x0) (scale 2 x0))", ("sub-both", ("scale", 2, "x0"))),
        ("(eqn 7 (add (scale 2 x0) 3))", ("sub-both", ("scale", 2, "x0"))),
    ],
)
def test_only_a_number_alone_changes_places_and_only_with_x0_alone(
    equation: str, head: Any
) -> None:
    problem = read_problem(f"(solve {equation})")
    assert replay.start(problem, 2).step_of((7,))[: len(head)] == head
    assert replay.start(problem, 1).step_of((7,))[0] == "sub-both"


@pytest.mark.parametrize(
    ("equation", "numbers", "result"),
    [
        ("(eqn (add x0 x0) 4)", (2, 0), "(eqn (scale 2 x0) 4)"),
        ("(eqn (sub x0 1) 4)", (1, -1), "(eqn (add x0 -1) 4)"),
        ("(eqn (add x0 0) 4)", (1, 0), "(eqn x0 4)"),
        ("(eqn (scale 1 x0) 4)", (1, 0), "(eqn x0 4)"),
        ("(eqn (scale 0 x0) 4)", (0, 0), "(eqn 0 4)"),
        ("(eqn (scale 2 1) 4)", (9, 8), "(eqn (add (scale 9 x0) 8) 4)"),
        ("(eqn (add x0 1 2) 4)", (1, ("frac", 1, 2)), "(eqn (add x0 (frac 1 2)) 4)"),
        ("(eqn x0 (add 1 2))", (0, 3), "(eqn x0 3)"),
        ("(eqn (sub 1 2) (add x0 x0))", (0, -1, 2, 0), "(eqn -1 (scale 2 x0))"),
    ],
)
def test_strategy_2_foresees_how_a_side_is_collected(
    equation: str, numbers: tuple[Any, ...], result: str
) -> None:
    problem = read_problem(f"(solve {equation})")
    assert replay.start(problem, 1).expects() == ()
    state = replay.start(problem, 2)
    assert state.expects() == (("Num",) * len(numbers),)
    step = state.step_of(numbers)
    assert step == ("expand", read_problem(f"(solve {result})").term[1])
    assert state.bare(step) == numbers
    for other in (("swap", step[1]), ("expand", problem.term[1])):
        assert state.bare(other) is None


@pytest.mark.parametrize(
    ("equation", "number", "result"),
    [
        ("(eqn (add (scale 5 x0) 2) x0)", 4, "(eqn (add (scale 4 x0) 2) 0)"),
        ("(eqn (add (scale 5 x0) 2) x0)", 1, "(eqn (add x0 2) 0)"),
        ("(eqn (add (scale 5 x0) 2) x0)", 0, "(eqn 2 0)"),
        ("(eqn (scale 5 x0) (add x0 7))", 0, "(eqn 0 7)"),
        ("(eqn (scale 5 x0) (add x0 7))", 4, "(eqn (scale 4 x0) 7)"),
        ("(eqn 7 (scale 2 x0))", -2, "(eqn (add (scale -2 x0) 7) 0)"),
        ("(eqn (add (scale 5 x0) 2) 3)", 1, "(eqn (scale 5 x0) 1)"),
        ("(eqn (add x0 2) 3)", 1, "(eqn x0 1)"),
        ("(eqn (scale 5 x0) 3)", ("frac", 3, 5), "(eqn x0 (frac 3 5))"),
    ],
)
def test_an_equation_foreseen_is_spelled_by_its_one_new_number(
    equation: str, number: Any, result: str
) -> None:
    problem = read_problem(f"(solve {equation})")
    state = replay.start(problem, 1)
    assert state.expects() == (("Num",),)
    step = state.step_of((number,))
    assert step[2] == read_problem(f"(solve {result})").term[1]
    assert state.bare(step) == (number,)


@pytest.mark.parametrize(
    "result",
    [
        "(eqn (add 2 (scale 4 x0)) 1)",
        "(eqn (add (scale 4 x0) 3) 0)",
        "(eqn (add (sub (scale 5 x0) x0) 2) 0)",
        "(eqn (add (scale 1 x0) 2) 0)",
        "(eqn (add (scale 0 x0) 2) 0)",
        "(eqn (add (scale 2 (scale 2 x0)) 2) 0)",
        "(eqn (add x0 x0) (sub 3 3))",
        "(eqn 0 (add (scale 4 x0) 2))",
    ],
)
def test_an_equation_that_one_number_does_not_spell_is_not_bare(result: str) -> None:
    problem = read_problem("(solve (eqn (add (scale 5 x0) 2) x0))")
    step = ("sub-both", "x0", read_problem(f"(solve {result})").term[1])
    assert replay.start(problem, 1).bare(step) is None


def test_blocks_are_foreseen_by_strategy_2_alone() -> None:
    problem = read_problem("(eval (add 95 7))")
    text = "(long-add 95 7) (d-add 5 7 0 2 1) (d-add 9 0 1 0 1) (r-add 95 7 102) (qed 102)"
    body = read_body(problem, text)
    foreseen = {}
    for strategy in (0, 1, 2):
        state = replay.start(problem, strategy)
        foreseen[strategy] = [_played(state, step) for step in body[:-1]]
    assert foreseen[0] == [False] * 4
    assert foreseen[1] == [False] * 4
    assert foreseen[2] == [False, True, True, True], "the operands are not in order"


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("(gcd 95 7)", "(long-div 95 7) (d-div 9 7 1 2) (d-div 25 7 3 4) (r-divmod 95 7 13 4)"),
        ("(mod 95 7)", "(long-div 95 7) (d-div 9 7 1 2) (d-div 25 7 3 4) (r-mod 95 4)"),
        ("(eval (div 95 7))", "(long-div 95 7) (d-div 9 7 1 2) (d-div 25 7 3 4) (r-div 95 7 5)"),
    ],
)
def test_strategy_2_foresees_divisions_digit_by_digit(text: str, body: str) -> None:
    problem = read_problem(text)
    steps = read_body(problem, body + " (qed 0)")[:-1]
    state = replay.start(problem, 2)
    assert [_played(state, step) for step in steps] == [True, True, True, True]


def test_a_remainder_grown_too_long_by_wrong_steps_is_not_foreseen() -> None:
    problem = read_problem("(gcd 95 7)")
    state = replay.start(problem, 2)
    state.play(("long-div", 95, 7))
    state.play(("d-div", 9, 7, 1, 10**64 - 1))
    assert state.expects() == ()
    assert state.play(("d-div", 25, 7, 3, 4)) is not None
    assert state.expects() == (("Int",), ("Long",)), "the block is closed, and the state has stayed"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("(eval (add 95 7))", ("long-add", 7, 95)),
        ("(eval (add 0 0))", ("long-add", 0, 0)),
        ("(eval (add -95 7))", None),
        ("(eval (add (frac 1 2) 7))", None),
        ("(eval (sub 95 7))", None),
        ("(eval (mul 9 70))", None),
        ("(eval (mul 95 72))", ("r-split", 72, 95)),
        ("(eval (div 95 7))", ("long-div", 95, 7)),
        ("(eval (div 95 -7))", None),
        ("(gcd 95 7)", ("long-div", 95, 7)),
        ("(mod 95 7)", ("long-div", 95, 7)),
        ("(mod -95 7)", None),
        ("(mod (add 5 6) 7)", ("long-add", 5, 6)),
        ("(factor 95)", None),
    ],
)
def test_the_long_way_is_told_by_end_where_there_is_one(text: str, step: Any) -> None:
    problem = read_problem(text)
    assert ("Long",) not in replay.start(problem, 1).expects()
    state = replay.start(problem, 2)
    assert (("Long",) in state.expects()) is (step is not None)
    if step is not None:
        assert state.step_of(("end",)) == step
        assert state.bare(step) == ("end",)
        assert state.play(step) is None
        assert ("Long",) not in state.expects() or step[0] == "r-split", "a block is open"


LOGICS = ["(entails (given c0) c0)", "(follows (given (no c0 c1)) (no c0 c1))"]


@pytest.mark.parametrize("text", LOGICS)
def test_steps_of_the_logics_are_told_by_strategy_2_alone(text: str) -> None:
    problem = read_problem(text)
    for strategy in (0, 1):
        assert replay.start(problem, strategy).expects() == ()
    state = replay.start(problem, 2)
    told = "Cited" if problem.kind == "entails" else "Line"
    assert state.expects()[0] == (told,)
    assert state.bare(state.step_of(("l1",))) == ("l1",)


@pytest.mark.parametrize(("text", "slots"), [("(gcd 9 6)", 2), ("(factor 9)", 2), ("(eval 9)", 0)])
def test_strategy_2_leaves_out_one_of_two_results(text: str, slots: int) -> None:
    problem = read_problem(text)
    ways = (("Int",) * slots,) if slots else ()
    assert replay.start(problem, 1).expects() == ways
    assert replay.start(problem, 2).expects()[:1] == ((("Int",),) if slots else ())
