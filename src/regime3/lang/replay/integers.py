"""Replay of `gcd`, by Euclid's divisions, and of `factor`, one prime at a time.

    state = Divisions(read_problem("(gcd 462 147)"), strategy=1)
    state.play(("r-divmod", 462, 147, 3, 21))        # the state is now (147, 21)

Primes are checked by trial division over a table of the primes below 10,000, so no step takes more
than 1,229 divisions. SPEC.md, section 4: gcd and factor.
"""

from __future__ import annotations

from bisect import insort
from functools import lru_cache
from math import isqrt
from typing import Final

from regime3.lang.problem import Problem, Step
from regime3.lang.replay.blocks import LongDivision, WithBlocks
from regime3.lang.replay.finding import Finding, compare, shown
from regime3.lang.replay.state import Foreseeing, Head
from regime3.lang.signature import FACTOR_MAX, LIST_MAX
from regime3.lang.terms import Term


class Divisions(WithBlocks):
    """The state of gcd: (a, b)."""

    __slots__ = ("_a", "_b")

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._a: int = problem.term[1]
        self._b: int = problem.term[2]

    def _step(self, step: Step) -> Finding | None:
        if step[0] not in ("r-divmod", "long-div"):
            return self._outside(step)
        a, b = self._a, self._b
        if step[1] != a or step[2] != b:
            return Finding(shown(a, b), shown(step[1], step[2]))
        if b <= 0:
            return Finding("a divisor above 0", shown(b))
        if step[0] == "r-divmod":
            self._a, self._b = b, step[4]
            return compare(("r-divmod", a, b, *divmod(a, b)), step)
        if a < 0:
            return Finding("no negative number in a long division", shown(a))
        self._block = LongDivision(a, b, ("r-divmod", a, b))
        return None

    def _foresee_free(self) -> Head | None:
        return ("r-divmod", self._a, self._b) if self._b > 0 else None

    def implied(self) -> Term | None:
        """g, at (g, 0)."""
        return self._a if self._b == 0 else None

    def answer(self, term: Term) -> Finding | None:
        """The answer is g, at (g, 0)."""
        if self._b != 0:
            return Finding(f"a division of {shown(self._a)} by {shown(self._b)}", shown(term))
        return None if term == self._a else Finding(shown(self._a), shown(term))


class Factors(Foreseeing):
    """The state of factor: what is left, and the primes that were found."""

    __slots__ = ("_left", "_primes")

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._left: int = problem.term[1]
        self._primes: list[int] = []

    def play(self, step: Step) -> Finding | None:
        """What is wrong with `f-div m ; p k`, or None; then moves on."""
        self._moved()
        _, m, p, k = step
        if m != self._left:
            return Finding(shown(self._left), shown(m))
        if m < 2:
            return Finding("the answer: nothing is left to factor", shown(m))
        insort(self._primes, p)
        self._left = k
        if not is_prime(p):
            return Finding("a prime", shown(p))
        if m % p:
            return Finding(f"a factor of {shown(m)}", shown(p))
        return None if k == m // p else Finding(shown(m // p), shown(k))

    def _foresee(self) -> Head | None:
        return ("f-div", self._left) if self._left >= 2 else None

    def implied(self) -> Term | None:
        """The primes found, at 1; None if they are more than can be written."""
        if self._left != 1 or len(self._primes) > LIST_MAX:
            return None
        return ("factors", *self._primes)

    def answer(self, term: Term) -> Finding | None:
        """The answer is the primes found, ascending, at 1."""
        if self._left != 1:
            return Finding(f"a prime factor of {shown(self._left)}", shown(term))
        right = ("factors", *self._primes)
        return None if term == right else Finding(shown(right), shown(term))


def _primes_to(end: int) -> list[int]:
    prime = bytearray([0, 0]) + bytearray([1]) * (end - 1)
    for number in range(2, isqrt(end) + 1):
        if prime[number]:
            prime[number * number :: number] = bytes(len(range(number * number, end + 1, number)))
    return [number for number, is_one in enumerate(prime) if is_one]


_TRIAL: Final = _primes_to(isqrt(FACTOR_MAX))


@lru_cache(maxsize=1 << 16)
def is_prime(number: int) -> bool:
    """Whether a number up to FACTOR_MAX is prime; False for all beyond, which no factor can be."""
    if not 2 <= number <= FACTOR_MAX:
        return False
    for prime in _TRIAL:
        if prime * prime > number:
            return True
        if number % prime == 0:
            return False
    return True
