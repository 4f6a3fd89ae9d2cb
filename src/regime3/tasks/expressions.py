"""How the oracles work out expressions: one small step at a time, always in the same order.

    evaluate(("add", ("mul", 7, 8), 2, 40))   # r-mul 7 8 56, r-add 56 2 58, r-add 58 40 98; 98
    evaluate(("pow", 3, 5), modulus=7)

The next step is the one that strategy 1 predicts (SPEC.md, section 5): the first node in postorder
with nothing but literals, its first two; under a modulus any literal outside [0, n) comes first.
Three openings depart from it, where numbers are large:

* `long-add`: two sums of four digits or more, neither negative;
* `r-split`: a product of two positive factors that each have two or more nonzero digits, split at
  the one with fewer of them (the second of equals);
* `long-div`: an integer of 100 or more by one that fits into it ten times or more.

The rewriting here is the generator's own and shares no code with the checker.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from regime3.lang.problem import Step
from regime3.lang.terms import Term, is_literal, literal, value_of

LONG_ADD_FROM = 1000
LONG_DIV_FROM = 100
LONG_DIV_QUOTIENT_FROM = 10
SPLIT_DIGITS_FROM = 2

Rewrite = Callable[[Term], Term | None]


def evaluate(term: Term, modulus: int | None = None) -> tuple[list[Step], Term]:
    """The steps to the expression's value, and the value, in [0, modulus) if there is one."""
    steps: list[Step] = []
    while True:
        found = _outside(term, modulus) if modulus else None
        if found is not None and modulus:
            term = _reduced(steps, term, found, modulus)
        elif isinstance(term, tuple) and not is_literal(term):
            term = _advanced(steps, term, modulus)
        else:
            return steps, term


def _advanced(steps: list[Step], term: Term, modulus: int | None) -> Term:
    """The expression after the next operation, whose steps are added to `steps`."""
    node = ready(term)
    assert node is not None
    name, a, b = node[:3]
    if name == "pow":
        assert modulus is not None
        return _squared(steps, term, a, b, modulus)
    if name == "mul" and (pair := split_pair(a, b)):
        steps.append(("r-split", *pair))
        return _merged(term, name, *pair, partial_products(*pair))
    if name == "add" and adds_long(a, b):
        steps += add_block(a, b)
    if name == "div" and divides_long(a, b):
        steps += division_block(a, b)
    result = literal(operate(name, Fraction(value_of(a)), Fraction(value_of(b))))
    steps.append((f"r-{name}", a, b, result))
    return _merged(term, name, a, b, result)


def operate(name: str, a: Fraction, b: Fraction) -> Fraction:
    """a (name) b, exactly. Raises `ZeroDivisionError`."""
    if name == "add":
        return a + b
    if name == "sub":
        return a - b
    return a * b if name == "mul" else a / b


def ready(term: Term) -> tuple[Any, ...] | None:
    """The first node in postorder whose arguments are all literals."""
    if not isinstance(term, tuple) or is_literal(term):
        return None
    for argument in term[1:]:
        if (found := ready(argument)) is not None:
            return found
    return term


def rewrite_first(term: Term, rewrite: Rewrite) -> Term | None:
    """The term with the first node in preorder that `rewrite` takes replaced, or None."""
    if (new := rewrite(term)) is not None:
        return new
    if isinstance(term, tuple) and not is_literal(term):
        # An exponent is part of its power and no node of its own.
        for place in range(1, 2 if term[0] == "pow" else len(term)):
            if (new := rewrite_first(term[place], rewrite)) is not None:
                return (*term[:place], new, *term[place + 1 :])
    return None


def _merged(term: Term, name: str, a: Term, b: Term, result: Term) -> Term:
    """The expression with its redex (name a b) replaced by `result`: SPEC.md, section 4."""

    def rewrite(node: Term) -> Term | None:
        if not isinstance(node, tuple) or node[0] != name:
            return None
        parts = list(node[1:])
        if name in ("sub", "div"):
            return result if parts == [a, b] else None
        first = parts.index(a) if a in parts else -1
        second = next((i for i, part in enumerate(parts) if part == b and i != first), -1)
        if first < 0 or second < 0:
            return None
        parts[min(first, second)] = result
        del parts[max(first, second)]
        return (name, *parts) if len(parts) > 1 else result

    found = rewrite_first(term, rewrite)
    assert found is not None, (term, name, a, b)
    return found


