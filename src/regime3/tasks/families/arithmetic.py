"""Arithmetic: expressions of integers, later fractions, worked out step by step.

Levels 1 to 4 are integers below 100, level 4 with exact division; 5 and 6 bring fractions, written
as divisions. From 7 on half of the problems are long nested expressions and half are few operations
on large numbers: long multiplication, long addition, long division.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from regime3.lang.problem import Body, Problem
from regime3.lang.terms import Term
from regime3.tasks import prose
from regime3.tasks.draw import Draw
from regime3.tasks.expressions import evaluate, operate
from regime3.tasks.family import LEVELS, Posed

Grown = tuple[Term, Fraction]
"""An expression and its value."""

QUESTIONS = (
    "What is {e}?",
    "Calculate {e}.",
    "Work out {e}.",
    "What is the value of {e}?",
    "How much is {e}?",
    "Compute {e}.",
    "Evaluate {e}.",
)
TRIES_MAX = 40
"""Of finding an operation that keeps within a shape, before a sum or difference is taken."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Bounds of the expressions of a level; values are bounded at every node."""

    operations: tuple[int, int]
    names: tuple[str, ...]
    number_max: int
    factor_max: int = 12
    """Of at least one factor of every product, and of every divisor."""
    value_max: int = 99
    denominator_max: int = 1
    negative: bool = True


FIRST = Shape((1, 1), ("add", "add", "sub", "sub", "mul"), 99, factor_max=9, negative=False)
WHOLE = ("add", "add", "sub", "mul", "div")
SMALL = {
    2: Shape((2, 2), ("add", "sub", "mul"), 30, negative=False),
    3: Shape((3, 3), ("add", "sub", "mul"), 20),
    4: Shape((3, 4), WHOLE, 30),
    5: Shape((3, 4), ("add", "sub", "mul", "div", "div"), 12, 9, 50, 36),
    6: Shape((5, 6), ("add", "sub", "mul", "div", "div"), 15, 9, 50, 60),
    7: Shape((7, 8), (*WHOLE, "div"), 20, 9, 99, 36),
    8: Shape((9, 10), (*WHOLE, "div"), 25, 12, 150, 36),
    9: Shape((12, 13), (*WHOLE, "div"), 25, 12, 200, 60),
    10: Shape((15, 18), (*WHOLE, "div"), 30, 12, 300, 60),
}
"""Nested expressions of small numbers, by level."""


class Arithmetic:
    """The family."""

    name = "arithmetic"
    title = "arithmetic with integers and fractions"
    kinds = ("eval",)
    levels = LEVELS

    def draw(self, level: int, draw: Draw) -> Posed:
        """An expression and a question about it."""
        if level == 1:
            term, _ = _grown(draw, 1, FIRST)
        elif level in LARGE and draw.chance(1, 2):
            term = draw.choice(LARGE[level])(draw)
        else:
            shape = SMALL[level]
            if level >= min(LARGE) and draw.chance(1, 2):
                shape = replace(shape, denominator_max=1)
            term, _ = _grown(draw, draw.between(*shape.operations), shape)
        text = prose.infix(term, draw.choice(prose.SIGNS))
        return Posed(("eval", term), prose.ask(draw, QUESTIONS, e=text))

    def solve(self, problem: Problem) -> Body:
        """The steps that strategy 1 predicts, with openings where numbers are large."""
        steps, value = evaluate(problem.term[1])
        return (*steps, ("qed", value))


def _grown(draw: Draw, operations: int, shape: Shape) -> Grown:
    """An expression with that many operations, within the shape."""
    if operations == 0:
        number = draw.between(1, shape.number_max)
        return number, Fraction(number)
    for _ in range(TRIES_MAX):
        name = draw.choice(shape.names)
        found = (
            _factors(draw, name, shape)
            if name in ("mul", "div") and operations == 1
            else _joined(draw, name, operations, shape)
        )
        if found is not None and _fits(found[1], shape):
            return found
    return _fallen_back(draw, operations, shape)


