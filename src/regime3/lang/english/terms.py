"""Single terms in English, and back: `say(("imp", "c0", "c1"), "P")` is `p implies q`.

The type decides what is written: a constant is p as a proposition and A as a class. Expressions,
conditions and stages stand only in problems and have one notation. Prompts, which nobody reads back
and which may be loose, are `tasks.prose`.
"""

from __future__ import annotations

from typing import Final, Literal

from regime3.errors import LanguageError
from regime3.lang.english import linear, logic
from regime3.lang.english.expressions import EXPRESSION, STAGES, parse_stage, say_stage
from regime3.lang.english.names import CLASS
from regime3.lang.english.numbers import (
    Notation,
    as_term,
    choice,
    listed,
    parse_bits,
    parse_integer,
    parse_line,
    parse_number,
    parse_values,
    say_bits,
    say_line,
    say_number,
    say_values,
)
from regime3.lang.signature import CONSTANTS_MAX, LINES_MAX
from regime3.lang.terms import Term, check_size
from regime3.lang.typing import Scope, typed

Style = Literal["plain", "terse"]

BETWEEN: Final[dict[Style, str]] = {"plain": ", ", "terse": ","}
"""What stands between the items of a list."""
EMPTY: Final[dict[Style, str]] = {"plain": "nothing", "terse": "[]"}
"""A list of no items."""

NUMBER: Notation = (say_number, parse_number)
_CLASS: Notation = choice(CLASS)

_EVERYWHERE: Final[dict[str, Notation]] = {
    "Int": (say_number, parse_integer),
    "Num": NUMBER,
    "Line": (say_line, parse_line),
    "G": _CLASS,
    "F": (say_stage, parse_stage),
    "Pipe": as_term("pipe", STAGES),
    **dict.fromkeys(("E", "M", "B", "D", "K"), EXPRESSION),
}


def _notations(style: Style, gap: str, own: dict[str, Notation]) -> dict[str, Notation]:
    """Each type's notation, given the blank around signs and what else is the style's own."""
    side = linear.notation(gap)
    empty = EMPTY[style]
    integers = listed(_EVERYWHERE["Int"], BETWEEN[style], empty)
    return {
        **_EVERYWHERE,
        **own,
        "L": side,
        "Q": linear.equations(side, gap),
        "Int*": integers,
        "List": as_term("list", integers),
        "Ps": as_term("given", listed(own["P"], "; ", empty, LINES_MAX)),
        "Ss": as_term("given", listed(own["S"], "; ", empty, LINES_MAX)),
    }


NOTATIONS: Final[dict[Style, dict[str, Notation]]] = {
    "plain": _notations(
        "plain",
        " ",
        {
            "P": (logic.WORDS.say, logic.WORDS.parse),
            "S": logic.STATEMENT,
            "Bool": choice({"true": "true", "false": "false"}),
            "Bool*": (say_values, parse_values),
            "G*": listed(_CLASS, " and ", "none", CONSTANTS_MAX),
        },
    ),
    "terse": _notations(
        "terse",
        "",
        {
            "P": (logic.SYMBOLS.say, logic.SYMBOLS.parse),
            "S": logic.FORMULA,
            "Bool": choice({"true": "1", "false": "0"}),
            "Bool*": (say_bits, parse_bits),
            "G*": listed(_CLASS, " ", "-", CONSTANTS_MAX),
        },
    ),
}
"""How a term of a type is written. A starred type is the arguments of a term, as a sequence."""


def say(term: Term, kind: str, style: Style = "plain") -> str:
    """A typed, canonical term of the type `kind`."""
    return NOTATIONS[style][kind][0](term)


def read(text: str, kind: str, style: Style = "plain", constants: int = CONSTANTS_MAX) -> Term:
    """The term that `say` wrote, typed and canonical. Raises `LanguageError` with a caret."""
    check_size(text)
    term, end = NOTATIONS[style][kind][1](text, 0)
    if end != len(text):
        raise LanguageError("nothing may follow here", text, end)
    try:
        return typed(term, kind, Scope(constants, LINES_MAX))
    except LanguageError as error:
        raise LanguageError(error.reason, text, 0) from None