def _outside(term: Term, modulus: int) -> int | None:
    """The first literal in preorder outside [0, modulus)."""
    found: list[int] = []

    def look(node: Term) -> Term | None:
        if isinstance(node, int) and not 0 <= node < modulus:
            found.append(node)
            return node
        return None

    rewrite_first(term, look)
    return found[0] if found else None


def _reduced(steps: list[Step], term: Term, a: int, modulus: int) -> Term:
    """The expression after `r-mod` of its first literal outside [0, modulus)."""
    if divides_long(a, modulus):
        steps += division_block(a, modulus)
    steps.append(("r-mod", a, a % modulus))
    found = rewrite_first(term, lambda node: a % modulus if node == a else None)
    assert found is not None
    return found


def _squared(steps: list[Step], term: Term, a: Term, k: Term, modulus: int) -> Term:
    """The expression after `r-sqr` of its first (pow a k)."""
    assert isinstance(a, int) and isinstance(k, int)
    square = a * a % modulus
    steps.append(("r-sqr", a, k, square))
    rest: Term = ("pow", square, k // 2) if k // 2 > 1 else square
    power: Term = ("mul", a, rest) if k % 2 else rest
    found = rewrite_first(term, lambda node: power if node == ("pow", a, k) else None)
    assert found is not None
    return found


def split_pair(a: Term, b: Term) -> tuple[int, int] | None:
    """The factors in the order in which `r-split` takes them, if the product is to be split."""
    if not (isinstance(a, int) and isinstance(b, int) and a > 0 and b > 0):
        return None
    of_a, of_b = nonzero_digits(a), nonzero_digits(b)
    if min(of_a, of_b) < SPLIT_DIGITS_FROM:
        return None
    return (b, a) if of_a < of_b else (a, b)


def nonzero_digits(n: int) -> int:
    """How many digits of n are not 0."""
    return sum(digit != "0" for digit in str(abs(n)))


def partial_products(a: int, b: int) -> Term:
    """(add (mul a t) …), t each nonzero digit of b with its zeros, least first."""
    digits = [int(digit) * 10**place for place, digit in enumerate(reversed(str(b)))]
    return ("add", *[("mul", a, part) for part in digits if part])


def adds_long(a: Term, b: Term) -> bool:
    """Whether the sum is done digit by digit."""
    return isinstance(a, int) and isinstance(b, int) and min(a, b) >= LONG_ADD_FROM


def add_block(a: Term, b: Term) -> list[Step]:
    """`long-add` and its `d-add` steps, without the closing `r-add`."""
    assert isinstance(a, int) and isinstance(b, int)
    steps: list[Step] = [("long-add", a, b)]
    carry = 0
    for place in range(max(len(str(a)), len(str(b)))):
        x, y = a // 10**place % 10, b // 10**place % 10
        total = x + y + carry
        steps.append(("d-add", x, y, carry, total % 10, total // 10))
        carry = total // 10
    return steps


def divides_long(a: Term, b: Term) -> bool:
    """Whether the division, for a quotient or a remainder, is done digit by digit."""
    if not (isinstance(a, int) and isinstance(b, int)):
        return False
    return b > 1 and a >= LONG_DIV_FROM and a >= LONG_DIV_QUOTIENT_FROM * b


def division_block(a: Term, b: Term) -> list[Step]:
    """`long-div` and its `d-div` steps, without the closing step."""
    assert isinstance(a, int) and isinstance(b, int)
    steps: list[Step] = [("long-div", a, b)]
    rest = 0
    for digit in str(a):
        number = 10 * rest + int(digit)
        rest = number % b
        steps.append(("d-div", number, b, number // b, rest))
    return steps
