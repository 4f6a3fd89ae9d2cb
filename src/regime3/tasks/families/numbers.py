"""Whole numbers: greatest common divisors, remainders, prime factors.

A level is drawn evenly from the three kinds, but for the first ones, which have too few small
numbers to factor. Divisors by Euclid, in more steps from level to level; remainders of sums and
products, from level 4 of powers; factors by trial division.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from regime3.lang.canon import canonical
from regime3.lang.problem import Body, Problem, Step
from regime3.lang.terms import Term
from regime3.tasks import prose
from regime3.tasks.draw import Draw
from regime3.tasks.expressions import divides_long, division_block, evaluate
from regime3.tasks.family import LEVELS, Posed

GCD_QUESTIONS = (
    "Find the greatest common divisor of {a} and {b}.",
    "What is the greatest common divisor of {a} and {b}?",
    "Which is the largest number that divides both {a} and {b}?",
    "What is the gcd of {a} and {b}?",
    "Compute gcd({a}, {b}).",
)
MOD_QUESTIONS = (
    "What remains when {e} is divided by {n}?",
    "What is the remainder of {e} when divided by {n}?",
    "Divide {e} by {n}: what is left over?",
    "Find the remainder of {e} modulo {n}.",
    "Compute {b} mod {n}.",
)
FACTOR_QUESTIONS = (
    "Factor {m} into primes.",
    "What are the prime factors of {m}?",
    "Write {m} as a product of primes.",
    "Find the prime factorization of {m}.",
    "Which primes, multiplied together, make {m}?",
)
STEPS_MAX = 60
"""Of a trace; a problem that takes longer is not posed."""
TRIES_MAX = 1000
PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71)


@dataclass(frozen=True, slots=True)
class Euclid:
    """Pairs of numbers, by how many divisions they take and how large they are."""

    steps: tuple[int, int]
    number_max: int
    divisor_max: int
    quotient_max: int = 9


@dataclass(frozen=True, slots=True)
class Remainder:
    """Expressions under a modulus, by their operations."""

    operations: tuple[int, int]
    modulus_max: int
    number_max: int
    power_share: int = 0
    """Percent of the numbers that are powers; there is always one if it is not 0."""
    exponent_max: int = 2


@dataclass(frozen=True, slots=True)
class Factors:
    """Products of primes, by how many there are and which."""

    count: tuple[int, int]
    primes: int
    """How many of `PRIMES`, from 2 on."""
    product_max: int


EUCLID = {
    1: Euclid((1, 2), 99, 25),
    2: Euclid((2, 3), 99, 20),
    3: Euclid((3, 4), 99, 12),
    4: Euclid((3, 4), 300, 25),
    5: Euclid((4, 5), 500, 25),
    6: Euclid((5, 6), 999, 30),
    7: Euclid((6, 7), 2_000, 40, 20),
    8: Euclid((7, 8), 9_999, 60, 50),
    9: Euclid((8, 9), 50_000, 99, 99),
    10: Euclid((9, 12), 999_999, 99, 150),
}
REMAINDERS = {
    1: Remainder((0, 0), 20, 99),
    2: Remainder((1, 1), 10, 30),
    3: Remainder((1, 2), 12, 50),
    4: Remainder((0, 1), 12, 30, 60, 7),
    5: Remainder((1, 1), 15, 30, 50, 7),
    6: Remainder((1, 2), 20, 30, 50, 15),
    7: Remainder((1, 2), 30, 99, 50, 31),
    8: Remainder((2, 3), 30, 99, 60, 63),
    9: Remainder((2, 3), 50, 99, 60, 150),
    10: Remainder((2, 4), 99, 999, 50, 500),
}
FACTORS = {
    1: Factors((1, 3), 4, 99),
    2: Factors((2, 4), 8, 99),
    3: Factors((3, 4), 8, 200),
    4: Factors((3, 5), 8, 400),
    5: Factors((3, 5), 10, 1_000),
    6: Factors((4, 6), 10, 3_000),
    7: Factors((4, 6), 12, 10_000),
    8: Factors((5, 7), 12, 50_000),
    9: Factors((5, 8), 18, 200_000),
    10: Factors((6, 10), 20, 999_999),
}


RARELY_FACTORS = {
    1: ("gcd", "mod") * 4 + ("factor",),
    2: ("gcd", "mod") * 3 + ("factor",),
    3: ("gcd", "mod") * 2 + ("factor",),
    4: ("gcd", "mod") * 2 + ("factor",),
}
"""How often each kind is drawn at levels that have few numbers to factor."""


class Numbers:
    """The family."""

    name = "numbers"
    title = "divisors, remainders and prime factors"
    kinds = ("gcd", "mod", "factor")
    levels = LEVELS

    def draw(self, level: int, draw: Draw) -> Posed:
        """A problem of one of the three kinds and a question about it."""
        kind = draw.choice(RARELY_FACTORS.get(level, self.kinds))
        if kind == "gcd":
            return _gcd_posed(draw, EUCLID[level])
        if kind == "mod":
            return _mod_posed(draw, REMAINDERS[level])
        return _factor_posed(draw, FACTORS[level])

    def solve(self, problem: Problem) -> Body:
        """Euclid's divisions, the steps of strategy 1, or trial division by the primes."""
        if problem.kind == "gcd":
            return _gcd_body(problem.term[1], problem.term[2])
        if problem.kind == "mod":
            steps, value = evaluate(problem.term[1], problem.term[2])
            return (*steps, ("qed", value))
        return _factor_body(problem.term[1])