def _factors(draw: Draw, name: str, shape: Shape) -> Grown:
    """One product or quotient of two numbers, not all of which fit the shape."""
    factor = draw.between(2, shape.factor_max)
    if name == "mul":
        other = draw.between(2, max(2, shape.value_max // factor))
        pair = (factor, other) if draw.chance(1, 2) else (other, factor)
        return ("mul", *pair), Fraction(factor * other)
    if shape.denominator_max > 1:
        over = draw.between(1, shape.number_max)
    else:
        over = factor * draw.between(2, max(2, shape.value_max // factor))
    return ("div", over, factor), Fraction(over, factor)


def _joined(draw: Draw, name: str, operations: int, shape: Shape) -> Grown | None:
    """Two smaller expressions under one operation, if it is one that a person would ask for."""
    left_operations = draw.below(operations)
    left, a = _grown(draw, left_operations, shape)
    right, b = _grown(draw, operations - 1 - left_operations, shape)
    if name in ("mul", "div") and (
        abs(a) < 2 or abs(b) < 2 or min(abs(a), abs(b)) > shape.factor_max
    ):
        return None
    if name == "div" and abs(b) > shape.factor_max:
        return None
    return (name, left, right), operate(name, a, b)


def _fits(value: Fraction, shape: Shape) -> bool:
    if value < 0 and not shape.negative:
        return False
    return abs(value) <= shape.value_max and value.denominator <= shape.denominator_max


def _fallen_back(draw: Draw, operations: int, shape: Shape) -> Grown:
    """A sum, or where that is too large the difference of the larger and the smaller."""
    (left, a), (right, b) = _grown(draw, operations - 1, shape), _grown(draw, 0, shape)
    if abs(a + b) <= shape.value_max:
        return ("add", left, right), a + b
    return (("sub", left, right), a - b) if a >= b else (("sub", right, left), b - a)


# Large numbers, from level 7 on. Each makes an expression of few operations.


def _large(draw: Draw, digits: int) -> int:
    """A number of that many digits, the first and the last of which are not 0."""
    inner = [draw.below(10) for _ in range(digits - 2)]
    return int("".join(map(str, [draw.between(1, 9), *inner, draw.between(1, 9)])))


def _product(draw: Draw, digits_a: int, digits_b: int) -> Term:
    return ("mul", _large(draw, digits_a), _large(draw, digits_b))


def _sum(draw: Draw, *digits: int) -> Term:
    return ("add", *[_large(draw, each) for each in digits])


def _quotient(draw: Draw, digits: int, divisor_digits: int) -> Term:
    """An exact quotient of that many digits."""
    divisor = draw.between(max(2, 10 ** (divisor_digits - 1)), 10**divisor_digits - 1)
    return ("div", _large(draw, digits) * divisor, divisor)


def _shared(draw: Draw, digits: int, divisor_digits: int) -> Term:
    """A sum of two numbers, divided exactly."""
    divisor = draw.between(max(2, 10 ** (divisor_digits - 1)), 10**divisor_digits - 1)
    first = _large(draw, digits)
    second = _large(draw, digits)
    return ("div", ("add", first, second + -(first + second) % divisor), divisor)


LARGE: dict[int, tuple[Callable[[Draw], Term], ...]] = {
    7: (
        lambda draw: _product(draw, 2, 2),
        lambda draw: _sum(draw, 4, 4),
        lambda draw: _quotient(draw, draw.between(3, 4), 1),
    ),
    8: (
        lambda draw: _product(draw, 3, 2),
        lambda draw: ("add", _product(draw, 2, 2), _large(draw, 4)),
        lambda draw: _sum(draw, 5, 5),
        lambda draw: ("sub", _quotient(draw, 3, draw.between(1, 2)), _large(draw, 2)),
    ),
    9: (
        lambda draw: ("add", _product(draw, 3, 2), _product(draw, 2, 2)),
        lambda draw: ("sub", _product(draw, 3, 3), _large(draw, 4)),
        lambda draw: _sum(draw, 5, 5, 4),
        lambda draw: _shared(draw, 4, 1),
    ),
    10: (
        lambda draw: ("add", _product(draw, 4, 3), _large(draw, 6)),
        lambda draw: ("sub", _product(draw, 3, 3), _product(draw, 3, 2)),
        lambda draw: ("add", _quotient(draw, 4, 2), _product(draw, 3, 2)),
        lambda draw: _shared(draw, 6, 2),
    ),
}
"""Few operations on large numbers, by level."""

FAMILY = Arithmetic()
