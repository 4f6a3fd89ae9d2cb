"""Keyed randomness: the same key draws the same problem, on any machine and in any order.

    draw = Draw(key_of("arithmetic", "train", 1, 0, attempt=0))
    draw.between(2, 9), draw.choice(("add", "mul")), draw.chance(1, 3)

The stream of a key is sha256(digest of the key + block number): SPEC.md, section 7. No generator of
Python's is involved, no seed is ever added to an index, and neighbouring keys share nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, MutableSequence, Sequence
from typing import TypeVar

T = TypeVar("T")

KEY_PREFIX = "r3/2"
"""Kept from r3/2 on, so that a new version of the language does not deal new problems."""
_WORDS = 1 << 64


def key_of(family: str, split: str, level: int, index: int, attempt: int) -> str:
    """The key of one attempt at one problem."""
    return f"{KEY_PREFIX}|{family}|{split}|{level}|{index}|{attempt}"


class Draw:
    """A stream of uniform choices, fixed by its key. Not to be shared between problems."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._words = _words(hashlib.sha256(key.encode()).digest())

    def below(self, n: int) -> int:
        """Uniform in 0 .. n-1; n from 1 to 2**64. Words that would favour small numbers go."""
        assert 1 <= n <= _WORDS, n
        limit = _WORDS - _WORDS % n
        while True:
            word = next(self._words)
            if word < limit:
                return word % n

    def between(self, low: int, high: int) -> int:
        """Uniform in low .. high, both included."""
        return low + self.below(high - low + 1)

    def choice(self, options: Sequence[T]) -> T:
        """One of the options, each as likely; an option listed twice counts twice."""
        return options[self.below(len(options))]

    def shuffle(self, items: MutableSequence[T]) -> None:
        """Every order as likely, in place."""
        for last in range(len(items) - 1, 0, -1):
            other = self.below(last + 1)
            items[last], items[other] = items[other], items[last]

    def several(self, options: Sequence[T], count: int) -> list[T]:
        """`count` of the options, from different places, in random order."""
        assert count <= len(options), (count, options)
        items = list(options)
        self.shuffle(items)
        return items[:count]

    def chance(self, numerator: int, denominator: int) -> bool:
        """True in `numerator` of `denominator` cases."""
        return self.below(denominator) < numerator


def _words(digest: bytes) -> Iterator[int]:
    """64-bit words, big-endian: block j is sha256(digest + j as 8 bytes), four words each."""
    block = 0
    while True:
        bits = hashlib.sha256(digest + block.to_bytes(8, "big")).digest()
        for start in range(0, 32, 8):
            yield int.from_bytes(bits[start : start + 8], "big")
        block += 1
