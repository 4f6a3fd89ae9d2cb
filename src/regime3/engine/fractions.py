"""Fractions in lowest terms, which no grammar of bounded size knows of any numbers.

    fractions = LowestTerms(text_of)
    fractions.take(token)
    fractions.refused(tokens)   # those that would end a fraction like (frac 2 4)

Meant for S-expressions under a grammar, which sees to everything else: that the numerator is no
zero and the denominator 2 or more. So there is always a denominator left that fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from math import gcd

BEGIN = "(frac "
"""No token begins a fraction and ends it too: tokenizers part letters from digits."""
_FRACTION = re.compile(r"\(frac (-?[0-9]+) ([0-9]+)\)")


class LowestTerms:
    """What has been written of one sample's latest fraction. `text_of` gives a token's text."""

    def __init__(self, text_of: Callable[[int], str]) -> None:
        self._text_of = text_of
        self._open = ""
        """The text from the latest bracket on, if nothing has closed it."""

    def take(self, token: int) -> None:
        """The sample has written a token."""
        text = self._open + self._text_of(token)
        latest = text[text.rfind("(") :] if "(" in text else ""
        self._open = "" if ")" in latest else latest

    def refused(self, tokens: Iterable[int]) -> list[int]:
        """Which of these tokens would end a fraction that is not in lowest terms."""
        if not self._open.startswith(BEGIN):
            return []
        return [each for each in tokens if self._ends_badly(self._text_of(each))]

    def _ends_badly(self, text: str) -> bool:
        found = _FRACTION.match(self._open + text)
        return found is not None and gcd(int(found[1]), int(found[2])) != 1
