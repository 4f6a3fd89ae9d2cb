"""What the bodies and conditions of a pipeline mean, by Python's own integers.

    value(("add", ("mul", 2, "x0"), "x1"), 5, 1)     # 11
    holds(("lt", 3, "x0"), 40)                       # True

Terms are walked; nothing is ever compiled or given to `eval`. `rem` is floored.
"""

from __future__ import annotations

from typing import Any


def value(term: Any, x0: int, x1: int) -> int:
    """The integer that a body is, for these variables."""
    if term.__class__ is int:
        return int(term)
    if term.__class__ is str:
        return x0 if term == "x0" else x1
    name = term[0]
    first = value(term[1], x0, x1)
    if name == "add":
        for part in term[2:]:
            first += value(part, x0, x1)
        return first
    if name == "mul":
        return _product([first, *[value(part, x0, x1) for part in term[2:]]])
    if name == "sub":
        return first - value(term[2], x0, x1)
    assert name == "rem", name
    return first % int(term[2])


def _product(numbers: list[int]) -> int:
    """Their product, by halves: a thousand long factors one after another take seconds."""
    while len(numbers) > 2:
        odd = numbers[-1:] if len(numbers) % 2 else []
        numbers = [a * b for a, b in zip(numbers[::2], numbers[1::2], strict=False)] + odd
    return numbers[0] * numbers[1]


def holds(condition: Any, x0: int) -> bool:
    """Whether a condition holds for an element."""
    name = condition[0]
    if name == "and":
        return all(holds(part, x0) for part in condition[1:])
    if name == "or":
        return any(holds(part, x0) for part in condition[1:])
    if name == "not":
        return not holds(condition[1], x0)
    left, right = value(condition[1], x0, 0), value(condition[2], x0, 0)
    if name == "lt":
        return left < right
    return left <= right if name == "le" else left == right
