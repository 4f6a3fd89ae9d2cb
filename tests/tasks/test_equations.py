"""Equations: the oracle agrees with sympy, which solves them in its own way."""

from __future__ import annotations

import re
import warnings
from fractions import Fraction

import pytest

from regime3 import tasks
from regime3.lang.canon import canonical
from regime3.lang.problem import problem_of
from regime3.lang.terms import Term, is_literal, literal, value_of
from regime3.tasks import prose
from regime3.tasks.draw import Draw
from regime3.tasks.families.equations import FAMILY
from regime3.tasks.linear import answer_of, meaning, solve_equation

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import sympy
    from sympy.parsing.sympy_parser import (
        implicit_multiplication,
        parse_expr,
        standard_transformations,
    )

X = sympy.Symbol("x")
COUNT = 25


def in_sympy(term: Term) -> sympy.Expr:
    if term == "x0":
        return X
    if is_literal(term):
        found = Fraction(value_of(term))
        return sympy.Rational(found.numerator, found.denominator)
    assert isinstance(term, tuple)
    first, *rest = [in_sympy(each) for each in term[1:]]
    for each in rest:
        if term[0] == "scale":
            first *= each
        else:
            first = first - each if term[0] == "sub" else first + each
    return first


def answer_by_sympy(left: sympy.Expr, right: sympy.Expr) -> Term:
    found = sympy.solveset(left - right, X, sympy.S.Complexes)
    if found == sympy.S.Complexes:
        return "any"
    if not found:
        return "none"
    (only,) = found
    return literal(Fraction(int(only.p), int(only.q)))


def random_linear(draw: Draw, depth: int) -> Term:
    """Any expression of type L, however odd."""
    kind = draw.below(6 if depth else 3)
    if kind == 0:
        return "x0"
    if kind < 3:
        return literal(Fraction(draw.between(-6, 6), draw.between(1, 4)))
    if kind == 3:
        factor = literal(Fraction(draw.between(-5, 5), draw.between(1, 3)))
        return ("scale", factor, random_linear(draw, depth - 1))
    many = 2 if kind == 4 else draw.between(2, 3)
    parts = [random_linear(draw, depth - 1) for _ in range(many)]
    return ("sub" if kind == 4 else "add", *parts)


@pytest.mark.parametrize("level", range(1, 11))
def test_the_answer_is_that_of_sympy(level: int) -> None:
    for index in range(COUNT):
        problem = problem_of(FAMILY.draw(level, Draw(f"equations {level} {index}")).term)
        _, left, right = problem.term[1]
        answer = FAMILY.solve(problem)[-1][1]
        assert answer == answer_by_sympy(in_sympy(left), in_sympy(right)), problem.term


@pytest.mark.parametrize("level", range(1, 11))
def test_the_prompt_means_what_the_term_means(level: int) -> None:
    for index in range(COUNT):
        posed = FAMILY.draw(level, Draw(f"equations {level} {index}"))
        text = re.search(r"[-(x\d][-+/()x\d ]* = [-+/()x\d ]*[x\d)]", posed.prompt)
        assert text, posed.prompt
        rules = (*standard_transformations, implicit_multiplication)
        sides = [parse_expr(side, {"x": X}, transformations=rules) for side in text[0].split(" = ")]
        for side, term in zip(sides, posed.term[1][1:], strict=True):
            assert sympy.expand(side - in_sympy(term)) == 0, posed


def test_any_linear_equation_is_solved_and_accepted() -> None:
    from regime3.lang.check import check

    answers = set()
    for index in range(150):
        draw = Draw(f"any equation {index}")
        left, right = random_linear(draw, 3), random_linear(draw, 3)
        problem = problem_of(("solve", ("eqn", left, right)))
        body = FAMILY.solve(problem)
        verdict = check(problem, body)
        assert verdict.accepted, (problem.term, body, verdict)
        assert body[-1][1] == answer_by_sympy(in_sympy(left), in_sympy(right))
        answers.add(body[-1][1])
    assert {"none", "any"} <= answers


def test_every_kind_of_solution_and_every_rule_comes_up() -> None:
    rules: set[str] = set()
    answers: set[str] = set()
    for level in range(1, 11):
        for index in range(60):
            body = FAMILY.solve(problem_of(FAMILY.draw(level, Draw(f"rules {level} {index}")).term))
            rules |= {step[0] for step in body}
            answers.add(str(body[-1][1]) if isinstance(body[-1][1], str) else "one")
    assert rules == {"sub-both", "div-both", "mul-both", "expand", "swap", "qed"}
    assert answers == {"one", "none", "any"}


def test_a_collected_equation_takes_only_predicted_steps() -> None:
    from regime3.lang.replay import start

    for level in range(1, 11):
        for index in range(10):
            made = tasks.sample("equations", level, "train", index)
            state = start(made.problem, 1)
            for step in made.body[:-1]:
                if step[0] in ("sub-both", "div-both"):
                    assert state.bare(step) is not None, (made.problem.term, step)
                else:
                    assert step[0] in ("expand", "mul-both", "swap")
                assert state.play(step) is None
            assert ("qed", state.implied()) == made.body[-1]


def test_a_number_alone_before_x_alone_is_swapped() -> None:
    steps, answer = solve_equation(("eqn", 12, ("scale", 4, "x0")))
    assert [step[0] for step in steps] == ["swap", "div-both"]
    assert answer == 3


def test_fractions_go_first_then_brackets_then_like_terms() -> None:
    half = ("frac", 1, 2)
    left = ("add", ("scale", half, ("add", "x0", 3)), ("scale", 2, ("add", "x0", 1)))
    steps, answer = solve_equation(canonical(("eqn", left, 11)))
    assert [step[0] for step in steps] == ["mul-both", "expand", "expand", "sub-both", "div-both"]
    assert steps[0][1] == 2
    assert answer == 3


@pytest.mark.parametrize(
    "left, right, answer",
    [("x0", 3, 3), (4, 4, "any"), (4, 5, "none"), (3, "x0", None), ("x0", "x0", None)],
)
def test_an_equation_shows_its_answer_or_none(left: Term, right: Term, answer: Term | None) -> None:
    assert answer_of(left, right) == answer


@pytest.mark.parametrize(
    "term, text",
    [
        (("add", ("scale", 5, "x0"), 2), "5x + 2"),
        (("add", ("scale", -1, "x0"), -2), "-x - 2"),
        (("add", 7, ("scale", -2, ("add", "x0", 1))), "7 - 2(x + 1)"),
        (("sub", ("scale", 5, "x0"), ("add", "x0", -3)), "5x - (x - 3)"),
        (("scale", ("frac", 1, 2), "x0"), "x/2"),
        (("scale", ("frac", -2, 3), "x0"), "-2x/3"),
        (("scale", ("frac", 1, 3), ("add", "x0", 1)), "(x + 1)/3"),
        (("scale", 3, ("add", ("scale", 2, ("add", "x0", 1)), 4)), "3(2(x + 1) + 4)"),
        (("sub", 3, -4), "3 - (-4)"),
    ],
)
def test_sides_are_written_as_people_write_them(term: Term, text: str) -> None:
    assert prose.linear(term) == text
    assert sympy.expand(in_sympy(term)) == sympy.expand(in_sympy(meaning(term).term()))
