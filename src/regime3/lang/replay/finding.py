"""What is wrong with a step: the thing that was expected, and the thing that stood there.

    Finding(expected="21", found="20")       # reads "expected 21; found 20"

Both are short and for people. `found` is a piece of the step's own text wherever there is one, so
that a caret can be put under it. What stands here compares and prints; it knows no rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from regime3.lang.signature import DIGITS_MAX
from regime3.lang.terms import Term, show

SHOWN_MAX: Final = 80
"""Characters of a term that a finding shows."""

LITERAL_END: Final = 10**DIGITS_MAX
"""The least integer that is too long to be written."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a step or an answer is wrong."""

    expected: str
    found: str


def compare(right: tuple[Any, ...], step: tuple[Any, ...]) -> Finding | None:
    """None if the step is exactly the right one; else its first part that is not."""
    if step == right:
        return None
    if step[0] != right[0] or len(step) != len(right):
        return Finding(shown(right), shown(step))
    for wanted, part in zip(right[1:], step[1:], strict=True):
        if part != wanted:
            return wrong(wanted, part)
    return None


def unfit(head: tuple[Any, ...], step: tuple[Any, ...]) -> Finding:
    """Finding of a step that does not begin with the rule and operands that must come."""
    if step[0] != head[0]:
        return Finding(shown(*head), shown(step[0]))
    return compare(head, step[: len(head)]) or Finding(shown(*head), shown(step))


def wrong(right: Term, result: Term) -> Finding:
    """Finding of a result that is not the right one."""
    parts = right[1:] if isinstance(right, tuple) else (right,)
    if any(isinstance(part, int) and abs(part) >= LITERAL_END for part in parts):
        return Finding(f"no number of more than {DIGITS_MAX} digits", shown(result))
    return Finding(shown(right), shown(result))


def shown(*terms: Term) -> str:
    """The terms as text, cut if they are long."""
    text = " ".join(map(show, terms))
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"
