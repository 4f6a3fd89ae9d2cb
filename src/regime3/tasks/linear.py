"""How the oracle solves linear equations, and what an expression in x0 means.

    solve_equation(parse("(eqn (add (scale 5 x0) 2) x0)"))     # sub-both x0, sub-both 2, div-both 4

While a side is not collected (a number, X, or X plus a number; X is x0 or a multiple of it):
the steps are those of `lang.replay.gather` (fractions first, then brackets, a layer at a time), and
then `expand` collects. When both are collected the steps are those that strategy 1 predicts
(SPEC.md, section 5), but for one: a number alone on the left and X alone on the right are exchanged
by `swap`, which saves two steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from regime3.lang.canon import canonical
from regime3.lang.problem import Step
from regime3.lang.replay.gather import gathered, scaled
from regime3.lang.terms import Term, is_literal, literal, value_of


@dataclass(frozen=True, slots=True)
class Meaning:
    """a x0 + b."""

    a: Fraction
    b: Fraction

    def __add__(self, other: Meaning) -> Meaning:
        return Meaning(self.a + other.a, self.b + other.b)

    def __sub__(self, other: Meaning) -> Meaning:
        return Meaning(self.a - other.a, self.b - other.b)

    def times(self, n: Fraction) -> Meaning:
        """n times it."""
        return Meaning(self.a * n, self.b * n)

    def term(self) -> Term:
        """It, collected."""
        if self.a == 0:
            return literal(self.b)
        x = scaled(self.a, "x0")
        return x if self.b == 0 else ("add", x, literal(self.b))


def meaning(term: Term) -> Meaning:
    """What an expression of type L means."""
    if term == "x0":
        return Meaning(Fraction(1), Fraction(0))
    if is_literal(term):
        return Meaning(Fraction(0), Fraction(value_of(term)))
    assert isinstance(term, tuple)
    name, first, *rest = term
    if name == "scale":
        return meaning(rest[0]).times(Fraction(value_of(first)))
    found = meaning(first)
    for each in rest:
        found = found - meaning(each) if name == "sub" else found + meaning(each)
    return found


def solve_equation(equation: Term) -> tuple[list[Step], Term]:
    """The steps to the answer, and the answer: a number, none or any."""
    assert isinstance(equation, tuple)
    left, right = canonical(equation[1]), canonical(equation[2])
    steps: list[Step] = []
    while (answer := answer_of(left, right)) is None:
        collected = meaning(left).term() == left and meaning(right).term() == right
        rule, left, right = _collected(left, right) if collected else _scattered(left, right)
        steps.append((*rule, ("eqn", left, right)))
    return steps, answer


def answer_of(left: Term, right: Term) -> Term | None:
    """The answer that an equation shows, if it does."""
    if not is_literal(right):
        return None
    if left == "x0":
        return right
    if is_literal(left):
        return "any" if left == right else "none"
    return None


Done = tuple[tuple[Term, ...], Term, Term]
"""Rule and operands, the new left side, the new right side."""


def _collected(left: Term, right: Term) -> Done:
    """The next step when both sides are collected."""
    a, b = meaning(left), meaning(right)
    if b.a:
        if a.a == 0 and b.b == 0:
            return ("swap",), right, left
        taken = Meaning(b.a, Fraction(0))
    elif a.b:
        taken = Meaning(Fraction(0), a.b)
    else:
        return ("div-both", literal(a.a)), a.times(1 / a.a).term(), b.times(1 / a.a).term()
    return ("sub-both", taken.term()), (a - taken).term(), (b - taken).term()


def _scattered(left: Term, right: Term) -> Done:
    """The next step on the way to collected sides."""
    found = gathered(("eqn", left, right))
    if found is None:
        return ("expand",), meaning(left).term(), meaning(right).term()
    rule, equation = found
    assert isinstance(equation, tuple)
    return rule, equation[1], equation[2]
