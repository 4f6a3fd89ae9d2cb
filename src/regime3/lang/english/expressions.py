"""What stands in problems only: expressions, conditions, stages and pipelines.

    7 × 8 + 2      (9 ÷ 6) mod 5      x < 5 and not (x mod 2 = 0)
    map x × x, then filter 3 < x, then fold x + y from 0

`÷` divides and `/` is part of a fraction, which stands in brackets within an expression. In a fold
x is what has been gathered and y is the element. There is one notation, plain and terse alike.
"""

from __future__ import annotations

import re
from typing import Any

from regime3.errors import LanguageError
from regime3.lang.english.numbers import Notation, listed, literally, parse_number, say_number
from regime3.lang.signature import DEPTH_MAX, PROBLEM_NODES_MAX
from regime3.lang.terms import Term, is_literal

_SIGNS = {
    "or": " or ",
    "and": " and ",
    "lt": " < ",
    "le": " <= ",
    "eq": " = ",
    "add": " + ",
    "sub": " - ",
    "mul": " × ",
    "div": " ÷ ",
    "rem": " mod ",
    "pow": "^",
}
_STRENGTH = {
    **{"or": 1, "and": 2, "not": 3, "lt": 4, "le": 4, "eq": 4},
    **{"add": 5, "sub": 5, "mul": 6, "div": 6, "rem": 6, "pow": 7},
}
_ATOM = 8
_COMPARING = 4
_NAMES = {sign: name for name, sign in _SIGNS.items()}
_SIGN = re.compile("|".join(map(re.escape, sorted(_SIGNS.values(), key=len, reverse=True))))
_VARIABLE = re.compile(r"[xy](?![a-z])")


def say(term: Any) -> str:
    """An expression or a condition."""
    return say_number(term) if is_literal(term) else _say(term, 1)


def _say(term: Any, least: int) -> str:
    """The expression, in brackets if it binds less than `least`."""
    if is_literal(term):
        said = say_number(term)
        return said if said.isdigit() else f"({said})"
    if isinstance(term, str):
        return "xy"[int(term[1:])]
    name = term[0]
    strength = _STRENGTH[name]
    if name == "not":
        said = "not " + _say(term[1], _ATOM)
    else:
        # From left to right only the first part may bind no more than the whole.
        first = _say(term[1], strength if name in ("add", "sub", "mul", "div") else strength + 1)
        said = _SIGNS[name].join([first, *[_say(part, strength + 1) for part in term[2:]]])
    return f"({said})" if strength < least else said


def parse(text: str, position: int) -> tuple[Term, int]:
    """An expression or a condition; which it may be is for `lang.typing` to say."""
    return _climb(text, position, 1, 0)


def _climb(text: str, position: int, least: int, depth: int) -> tuple[Term, int]:
    left, position = _unary(text, position, depth)
    while found := _SIGN.match(text, position):
        name = _NAMES[found[0]]
        strength = _STRENGTH[name]
        if strength < least:
            break
        if strength == _COMPARING and _compares(left):
            raise LanguageError("one comparison at a time", text, position)
        right, position = _climb(text, found.end(), strength + 1, depth)
        left = _joined(name, left, right)
    return left, position


def _compares(term: Term) -> bool:
    return isinstance(term, tuple) and _STRENGTH.get(term[0], _ATOM) <= _COMPARING


def _joined(name: str, left: Term, right: Term) -> Term:
    """`left name right`; sums, products, and, or of many parts stay flat."""
    if name in ("add", "mul", "and", "or") and isinstance(left, tuple) and left[0] == name:
        return (*left, right)
    return (name, left, right)


def _unary(text: str, position: int, depth: int) -> tuple[Term, int]:
    if depth > DEPTH_MAX:
        raise LanguageError(f"deeper than {DEPTH_MAX}", text, position)
    if text.startswith("not ", position):
        inner, position = _unary(text, position + 4, depth + 1)
        return ("not", inner), position
    if text.startswith("(", position):
        inner, position = _climb(text, position + 1, 1, depth + 1)
        return inner, literally(")", text, position)
    if found := _VARIABLE.match(text, position):
        return ("x0" if found[0] == "x" else "x1"), found.end()
    return parse_number(text, position)


EXPRESSION: Notation = (say, parse)


# Stages.

_STAGE = re.compile(r"(map|filter|fold) |(take|drop) (?=[0-9])|sort|reverse")


def say_stage(term: Any) -> str:
    """`take 2`, `fold x + y from 0`."""
    if isinstance(term, str):
        return "reverse" if term == "rev" else term
    if term[0] == "fold":
        return f"fold {say(term[1])} from {term[2]}"
    return f"{term[0]} {say(term[1])}"


def parse_stage(text: str, position: int) -> tuple[Term, int]:
    """A stage of a pipeline."""
    found = _STAGE.match(text, position)
    if not found:
        raise LanguageError("a stage (map, filter, fold, sort, …) must stand here", text, position)
    name = found[1] or found[2]
    if name is None:
        return ("rev" if found[0] == "reverse" else "sort"), found.end()
    body, position = parse(text, found.end())
    if name != "fold":
        return (name, body), position
    start, position = parse_number(text, literally(" from ", text, position))
    return (name, body, start), position


STAGES: Notation = listed((say_stage, parse_stage), ", then ", "nothing", PROBLEM_NODES_MAX)
