"""Arithmetic: the oracle agrees with Python's fractions, and departs from prediction as it says."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from regime3 import tasks
from regime3.lang.problem import Step, problem_of
from regime3.lang.terms import Term, is_literal, literal, value_of
from regime3.tasks import prose
from regime3.tasks.draw import Draw
from regime3.tasks.expressions import LONG_ADD_FROM, add_block, division_block, evaluate, ready
from regime3.tasks.families.arithmetic import FAMILY

COUNT = 60


def value(term: Term) -> Fraction:
    """By Python, from the inside out."""
    if is_literal(term):
        return Fraction(value_of(term))
    assert isinstance(term, tuple)
    first, *rest = [value(each) for each in term[1:]]
    for each in rest:
        match term[0]:
            case "add":
                first += each
            case "sub":
                first -= each
            case "mul":
                first *= each
            case "div":
                first /= each
    return first


def drawn(level: int) -> list[Term]:
    return [FAMILY.draw(level, Draw(f"arithmetic test {level} {i}")).term for i in range(COUNT)]


@pytest.mark.parametrize("level", range(1, 11))
def test_the_answer_is_that_of_pythons_fractions(level: int) -> None:
    for term in drawn(level):
        problem = problem_of(term)
        body = FAMILY.solve(problem)
        assert body[-1] == ("qed", literal(value(problem.term[1])))


@pytest.mark.parametrize("level", range(1, 11))
def test_the_prompt_means_what_the_term_means(level: int) -> None:
    for index in range(COUNT):
        posed = FAMILY.draw(level, Draw(f"arithmetic test {level} {index}"))
        found = re.search(r"[(\d].*[\d)]", posed.prompt)
        assert found
        expression = re.sub(r"\d+", r"Fraction(\g<0>)", found[0])
        expression = expression.replace("×", "*").replace("÷", "/")
        # Python reads the prompt's signs and brackets as a person would.
        assert eval(expression, {"Fraction": Fraction}) == value(posed.term[1]), posed.prompt


@pytest.mark.parametrize("level", range(1, 11))
def test_numbers_keep_to_their_level(level: int) -> None:
    for term in drawn(level):
        for step in FAMILY.solve(problem_of(term)):
            for each in step[1:]:
                parts = [abs(n) for n in (each[1:] if isinstance(each, tuple) else (each,))]
                assert max(parts) < 10 ** (3 if level <= 4 else 5 if level <= 6 else 8), step


def test_an_exact_step_order_is_kept() -> None:
    steps, answer = evaluate(("add", ("mul", 7, 8), 2, 40))
    assert steps == [("r-mul", 7, 8, 56), ("r-add", 56, 2, 58), ("r-add", 58, 40, 98)]
    assert answer == 98


def test_long_products_are_split_at_the_factor_with_fewer_digits() -> None:
    steps, answer = evaluate(("mul", 205, 347))
    assert answer == 205 * 347
    assert steps[0] == ("r-split", 347, 205)
    assert steps[1:3] == [("r-mul", 347, 5, 1735), ("r-mul", 347, 200, 69400)]
    assert steps[3] == ("long-add", 1735, 69400)
    assert steps[-1] == ("r-add", 1735, 69400, 71135)


def test_round_factors_are_not_split() -> None:
    assert evaluate(("mul", 40, 73))[0] == [("r-mul", 40, 73, 2920)]
    assert evaluate(("mul", -12, 13))[0] == [("r-mul", -12, 13, -156)]


@pytest.mark.parametrize("a, b", [(1999, 1001), (99999, 1000), (5005, 123456)])
def test_long_addition_carries(a: int, b: int) -> None:
    block = add_block(a, b)
    assert block[0] == ("long-add", a, b)
    digits = [step[4] for step in block[1:]]
    total = sum(digit * 10**i for i, digit in enumerate(digits)) + block[-1][5] * 10 ** len(digits)
    assert total == a + b
    assert [step[3] for step in block[1:]] == [0, *[step[5] for step in block[1:-1]]]


@pytest.mark.parametrize("a, b", [(1000, 7), (98765, 43), (100, 10)])
def test_long_division_brings_down_digit_by_digit(a: int, b: int) -> None:
    block = division_block(a, b)
    assert block[0] == ("long-div", a, b)
    assert int("".join(str(step[3]) for step in block[1:])) == a // b
    assert block[-1][4] == a % b
    assert all(0 <= step[4] < b and 0 <= step[3] <= 9 for step in block[1:])


def test_small_operations_open_no_block() -> None:
    def names(term: Term) -> list[str]:
        return [step[0] for step in evaluate(term)[0]]

    assert names(("add", LONG_ADD_FROM, LONG_ADD_FROM - 1)) == ["r-add"]
    assert names(("div", 99, 3)) == ["r-div"]
    assert names(("div", 144, 36)) == ["r-div"]
    assert names(("div", ("frac", 1001, 2), 3)) == ["r-div"]
    assert names(("sub", 5000, 4000)) == ["r-sub"]


def test_the_first_ready_node_is_the_first_in_postorder() -> None:
    assert ready(("add", ("mul", 2, ("sub", 3, 1)), ("sub", 9, 4))) == ("sub", 3, 1)
    assert ready(("frac", 1, 2)) is None


def test_a_step_takes_the_first_redex_in_preorder_even_elsewhere() -> None:
    # The ready node is the inner sum; its step names 3 and 4, which the outer sum has as well.
    steps, answer = evaluate(("add", 3, 4, ("mul", 2, ("add", 3, 4))))
    assert steps[:2] == [("r-add", 3, 4, 7), ("r-add", 3, 4, 7)]
    assert answer == 21


def predicted(samples: int, levels: range) -> dict[str, list[Step]]:
    """Steps of the oracle by whether strategy 2 predicts them."""
    from regime3.lang.replay import start

    found: dict[str, list[Step]] = {"as predicted": [], "spelled": []}
    for level in levels:
        for index in range(samples):
            made = tasks.sample("arithmetic", level, "train", index)
            state = start(made.problem, 2)
            for step in made.body[:-1]:
                bare = state.bare(step) is not None
                found["as predicted" if bare else "spelled"].append(step)
                assert state.play(step) is None
            assert ("qed", state.implied()) == made.body[-1]
    return found


def test_all_steps_but_some_splits_are_as_predicted() -> None:
    found = predicted(8, range(1, 11))
    assert {step[0] for step in found["spelled"]} == {"r-split"}
    assert {"long-add", "long-div", "r-split"} <= {step[0] for step in found["as predicted"]}
    assert len(found["as predicted"]) > 50 * len(found["spelled"])


@pytest.mark.parametrize(
    "term, text",
    [
        (("add", ("mul", 7, 8), 2, 40), "7 * 8 + 2 + 40"),
        (("sub", 9, ("sub", 5, 1)), "9 - (5 - 1)"),
        (("sub", ("sub", 9, 5), 1), "9 - 5 - 1"),
        (("add", 9, ("sub", 5, 1)), "9 + (5 - 1)"),
        (("mul", 2, ("div", 8, 4)), "2 * (8 / 4)"),
        (("div", ("mul", 2, 8), 4), "2 * 8 / 4"),
        (("mul", ("add", 1, 2), 3), "(1 + 2) * 3"),
        (("pow", ("add", 1, 2), 3), "(1 + 2)^3"),
        (("mul", 4, -3), "4 * (-3)"),
        (("mul", 4, ("frac", 1, 3)), "4 * (1/3)"),
    ],
)
def test_expressions_are_written_with_the_brackets_they_need(term: Term, text: str) -> None:
    assert prose.infix(term) == text
