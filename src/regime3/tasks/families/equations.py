"""Equations in one unknown, linear, with one solution, none, or any number.

One side at levels 1 and 2, both sides at 3 and 4 (4 with solutions that are fractions), like terms
to collect at 5, brackets at 6 and 7, fractions at 8, nested brackets at 9, all of it at 10. From
level 3 on a share of the equations has no solution, or all numbers for solutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from regime3.lang.problem import Body, Problem
from regime3.lang.replay.gather import scaled
from regime3.lang.terms import Term
from regime3.tasks import prose
from regime3.tasks.draw import Draw
from regime3.tasks.family import LEVELS, Posed
from regime3.tasks.linear import Meaning, answer_of, meaning, solve_equation

QUESTIONS = (
    "Solve for x: {e}.",
    "Solve the equation {e}.",
    "Find x if {e}.",
    "For which x is {e}?",
    "What is x in {e}?",
    "Solve {e} for x.",
    "Which value of x makes {e} true?",
)
TRIES_MAX = 500
"""Of drawing an equation within a shape's bounds."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What stands on the sides of an equation, one letter a summand, and how large.

    x: a multiple of x; n: a number; f: a fraction of x; b: a bracket times an integer; g: a bracket
    times a fraction; m: minus a bracket; d: a bracket in a bracket. The right side also gets the
    number that makes the solution come out.
    """

    sides: tuple[tuple[str, str], ...]
    factor_max: int
    number_max: int
    """Of a number in a bracket or beside one."""
    solution_max: int
    balance_max: int = 99
    negative: bool = True
    free: bool = False
    """The number on the right is any, so that solutions are fractions."""
    odd_share: int = 0
    """Percent that have no solution, or any number for one, half each."""
    turned_share: int = 20
    """Percent that have their sides exchanged."""


SHAPES = {
    1: Shape(
        (("xn", ""), ("xn", ""), ("xn", ""), ("x", "")), 9, 40, 12, negative=False, turned_share=0
    ),
    2: Shape((("xn", ""), ("xn", ""), ("xn", ""), ("x", "")), 12, 50, 15, turned_share=40),
    3: Shape((("xn", "x"), ("xn", "x"), ("x", "x")), 9, 30, 12, odd_share=10),
    4: Shape((("xn", "x"), ("x", "x"), ("xn", ""), ("n", "x")), 12, 40, 0, free=True, odd_share=10),
    5: Shape((("xnx", "xn"), ("xxn", "x"), ("xnxn", ""), ("xn", "xx")), 9, 30, 12, odd_share=10),
    6: Shape((("b", "x"), ("bn", ""), ("bx", "x"), ("x", "b")), 6, 12, 12, odd_share=10),
    7: Shape((("b", "b"), ("bn", "bx"), ("bm", "x"), ("xm", "b")), 7, 12, 15, odd_share=15),
    8: Shape((("ff", ""), ("fn", "fx"), ("g", "x"), ("fg", "x"), ("gg", "")), 6, 12, 30),
    9: Shape((("d", "xn"), ("d", "b"), ("dx", "bn"), ("db", "m")), 5, 10, 15, 999, odd_share=15),
    10: Shape((("dg", "b"), ("gf", "dx"), ("db", "gn"), ("dd", "g")), 6, 12, 30, 999, odd_share=10),
}


class Equations:
    """The family."""

    name = "equations"
    title = "linear equations in one unknown"
    kinds = ("solve",)
    levels = LEVELS

    def draw(self, level: int, draw: Draw) -> Posed:
        """An equation and a question about it."""
        for _ in range(TRIES_MAX):
            equation = _equation(draw, SHAPES[level])
            if equation is not None:
                break
        assert equation is not None, f"level {level}"
        text = prose.equation(equation)
        return Posed(("solve", equation), prose.ask(draw, QUESTIONS, e=text))

    def solve(self, problem: Problem) -> Body:
        """Collected by `mul-both` and `expand`, then the steps that strategy 1 predicts."""
        steps, answer = solve_equation(problem.term[1])
        return (*steps, ("qed", answer))


def _equation(draw: Draw, shape: Shape) -> Term | None:
    """An equation of the shape, or None if a number came out too large or not whole."""
    left_letters, right_letters = draw.choice(shape.sides)
    left = [_summand(draw, letter, shape) for letter in left_letters]
    right = [_summand(draw, letter, shape) for letter in right_letters]
    gap = _total(left) - _total(right)
    kind = "one"
    if draw.chance(shape.odd_share, 100):
        kind = draw.choice(("none", "any"))
        if gap.a:
            right.append(scaled(gap.a, "x0"))
    elif gap.a == 0:
        return None
    balance = _balance(draw, gap, kind, shape)
    if balance.denominator > 1 or abs(balance) > shape.balance_max:
        return None
    if not shape.negative and balance < 0:
        return None
    sides = _side(draw, left, 0), _side(draw, right, balance.numerator)
    if answer_of(*sides) is not None:
        return None
    return ("eqn", *(reversed(sides) if draw.chance(shape.turned_share, 100) else sides))


def _balance(draw: Draw, gap: Meaning, kind: str, shape: Shape) -> Fraction:
    """The number on the right that gives the equation its kind of solution."""
    if kind == "any":
        return gap.b
    if kind == "none":
        return gap.b + draw.between(1, shape.number_max) * draw.choice((1, -1))
    if shape.free:
        return Fraction(_number(draw, shape.number_max, shape))
    solution = _number(draw, shape.solution_max, shape)
    return gap.a * solution + gap.b


def _total(summands: list[Term]) -> Meaning:
    return meaning(("add", 0, *summands))


def _side(draw: Draw, summands: list[Term], balance: int) -> Term:
    """The sum, in an order of its own, with the number that balances the equation."""
    terms = list(summands)
    if balance or not terms:
        terms.append(balance)
    draw.shuffle(terms)
    taken = [each for each in terms if isinstance(each, tuple) and each[0] == "sub"]
    kept = [each for each in terms if each not in taken] or [0]
    term = ("add", *kept) if len(kept) > 1 else kept[0]
    for each in taken:
        term = ("sub", term, each[2])
    return term


def _number(draw: Draw, largest: int, shape: Shape) -> int:
    """Not 0, and up to `largest` away from it."""
    size = draw.between(1, largest)
    return -size if shape.negative and draw.chance(1, 3) else size


def _factor(draw: Draw, shape: Shape) -> Fraction:
    """Not 0 or 1."""
    size = draw.between(2, shape.factor_max)
    return Fraction(-size if shape.negative and draw.chance(1, 4) else size)


def _fraction(draw: Draw, shape: Shape) -> Fraction:
    """Not whole, with small terms."""
    under = draw.between(2, shape.factor_max)
    over = draw.choice([n for n in range(1, under + 2) if Fraction(n, under).denominator == under])
    return Fraction(-over if draw.chance(1, 5) else over, under)


def _summand(draw: Draw, letter: str, shape: Shape) -> Term:
    """One summand, by its letter in `Shape`."""
    if letter == "n":
        return _number(draw, shape.number_max, shape)
    if letter == "x":
        return _multiple(draw, shape)
    if letter == "f":
        return scaled(_fraction(draw, shape), "x0")
    inside = [_multiple(draw, shape), _number(draw, shape.number_max, shape)]
    if letter == "d":
        inside[draw.below(2)] = _summand(draw, "b", shape)
    draw.shuffle(inside)
    bracket = ("add", *inside)
    if letter == "m":
        return ("sub", 0, bracket)
    return scaled(_fraction(draw, shape) if letter == "g" else _factor(draw, shape), bracket)


def _multiple(draw: Draw, shape: Shape) -> Term:
    """x, or a multiple of it."""
    return "x0" if draw.chance(1, 5) else scaled(_factor(draw, shape), "x0")


FAMILY = Equations()
