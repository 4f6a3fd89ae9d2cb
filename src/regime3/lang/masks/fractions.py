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
from regime3.lang.masks.states import REFERENCES
from regime3.lang.spelling import Spelling

NEVER: Final = signature.DIGITS_MAX + 1
"""More codes than any integer has."""
TIGHT: Final = 2
"""With this much slack some denominator fits, however few numbers are prime to the numerator."""
_DEEPER_MAX: Final = 3
"""How many digits beyond the fewest to try. A number of 64 digits has at most 40 prime divisors, so
among the thousands of numbers tried there are some that it shares none with."""


def digits_left(above: int, low: int, count: int, spelled: Spelling) -> int:
    """The fewest digits that finish a denominator prime to `above` whose lowest `count` are `low`.

    The whole is of two codes or more. `NEVER`, if there is no way.
    """
    # 100 has the same prime divisors as 10, so this holds for pairs too.
    if count and gcd(low, above, 10) > 1:
        return NEVER
    base = spelled.base
    place = base**count
    first = max(1, spelled.digits_least - count)
    for more in range(first, min(first + _DEEPER_MAX, spelled.digits_max - count) + 1):
        tops = range(base ** (more - 1), base**more)
        if any(gcd(low + top * place, above) == 1 for top in tops):
            return more
    return NEVER


def fits(above: int, slack: int, spelled: Spelling) -> bool:
    """Whether some denominator below `above` fits into one code and the slack."""
    if slack >= TIGHT or any(gcd(small, above) == 1 for small in range(2, len(spelled.ones))):
        return True
    return digits_left(above, 0, 0, spelled) <= 1 + slack


def below(
    above: int, low: int, count: int, left: int, history: Sequence[int], spelled: Spelling
) -> bytes:
    """The mask below `above`, after `count` digits, `low`, with `left` codes for the rest."""
    allowed = bytearray(_spelled(above, low, count, min(left, NEVER), spelled))
    if count == 0:
        for code, value in zip(REFERENCES, history, strict=False):
            allowed[code] = value >= 2 and gcd(value, above) == 1
    return bytes(allowed)


@lru_cache(maxsize=4096)
def _spelled(above: int, low: int, count: int, left: int, spelled: Spelling) -> bytes:
    """The mask without references; the same few fractions come again and again."""
    allowed = bytearray(codes.CODES_MAX)
    place = spelled.base**count
    for digit, code in enumerate(spelled.more):
        rest = digits_left(above, low + digit * place, count + 1, spelled)
        allowed[code] = rest < left and count + 1 < spelled.digits_max
    if count == 0:
        for value in range(2, len(spelled.ones)):
            allowed[spelled.ones[value]] = gcd(value, above) == 1
    elif count + 1 >= spelled.digits_least:
        for digit in range(1, spelled.base):
            allowed[spelled.last[digit]] = gcd(low + digit * place, above) == 1
    return bytes(allowed)
