"""Exact arithmetic on literals: integers, and fractions as `("frac", p, q)`.

    computed("r-div", 9, 6)      # ("frac", 3, 2)

Plain integers throughout, because a check does this at every step; no floats anywhere.
"""

from __future__ import annotations

from math import gcd

from regime3.lang.terms import Term


def ratio(literal: Term) -> tuple[int, int]:
    """Numerator and denominator, the latter 1 or more."""
    if isinstance(literal, tuple):
        return literal[1], literal[2]
    assert isinstance(literal, int)
    return literal, 1


def lowest(over: int, under: int) -> Term:
    """The literal of over/under; under is not 0."""
    shared = gcd(over, under)
    if under < 0:
        shared = -shared
    over //= shared
    under //= shared
    return over if under == 1 else ("frac", over, under)


def computed(rule: str, a: Term, b: Term) -> Term | None:
    """What `r-add`, `r-sub`, `r-mul` or `r-div` makes of two literals; None for a/0."""
    if isinstance(a, int) and isinstance(b, int) and rule != "r-div":
        if rule == "r-add":
            return a + b
        return a - b if rule == "r-sub" else a * b
    p, q = ratio(a)
    r, s = ratio(b)
    if rule == "r-add":
        return lowest(p * s + r * q, q * s)
    if rule == "r-sub":
        return lowest(p * s - r * q, q * s)
    if rule == "r-mul":
        return lowest(p * r, q * s)
    return lowest(p * s, q * r) if r else None
