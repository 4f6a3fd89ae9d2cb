"""How the oracle solves linear equations, and what an expression in x0 means.

    solve_equation(parse("(eqn (add (scale 5 x0) 2) x0)"))     # sub-both x0, sub-both 2, div-both 4

While a side is not collected (a number, X, or X plus a number; X is x0 or a multiple of it):
fractions go first, by `mul-both` with their common denominator; then `expand` multiplies out the
outermost brackets; then `expand` collects. When both are collected the steps are those that
strategy 1 predicts (SPEC.md, section 5), but for one: a number alone on the left and X alone on the
right are exchanged by `swap`, which saves two steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import lcm

from regime3.lang.canon import canonical
from regime3.lang.problem import Step
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


def scaled(n: Fraction, term: Term) -> Term:
    """n times a term, without `(scale 1 …)`."""
    return term if n == 1 else ("scale", literal(n), term)


Piece = tuple[Fraction, Term]
"""A factor and what it multiplies: x0, 1, or something in brackets."""


def pieces(term: Term, factor: Fraction = Fraction(1)) -> list[Piece]:
    """The summands of a side, `sub` as a factor of -1; brackets stay closed."""
    if is_literal(term):
        return [(factor * value_of(term), 1)]
    if isinstance(term, tuple) and term[0] == "add":
        return [piece for each in term[1:] for piece in pieces(each, factor)]
    if isinstance(term, tuple) and term[0] == "sub":
        return pieces(term[1], factor) + pieces(term[2], -factor)
    if isinstance(term, tuple):
        return [(factor * value_of(term[1]), term[2])]
    return [(factor, term)]


def solve_equation(equation: Term) -> tuple[list[Step], Term]:
    """The steps to the answer, and the answer: a number, none or any."""
    assert isinstance(equation, tuple)
    left, right = canonical(equation[1]), canonical(equation[2])
    steps: list[Step] = []
    while (answer := answer_of(left, right)) is None:
        collected = meaning(left).term() == left and meaning(right).term() == right
        rule, left, right = _collected(left, right) if collected else _gathered(left, right)
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


def _gathered(left: Term, right: Term) -> Done:
    """The next step on the way to collected sides."""
    common = lcm(*[factor.denominator for side in (left, right) for factor, _ in pieces(side)])
    if common > 1:
        return ("mul-both", common), _times(left, common), _times(right, common)
    if any(_bracketed(side) for side in (left, right)):
        return ("expand",), _multiplied_out(left), _multiplied_out(right)
    return ("expand",), meaning(left).term(), meaning(right).term()


def _bracketed(side: Term) -> bool:
    """Whether there is a bracket to multiply out. What may be collected at once is none."""
    return any(term not in ("x0", 1) for _, term in pieces(side))


def _times(side: Term, n: int) -> Term:
    """n times a side, summand by summand."""
    return _sum([(factor * n, term) for factor, term in pieces(side)])


def _multiplied_out(side: Term) -> Term:
    """The side with its outermost brackets multiplied out; a side without any stays."""
    if not _bracketed(side):
        return side
    opened = [(factor, pieces(term)) for factor, term in pieces(side)]
    return _sum([(factor * inner, each) for factor, parts in opened for inner, each in parts])


def _sum(summands: list[Piece]) -> Term:
    terms = [literal(n) if term == 1 else scaled(n, term) for n, term in summands]
    return canonical(("add", *terms)) if len(terms) > 1 else terms[0]
