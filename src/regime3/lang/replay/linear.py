"""What linear expressions mean, and the collected spelling of a meaning.

    meaning(("add", ("scale", 4, "x0"), 2))      # (4, 2, 1): (4 x0 + 2) / 1
    collected((4, 2, 1))                         # ("add", ("scale", 4, "x0"), 2)

A meaning (a, b, d) is (a*x0 + b)/d over the integers in lowest terms, d >= 1, so equal meanings are
equal tuples. Where a number grows beyond `MEANING_BITS_MAX` bits there is None: literals are far
shorter, and nothing may take long. SPEC.md, section 4: solve.
"""

from __future__ import annotations

from math import gcd
from typing import Any, Final

from regime3.lang.replay.rationals import lowest, ratio
from regime3.lang.terms import Term

Meaning = tuple[int, int, int]

MEANING_BITS_MAX: Final = 1024
"""Of a, b and d: more than 300 digits, where a literal has 64."""


def meaning(term: Any) -> Meaning | None:
    """What an L means; None if its numbers grow too long."""
    if term.__class__ is int:
        return 0, term, 1
    if term == "x0":
        return 1, 0, 1
    name = term[0]
    if name == "frac":
        return 0, term[1], term[2]
    if name == "scale":
        return multiplied(meaning(term[2]), term[1])
    total = meaning(term[1])
    for part in term[2:]:
        total = added(total, meaning(part), 1 if name == "add" else -1)
    return total


def added(left: Meaning | None, right: Meaning | None, sign: int) -> Meaning | None:
    """left + sign*right, sign being 1 or -1."""
    if left is None or right is None:
        return None
    a, b, d = left
    p, q, e = right
    if d == e == 1:
        return _bounded(a + sign * p, b + sign * q, 1)
    return _bounded(a * e + sign * p * d, b * e + sign * q * d, d * e)


def multiplied(left: Meaning | None, number: Term) -> Meaning | None:
    """left times a literal."""
    if left is None:
        return None
    over, under = ratio(number)
    a, b, d = left
    return _bounded(a * over, b * over, d * under)


def divided(left: Meaning | None, number: Term) -> Meaning | None:
    """left by a literal that is not 0."""
    if left is None:
        return None
    over, under = ratio(number)
    a, b, d = left
    return _bounded(a * under, b * under, d * over)


def _bounded(a: int, b: int, d: int) -> Meaning | None:
    if d != 1:
        shared = gcd(a, b, d)
        if d < 0:
            shared = -shared
        if shared != 1:
            a, b, d = a // shared, b // shared, d // shared
    if max(a.bit_length(), b.bit_length(), d.bit_length()) > MEANING_BITS_MAX:
        return None
    return a, b, d


def collected(found: Meaning) -> Term:
    """The collected spelling of a meaning."""
    a, b, d = found
    return side(lowest(a, d), lowest(b, d))


def side(coefficient: Term, constant: Term) -> Term:
    """The collected side with these literals: v, X or (add X v), X being x0 or (scale a x0)."""
    if coefficient == 0:
        return constant
    variable: Term = "x0" if coefficient == 1 else ("scale", coefficient, "x0")
    return variable if constant == 0 else ("add", variable, constant)


def parts_of(term: Any) -> tuple[Term, Term] | None:
    """Coefficient and constant of a side that is collected, else None."""
    if term.__class__ is int:
        return 0, term
    if term == "x0":
        return 1, 0
    name = term[0]
    if name == "frac":
        return 0, term
    if name == "scale":
        return None if term[2] != "x0" or term[1] in (0, 1) else (term[1], 0)
    if name != "add" or len(term) != 3 or not _is_constant(term[2]):
        return None
    variable = parts_of(term[1])
    if variable is None or variable[0] == 0 or variable[1] != 0:
        return None
    return variable[0], term[2]


def _is_constant(term: Any) -> bool:
    """A literal that is not 0."""
    return bool(term != 0 and (term.__class__ is int or term[0] == "frac"))
