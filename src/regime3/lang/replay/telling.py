"""Which of a step's results tells the others.

    place, completed = TELLING["r-divmod"]       # the remainder, place 1 of the results
    completed((462, 147), 21)                    # (3, 21)

A step with two results is told by the one that the next step goes on from; the other follows from
it and the operands. Whatever is told there is an answer, since a wrong number must be readable too.
SPEC.md, section 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from regime3.lang.replay.finding import LITERAL_END

Results = tuple[int, int]


def _sum(operands: tuple[Any, ...], digit: int) -> Results:
    return digit, (sum(operands) - digit) // 10


def _division(operands: tuple[Any, ...], rest: int) -> Results:
    dividend, divisor = operands
    quotient = (dividend - rest) // divisor if divisor else 0
    # One too long to be written cannot be right.
    return (quotient if abs(quotient) < LITERAL_END else 0), rest


def _factor(operands: tuple[Any, ...], left: int) -> Results:
    return operands[0] // left if left else 0, left


Telling = tuple[int, Callable[[tuple[Any, ...], int], Results]]
"""The place of the result that tells, and both results from the operands and it."""

TELLING: Final[dict[str, Telling]] = {
    "d-add": (0, _sum),
    "d-div": (1, _division),
    "r-divmod": (1, _division),
    "f-div": (1, _factor),
}
"""By rule."""
