"""The way to a collected equation: fractions first, then brackets, one layer at a time.

    gathered(parse("(eqn (scale 4 (add (scale 2 x0) 1)) 12)"))
    # (("expand",), ("eqn", ("add", ("scale", 8, "x0"), 4), 12))

This is how the oracle goes about it, and so what prediction looks for. It stops where only
collecting is left to do. SPEC.md, section 5.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Any, Final

from regime3.lang.canon import make
from regime3.lang.signature import DIGITS_MAX
from regime3.lang.terms import Term, is_literal, literal, value_of

Number = int | Fraction
Piece = tuple[Number, Term]
"""A factor and what it multiplies: x0, 1, or something in brackets."""

_FACTOR_MAX: Final = 10**DIGITS_MAX
"""What both sides would be multiplied by stays below it, or could not be written."""


def gathered(equation: Any) -> tuple[tuple[Any, ...], Any] | None:
    """The rule with its operand and the equation it makes, or None: no bracket, no fraction, or
    fractions with a common denominator too long to be written."""
    sides = [pieces(side) for side in equation[1:]]
    common = 1
    for side in sides:
        for factor, _ in side:
            common = lcm(common, factor.denominator)
            if common >= _FACTOR_MAX:
                return None
    if common > 1:
        return ("mul-both", common), ("eqn", *[_times(side, common) for side in sides])
    if any(map(_is_bracketed, sides)):
        opened = map(_multiplied_out, equation[1:], sides)
        return ("expand",), ("eqn", *opened)
    return None


def pieces(term: Any, factor: Number = 1) -> list[Piece]:
    """The summands of a side, `sub` as a factor of -1; brackets stay closed."""
    if is_literal(term):
        return [(factor * value_of(term), 1)]
    if term == "x0":
        return [(factor, term)]
    if term[0] == "add":
        return [piece for each in term[1:] for piece in pieces(each, factor)]
    if term[0] == "sub":
        return pieces(term[1], factor) + pieces(term[2], -factor)
    return [(factor * value_of(term[1]), term[2])]


def scaled(n: Number, term: Term) -> Term:
    """n times a term, without `(scale 1 …)`."""
    return term if n == 1 else ("scale", literal(n), term)


def _is_bracketed(side: list[Piece]) -> bool:
    """Whether there is a bracket to multiply out. What may be collected at once is none."""
    return any(term not in ("x0", 1) for _, term in side)


def _times(side: list[Piece], n: int) -> Term:
    """n times a side, summand by summand."""
    return _sum([(factor * n, term) for factor, term in side])


def _multiplied_out(term: Term, side: list[Piece]) -> Term:
    """The side with its outermost brackets multiplied out; a side without any stays."""
    if not _is_bracketed(side):
        return term
    return _sum([piece for factor, each in side for piece in pieces(each, factor)])


def _sum(summands: list[Piece]) -> Term:
    terms = [literal(n) if term == 1 else scaled(n, term) for n, term in summands]
    return make("add", *terms) if len(terms) > 1 else terms[0]


# ------------------------------------------------------------------------------ numbers of a side


def places_in(shape: Any) -> int:
    """How many numbers a term has."""
    if shape.__class__ is not tuple:
        return int(is_literal(shape))
    return 1 if shape[0] == "frac" else sum(map(places_in, shape[1:]))


def numbers_in(shape: Any, term: Any) -> tuple[Term, ...] | None:
    """The numbers of a term that differs from `shape` in its numbers alone, in reading order."""
    if is_literal(shape):
        return (term,) if is_literal(term) else None
    if shape.__class__ is not tuple or term.__class__ is not tuple:
        return () if shape == term else None
    if len(shape) != len(term) or shape[0] != term[0]:
        return None
    found: tuple[Term, ...] = ()
    for wanted, part in zip(shape[1:], term[1:], strict=True):
        numbers = numbers_in(wanted, part)
        if numbers is None:
            return None
        found += numbers
    return found


def with_numbers(shape: Any, numbers: Any) -> Term:
    """The canonical term of that shape with the next of `numbers`, an iterator, in its places."""
    if is_literal(shape):
        return next(numbers)  # type: ignore[no-any-return]
    if shape.__class__ is not tuple:
        return shape  # type: ignore[no-any-return]
    return make(shape[0], *[with_numbers(part, numbers) for part in shape[1:]])