def _gcd_posed(draw: Draw, shape: Euclid) -> Posed:
    """Two numbers built from their quotients, the last first."""
    a, b = 0, 0
    while b == 0 or a > shape.number_max:  # one division at least, so b is not 0
        a, b = draw.between(1, shape.divisor_max), 0
        for step in range(draw.between(*shape.steps)):
            # Most quotients of Euclid's are small; the last one is at least 2.
            quotient = draw.between(2 if step == 0 else 1, draw.choice((2, 4, shape.quotient_max)))
            a, b = quotient * a + b, a
    # Level 1 spares the learner the division that only exchanges the two.
    if shape.steps[0] > 1 and draw.chance(1, 6):
        a, b = b, a
    return Posed(("gcd", a, b), prose.ask(draw, GCD_QUESTIONS, a=a, b=b))


def _gcd_body(a: int, b: int) -> Body:
    steps: list[Step] = []
    while b:
        if divides_long(a, b):
            steps += division_block(a, b)
        steps.append(("r-divmod", a, b, a // b, a % b))
        a, b = b, a % b
    return (*steps, ("qed", a))


def _mod_posed(draw: Draw, shape: Remainder) -> Posed:
    """An expression and a modulus whose trace is not too long."""
    for _ in range(TRIES_MAX):
        modulus = draw.between(3, shape.modulus_max)
        operations = draw.between(*shape.operations)
        expression = _expression(draw, operations, shape, modulus)
        powers = str(expression).count("'pow'")
        if bool(powers) != bool(shape.power_share):
            continue
        if isinstance(expression, int) and expression <= modulus:
            continue
        # In the order in which the problem is going to hold it.
        if len(evaluate(canonical(expression), modulus)[0]) < STEPS_MAX:
            break
    text = prose.infix(expression, draw.choice(prose.SIGNS))
    bracketed = f"({text})" if isinstance(expression, tuple) else text
    question = prose.ask(draw, MOD_QUESTIONS, e=text, b=bracketed, n=modulus)
    return Posed(("mod", expression, modulus), question)


def _expression(draw: Draw, operations: int, shape: Remainder, modulus: int) -> Term:
    if operations == 0:
        number = draw.between(2, shape.number_max)
        if draw.chance(shape.power_share, 100):
            return ("pow", draw.between(2, modulus - 1), draw.between(2, shape.exponent_max))
        return number
    before = draw.below(operations)
    name = draw.choice(("add", "mul", "mul", "sub") if operations > 1 else ("add", "mul"))
    left = _expression(draw, before, shape, modulus)
    right = _expression(draw, operations - 1 - before, shape, modulus)
    return (name, left, right)


def _factor_posed(draw: Draw, shape: Factors) -> Posed:
    m = 0
    while not 2 <= m <= shape.product_max:
        primes = [_prime(draw, shape) for _ in range(draw.between(*shape.count))]
        m = prod(primes)
    return Posed(("factor", m), prose.ask(draw, FACTOR_QUESTIONS, m=m))


def _prime(draw: Draw, shape: Factors) -> int:
    """One of the first primes, small ones more often."""
    return PRIMES[min(draw.below(shape.primes), draw.below(shape.primes))]


def _factor_body(m: int) -> Body:
    steps: list[Step] = []
    factors: list[int] = []
    while m > 1:
        prime = least_factor(m)
        factors.append(prime)
        steps.append(("f-div", m, prime, m // prime))
        m //= prime
    return (*steps, ("qed", ("factors", *factors)))


def least_factor(m: int) -> int:
    """The least prime that divides m, by trial division; m is 2 or more."""
    trial = 2
    while trial * trial <= m:
        if m % trial == 0:
            return trial
        trial += 1
    return m


FAMILY = Numbers()
