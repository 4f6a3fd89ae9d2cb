"""How the next equation of `solve` is told by its new numbers alone.

    plan = foreseen(parse("(eqn (add (scale 2 x0) 1) 7)"), gathers=True)
    plan.head                        # ("sub-both", 1)
    plan.equation((6,))              # ("eqn", ("scale", 2, "x0"), 6)
    plan.numbers(("eqn", ("scale", 2, "x0"), 6))     # (6,)

A plan is the step that comes next and what is left open about it. What it says of the numbers is
where they stand, never what they are. SPEC.md, section 5: solve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

from regime3.lang.replay import gather, linear
from regime3.lang.replay.state import Head
from regime3.lang.signature import PROBLEM_NODES_MAX
from regime3.lang.terms import Term, is_literal, size

NUMBERS_MAX: Final = 32
"""An equation with more new numbers than that is spelled."""

Numbers = tuple[Term, ...]


class Plan(Protocol):
    """The next step, but for its numbers."""

    @property
    def head(self) -> Head:
        """The rule and its operand."""
        ...

    @property
    def count(self) -> int:
        """How many numbers tell the equation; 1 or more."""
        ...

    def equation(self, numbers: Numbers) -> Any:
        """The equation with these numbers."""
        ...

    def numbers(self, equation: Any) -> Numbers | None:
        """The numbers of an equation; None if they do not tell it."""
        ...


def foreseen(equation: Any, gathers: bool) -> Plan | None:
    """The step that comes next; `gathers`: also while a side is not collected."""
    left, right = linear.parts_of(equation[1]), linear.parts_of(equation[2])
    if left is None or right is None:
        return _gathering(equation, left, right) if gathers else None
    if right[0] != 0:
        if gathers and left[0] == 0 and right[1] == 0:
            return Exchanged(equation)
        return Moved(("sub-both", linear.side(right[0], 0)), left, right)
    if left[0] == 0:
        return None
    if left[1] != 0:
        return Moved(("sub-both", left[1]), left, right)
    return None if left[0] == 1 else Moved(("div-both", left[0]), left, right)


def _gathering(equation: Any, left: Any, right: Any) -> Plan | None:
    found = gather.gathered(equation)
    if found is None:
        return Collected(equation, tuple([n for n, p in ((1, left), (2, right)) if p is None]))
    head, shape = found
    sides = tuple([side for side in (1, 2) if shape[side] != equation[side]])
    plan = Shaped(head, equation, shape, sides)
    if not 0 < plan.count <= NUMBERS_MAX:
        return None
    # Wherever a number is to come, a fraction may: two more nodes.
    nodes = size((*head, shape)) + 2 * plan.count
    return plan if nodes <= PROBLEM_NODES_MAX else None


@dataclass(frozen=True, slots=True)
class Moved:
    """Both sides are collected and stay so: one number is new."""

    head: Head
    left: tuple[Term, Term]
    right: tuple[Term, Term]
    """Coefficient and constant before."""
    count = 1

    def equation(self, numbers: Numbers) -> Any:
        """`numbers` is the new coefficient on the left, or what is on the right."""
        coefficient, constant = self.left
        if self.right[0] != 0:
            return ("eqn", linear.side(numbers[0], constant), self.right[1])
        return ("eqn", linear.side(1 if self.head[0] == "div-both" else coefficient, 0), numbers[0])

    def numbers(self, equation: Any) -> Numbers | None:
        """The one new number."""
        number: Term = equation[2]
        if self.right[0] != 0:
            parts = linear.parts_of(equation[1])
            if parts is None:
                return None
            number = parts[0]
        return (number,) if is_literal(number) else None


@dataclass(frozen=True, slots=True)
class Exchanged:
    """A number alone on the left changes places with X alone on the right."""

    before: Any
    head: Head = ("swap",)
    count = 1

    def equation(self, numbers: Numbers) -> Any:
        """`numbers` is what stands on the right then."""
        return ("eqn", self.before[2], numbers[0])

    def numbers(self, equation: Any) -> Numbers | None:
        """The number on the right."""
        return (equation[2],) if is_literal(equation[2]) else None


@dataclass(frozen=True, slots=True)
class Collected:
    """Sides are collected: a coefficient and a constant for each that was not."""

    before: Any
    sides: tuple[int, ...]
    head: Head = ("expand",)

    @property
    def count(self) -> int:
        """Two for each side."""
        return 2 * len(self.sides)

    def equation(self, numbers: Numbers) -> Any:
        """The sides with these coefficients and constants."""
        after = list(self.before)
        for place, side in enumerate(self.sides):
            after[side] = linear.side(*numbers[2 * place : 2 * place + 2])
        return tuple(after)

    def numbers(self, equation: Any) -> Numbers | None:
        """Coefficients and constants."""
        found: Numbers = ()
        for side in self.sides:
            parts = linear.parts_of(equation[side])
            if parts is None:
                return None
            found += parts
        return found


class Shaped:
    """Fractions or brackets go: the numbers of the sides that change."""

    __slots__ = ("before", "count", "head", "shape", "sides")

    def __init__(self, head: Head, before: Any, shape: Any, sides: tuple[int, ...]) -> None:
        self.head, self.before, self.sides = head, before, sides
        self.shape = shape
        """The equation that is right; of its numbers only the places are used."""
        self.count = sum(gather.places_in(shape[side]) for side in sides)

    def equation(self, numbers: Numbers) -> Any:
        """The shape with these numbers, canonical."""
        waiting = iter(numbers)
        after = list(self.before)
        for side in self.sides:
            after[side] = gather.with_numbers(self.shape[side], waiting)
        return tuple(after)

    def numbers(self, equation: Any) -> Numbers | None:
        """The numbers of the sides that change."""
        found: Numbers = ()
        for side in self.sides:
            part = gather.numbers_in(self.shape[side], equation[side])
            if part is None:
                return None
            found += part
        return found
