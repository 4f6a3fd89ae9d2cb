"""Fractions in lowest terms: which numerators and denominators may be finished.

`(frac p q)` wants q >= 2 and no common divisor, so what may stand below depends on the number
above. These questions are asked only inside a fraction, of numbers of at most 64 digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import gcd
from typing import Final

from regime3.lang import codes, signature
from regime3.lang.masks.states import ATOMS, DIGITS, LAST_DIGITS, REFERENCES

NEVER: Final = signature.DIGITS_MAX + 1
"""More codes than any integer has."""
TIGHT: Final = 2
"""With this much slack some denominator fits, however few numbers are prime to the numerator."""
_DEEPER_MAX: Final = 3
"""How many digits beyond the fewest to try. A number of 64 digits has at most 40 prime divisors, so
among the thousands of numbers tried there are some that it shares none with."""


def digits_left(above: int, low: int, count: int, least: int) -> int:
    """The fewest digits that finish a denominator prime to `above` whose lowest `count` are `low`.

    The whole has `least` digits or more. `NEVER`, if there is no way.
    """
    if count and gcd(low, above, 10) > 1:
        return NEVER
    place = 10**count
    first = max(1, least - count)
    for more in range(first, min(first + _DEEPER_MAX, signature.DIGITS_MAX - count) + 1):
        tops = range(10 ** (more - 1), 10**more)
        if any(gcd(low + top * place, above) == 1 for top in tops):
            return more
    return NEVER


def fits(above: int, slack: int, atoms: bool) -> bool:
    """Whether some denominator below `above` fits into one code and the slack."""
    if slack >= TIGHT or any(gcd(small, above) == 1 for small in range(2, 100 if atoms else 10)):
        return True
    return digits_left(above, 0, 0, 3 if atoms else 2) <= 1 + slack


def below(
    above: int, low: int, count: int, left: int, history: Sequence[int], atoms: bool
) -> bytes:
    """The mask below `above`, after `count` digits, `low`, with `left` codes for the rest."""
    allowed = bytearray(_spelled(above, low, count, min(left, NEVER), atoms))
    if count == 0:
        for code, value in zip(REFERENCES, history, strict=False):
            allowed[code] = value >= 2 and gcd(value, above) == 1
    return bytes(allowed)


@lru_cache(maxsize=4096)
def _spelled(above: int, low: int, count: int, left: int, atoms: bool) -> bytes:
    """The mask without references; the same few fractions come again and again."""
    allowed = bytearray(codes.CODES_MAX)
    least = 3 if atoms else 2
    place = 10**count
    for code, digit in zip(DIGITS, range(10), strict=True):
        rest = digits_left(above, low + digit * place, count + 1, least)
        allowed[code] = rest < left and count + 1 < signature.DIGITS_MAX
    if count == 0:
        ones = ATOMS if atoms else LAST_DIGITS
        for value in range(2, len(ones)):
            allowed[ones[value]] = gcd(value, above) == 1
    elif count + 1 >= least:
        for digit in range(1, 10):
            allowed[LAST_DIGITS[digit]] = gcd(low + digit * place, above) == 1
    return bytes(allowed)
