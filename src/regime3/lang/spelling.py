"""How a codebook spells integers: which codes are digits, and to which base.

    spelled = spelling_of(book)
    spelled.ones[56]        # the code of 56, where integers of one code go so far
    spelled.more[7]         # the code of a digit 7 after which more digits follow, least first
    spelled.alone[-5]       # the code of -5, where negative integers of one code are there

There are three ways: single digits; those with atoms for what is below 100; and pairs, which is to
say base 100, with atoms for the highest digit too. With atoms, integers a little below 0 may be one
code too. All that packs, reads or masks integers asks here. SPEC.md, section 5, step 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from regime3.lang.codebook import Codebook
from regime3.lang.codes import (
    ATOM,
    ATOMS_MAX,
    DIGIT,
    LAST_DIGIT,
    MACRO_END,
    PAIR,
    PAIRS_MAX,
)
from regime3.lang.signature import DIGITS_MAX

ATOMS: Final = range(ATOM, ATOM + ATOMS_MAX)
DIGITS: Final = range(DIGIT, DIGIT + 10)
LAST_DIGITS: Final = range(LAST_DIGIT, LAST_DIGIT + 10)
PAIRS: Final = range(PAIR, PAIR + PAIRS_MAX)
NEGATIVES: Final = range(MACRO_END, PAIR)


@dataclass(frozen=True, eq=False)
class Spelling:
    """One way to spell integers. There are few of them, compared by identity."""

    digit: str
    """What people call a digit."""
    ones: range
    """Codes of the integers of one code that are not negative, by value."""
    more: range
    """Codes of digits that are not the highest, by digit; there are as many as the base is."""
    last: range
    """Codes of the highest digit, by digit; 0 may not stand there."""
    digits_least: int
    """How many digits an integer has at least that is no integer of one code."""
    digits_max: int
    """How many digits an integer has at most: `DIGITS_MAX` decimal ones."""
    negatives: range = range(0)
    """Codes of the negative integers of one code, -1 first."""

    @property
    def base(self) -> int:
        """The base of the digits, 10 or 100."""
        return len(self.more)

    @cached_property
    def alone(self) -> dict[int, int]:
        """The code of each integer of one code. All others may enter H."""
        negative = {-number: code for number, code in enumerate(self.negatives, start=1)}
        return dict(enumerate(self.ones)) | negative

    @cached_property
    def numbers(self) -> dict[int, int]:
        """The integer that each code is by itself."""
        return {code: number for number, code in self.alone.items()}


SINGLE: Final = Spelling("digit", LAST_DIGITS, DIGITS, LAST_DIGITS, 2, DIGITS_MAX)
ATOMIC: Final = Spelling("digit", ATOMS, DIGITS, LAST_DIGITS, 3, DIGITS_MAX)
PAIRED: Final = Spelling("pair", ATOMS, PAIRS, ATOMS, 2, DIGITS_MAX // 2)
ATOMIC_NEGATIVE: Final = replace(ATOMIC, negatives=NEGATIVES)
PAIRED_NEGATIVE: Final = replace(PAIRED, negatives=NEGATIVES)


def spelling_of(book: Codebook) -> Spelling:
    """How the codebook spells integers."""
    if book.options["negatives"]:
        return PAIRED_NEGATIVE if book.options["pairs"] else ATOMIC_NEGATIVE
    if book.options["pairs"]:
        return PAIRED
    return ATOMIC if book.options["atoms"] else SINGLE
