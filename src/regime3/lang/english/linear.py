"""Linear expressions in x, and equations: `4x - 2 = (x + 1)/3`.

`4x - 2` is a sum whose last part is -2; a difference has its second part in brackets, `4x - (2)`.
So a minus sign before a bracket is always a difference, and a negative multiple of a bracket
shows its number: `-1(x + 1)`. A multiple by a fraction is `2x/3`, `2(x + 1)/3`, `(x + 1)/3`.
"""

from __future__ import annotations

import re
from typing import Any

from regime3.errors import LanguageError
from regime3.lang.english.numbers import (
    Notation,
    checked_integer,
    fraction,
    literally,
    say_number,
)
from regime3.lang.signature import DEPTH_MAX
from regime3.lang.terms import Term

_SIGN = re.compile(r" ?([+-]) ?")
_EQUALS = re.compile(r" ?= ?")
_PART = re.compile(r"([0-9]+)?([x(])?")
_UNDER = re.compile(r"/([0-9]+)")


def notation(gap: str) -> Notation:
    """Linear expressions, with `gap` (one blank or none) around signs."""
    plus, minus = f"{gap}+{gap}", f"{gap}-{gap}"

    def say(term: Any) -> str:
        if not isinstance(term, tuple):
            return "x" if term == "x0" else str(term)
        name = term[0]
        if name == "frac":
            return say_number(term)
        if name == "scale":
            return _say_multiple(term[1], "x" if term[2] == "x0" else f"({say(term[2])})")
        if name == "sub":
            return f"{say(term[1])}{minus}({say(term[2])})"
        said = say(term[1])
        for part in term[2:]:
            piece = say(part)
            if isinstance(part, tuple) and part[0] == "sub":
                said += f"{plus}({piece})"
            else:
                said += f"{minus}{piece[1:]}" if piece[0] == "-" else plus + piece
        return said

    return say, parse


def _say_multiple(factor: Any, body: str) -> str:
    over, under = (factor[1], factor[2]) if isinstance(factor, tuple) else (factor, 1)
    if over == 1 and under > 1:
        number = ""
    elif over == -1 and body == "x":
        number = "-"
    else:
        number = str(over)
    return f"{number}{body}/{under}" if under > 1 else number + body


def parse(text: str, position: int, depth: int = 0) -> tuple[Term, int]:
    """A linear expression; one blank may stand on either side of a sign."""
    if depth > DEPTH_MAX:
        raise LanguageError(f"deeper than {DEPTH_MAX}", text, position)
    negative = text.startswith("-", position)
    found, position = _parse_part(text, position + negative, negative, depth)
    parts = [found]
    while sign := _SIGN.match(text, position):
        position = sign.end()
        if sign[1] == "-" and text.startswith("(", position):
            other, position = parse(text, position + 1, depth + 1)
            position = literally(")", text, position)
            parts = [("sub", _sum(parts), other)]
        else:
            part, position = _parse_part(text, position, sign[1] == "-", depth)
            parts.append(part)
    return _sum(parts), position


def _sum(parts: list[Term]) -> Term:
    return ("add", *parts) if len(parts) > 1 else parts[0]


def _parse_part(text: str, start: int, negative: bool, depth: int) -> tuple[Term, int]:
    """A number, or a multiple of x or of a bracket; its minus sign is read already."""
    found = _PART.match(text, start)
    assert found is not None
    digits, body = found.groups()
    position = found.end()
    if digits is None and (body is None or (negative and body == "(")):
        raise LanguageError("a number, x or '(' must stand here", text, start)
    number = checked_integer(f"-{digits}" if negative else digits, text, start) if digits else None
    inside: Term = "x0"
    if body == "(":
        inside, position = parse(text, position, depth + 1)
        position = literally(")", text, position)
    under = _UNDER.match(text, position)
    over = number if number is not None else -1 if negative else 1
    factor = fraction(over, under, text, start) if under else over
    end = under.end() if under else position
    if body is None:
        return factor, end
    if number is None and not negative and not under:
        return inside, end
    return ("scale", factor, inside), end


def equations(side: Notation, gap: str) -> Notation:
    """Equations, given a notation for their sides."""
    say, _ = side
    return lambda term: f"{say(term[1])}{gap}={gap}{say(term[2])}", parse_equation


def parse_equation(text: str, position: int) -> tuple[Term, int]:
    """Two sides with `=` between them."""
    left, position = parse(text, position)
    equals = _EQUALS.match(text, position)
    if not equals:
        raise LanguageError("'=' or a sign must stand here", text, position)
    right, position = parse(text, equals.end())
    return ("eqn", left, right), position
