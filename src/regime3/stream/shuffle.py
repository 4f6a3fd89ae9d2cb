"""A shuffle that needs no memory: position p of a file is row `permutation(p)`.

A generalised Feistel network over a x b cells, a*b barely above n, walked until it lands below n
(Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). It is a bijection for any
round function, so the cursor stays one integer and no file is too long. Keyed by content hash
and pass: the same file shuffles the same way everywhere, each pass differently.
"""

from __future__ import annotations

import hashlib
import math

ROUNDS = 6


class Permutation:
    """A keyed bijection on 0..n-1."""

    def __init__(self, n: int, key: bytes) -> None:
        assert n >= 1
        self.n = n
        self._rows = max(1, math.isqrt(n - 1) + 1)
        self._columns = max(1, -(-n // self._rows))
        self._keys = [hashlib.sha256(b"%d|" % number + key).digest() for number in range(ROUNDS)]

    def __call__(self, position: int) -> int:
        """Row at `position`; raises IndexError outside 0..n-1."""
        if not 0 <= position < self.n:
            raise IndexError(position)
        value = self._once(position)
        while value >= self.n:  # a*b exceeds n by less than one row: seldom more than one walk
            value = self._once(value)
        return value

    def _once(self, value: int) -> int:
        left, right = divmod(value, self._columns)
        for number, key in enumerate(self._keys):
            if number % 2:
                right = (right + self._mix(key, left)) % self._columns
            else:
                left = (left + self._mix(key, right)) % self._rows
        return left * self._columns + right

    @staticmethod
    def _mix(key: bytes, value: int) -> int:
        digest = hashlib.blake2b(value.to_bytes(8, "little"), digest_size=8, key=key[:32])
        return int.from_bytes(digest.digest(), "little")


class InOrder:
    """The identity, for `queue.shuffle = false`."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __call__(self, position: int) -> int:
        """`position` itself; raises IndexError outside 0..n-1."""
        if not 0 <= position < self.n:
            raise IndexError(position)
        return position


def order_of(
    rows: int, content_sha256: str, pass_number: int, shuffle: bool
) -> Permutation | InOrder:
    """The order in which the rows of one pass over one file are trained."""
    if not shuffle:
        return InOrder(rows)
    return Permutation(rows, f"{content_sha256}|{pass_number}".encode())
