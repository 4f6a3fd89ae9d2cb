"""Codes: the numbers that packed bodies are made of, their names, and their spelling as tokens.

    tokens_text([252, 254])        # "<E252><E254>"
    read_tokens("A56 A58 qed!")    # [252, 254, 195]

Codes 0 to 295 are the same in every codebook: the names by rank, then `add+ mul+ and+ or+ end`,
variables, constants, lines, digits, references, `qed!` and atoms. Macros follow; `codebook` says
what they are. The last 100 codes are pairs of digits, and the 60 before them -1 to -60. This module
knows which arguments each code wants (`FORMS`) and no more: `pack` and `unpack` turn bodies into
codes and back.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.signature import ASSOCIATIVE, COMMUTATIVE, NAMES, RANK, Slots

if TYPE_CHECKING:
    from regime3.lang.codebook import Codebook

CODES_MAX: Final = 512
REFERENCES_MAX: Final = 16
ATOMS_MAX: Final = 100
PAIRS_MAX: Final = 100
NEGATIVES_MAX: Final = 60

PLUS: Final = {
    name: len(NAMES) + place
    for place, name in enumerate(n for n in NAMES if n in ASSOCIATIVE & COMMUTATIVE)
}
"""PLUS[name]: the code for three arguments or more; the name's own code is for exactly two."""

BASE: Final[tuple[str, ...]] = (
    *NAMES,
    *(f"{name}+" for name in PLUS),
    "end",
    "x0",
    "x1",
    *(f"c{number}" for number in range(signature.CONSTANTS_MAX)),
    *(f"B{back}" for back in range(1, signature.LINES_MAX)),
    "neg",
    *(f"D{digit}" for digit in range(10)),
    *(f"T{digit}" for digit in range(10)),
    *(f"R{age}" for age in range(REFERENCES_MAX)),
    "qed!",
    *(f"A{number}" for number in range(ATOMS_MAX)),
)
"""The names of the codes that every codebook shares, by code, but for negatives and pairs."""

PAIR: Final = CODES_MAX - PAIRS_MAX
"""The code of P0. Pairs are numbered from the end, so that they move no other code."""
NEGATIVE: Final = PAIR - NEGATIVES_MAX - 1
"""NEGATIVE + n is the code of Nn, which is -n."""
CODE: Final = {
    **{name: code for code, name in enumerate(BASE)},
    **{f"N{number}": NEGATIVE + number for number in range(1, NEGATIVES_MAX + 1)},
    **{f"P{pair}": PAIR + pair for pair in range(PAIRS_MAX)},
}
END: Final = CODE["end"]
CONSTANT: Final = CODE["c0"]
BACK: Final = CODE["B1"] - 1
"""BACK + d is the code of Bd."""
NEG: Final = CODE["neg"]
DIGIT, LAST_DIGIT, REFERENCE, ATOM = CODE["D0"], CODE["T0"], CODE["R0"], CODE["A0"]
QED, IMPLIED = CODE["qed"], CODE["qed!"]
FIRST_MACRO: Final = len(BASE)
MACRO_END: Final = NEGATIVE + 1
"""Macros have the codes from FIRST_MACRO up to this one, which is N1."""
MACROS_MAX: Final = MACRO_END - FIRST_MACRO

STEP_KINDS: Final = {
    f"{kind}>{answer}": (kind, answer)
    for kind, answer in [
        *((kind, signature.answer_type(kind)) for kind in signature.KINDS),
        ("run", signature.answer_type("run", folds=True)),
    ]
}
"""Types of steps: a kind of problem and the type of its answer, such as `run>Int`."""


def step_type(kind: str, answer: str) -> str:
    """The type of a step of such a problem; a key of `STEP_KINDS`."""
    return f"{kind}>{answer}"


MODEL: Final = "Model"
"""A type that packing alone has: a counter-model whose elements are told by some of their classes:
one class alone, `some` with two of them, or `elem` with any."""
WITNESS: Final = "Witness"
LONG: Final = "Long"
"""`end` where a step may begin: what comes next is done the long way, digit by digit."""
CITED: Final = "Cited"
"""A line, or the goal as the line before the first."""
TOLD_FORMS: Final[dict[str, dict[str, Slots]]] = {
    MODEL: {"counter": (f"{WITNESS}*",)},
    WITNESS: {"elem": ("G*",), "some": ("G", "G")},
    LONG: {"end": ()},
}
TOLD_TYPES: Final = frozenset({MODEL, WITNESS, CITED, LONG})
TYPE_FORMS: Final = signature.FORMS | TOLD_FORMS
"""TYPE_FORMS[type][name]: as `signature.FORMS`, with those types."""
CONSTANT_TYPES: Final = signature.CONSTANT_TYPES | {WITNESS}


def _forms() -> tuple[dict[str, Slots], ...]:
    forms: list[dict[str, Slots]] = [{} for _ in BASE]
    for kind, names in TYPE_FORMS.items():
        for name, slots in names.items():
            if name in PLUS:
                forms[PLUS[name]][kind] = (*slots[:2], slots[0], slots[2])
                slots = slots[:2]
            forms[CODE[name]][kind] = slots
    for word, (kind, answer) in STEP_KINDS.items():
        for name, rule in signature.RULES[kind].items():
            forms[RANK[name]][word] = rule.slots
        forms[QED][word] = (answer,)
    for variable, kinds in signature.VARIABLE_TYPES.items():
        forms[CODE[variable]] = dict.fromkeys(sorted(kinds), ())
    for number in range(signature.CONSTANTS_MAX):
        forms[CONSTANT + number] = dict.fromkeys(sorted(CONSTANT_TYPES), ())
    for back in range(1, signature.LINES_MAX):
        forms[BACK + back] = {CITED: (), "Line": ()}
    return tuple(forms)


FORMS: Final = _forms()
"""FORMS[code][type]: the types of what follows `code` where `type` is wanted; `T*` is any number
and then `end`. Empty for `end`, `qed!` and the codes of integers."""


def _meanings() -> dict[int, str]:
    found = {
        END: "the last of any number of arguments was before; as a step: the long way",
        NEG: "minus; an atom, digits or pairs follow",
        IMPLIED: "(qed …) with the answer that the state implies",
    }
    for back in range(1, signature.LINES_MAX):
        found[BACK + back] = f"the line {back} before this one"
    for digit in range(10):
        found[DIGIT + digit] = f"digit {digit}, more follow; least first"
        found[LAST_DIGIT + digit] = f"digit {digit}, the last and highest"
    for age in range(REFERENCES_MAX):
        found[REFERENCE + age] = f"the large integer seen {age + 1} ago, the latest first"
    for number in range(ATOMS_MAX):
        found[ATOM + number] = str(number)
    for number in range(1, NEGATIVES_MAX + 1):
        found[NEGATIVE + number] = str(-number)
    for pair in range(PAIRS_MAX):
        found[PAIR + pair] = f"digits {pair:02}, more follow; least first"
    return found


MEANINGS: Final = _meanings()
"""Codes that are no names, variables or constants, in words for people."""

_TOKEN = re.compile(r"\s*(?:<E([0-9]{3})>|([^\s<]+|<\S*))")
_MACRO = re.compile(r"M(0|[1-9][0-9]{0,2})")


def token(code: int) -> str:
    """`<E007>` for 7: the vocabulary token of a code."""
    return f"<E{code:03d}>"


def tokens_text(codes: list[int]) -> str:
    """Codes as tokens, with nothing between them."""
    return "".join([f"<E{code:03d}>" for code in codes])


def name(code: int, book: Codebook | None = None) -> str:
    """What people call a code: its base name, or `M17` for the 18th macro of a codebook.

    Given the codebook, a code that it does not assign is called by its token.
    """
    if 0 <= code < FIRST_MACRO:
        return BASE[code]
    if MACRO_END <= code < PAIR:
        return f"N{code - NEGATIVE}"
    if PAIR <= code < CODES_MAX:
        return f"P{code - PAIR}"
    macros = MACROS_MAX if book is None else len(book.macros)
    return f"M{code - FIRST_MACRO}" if 0 <= code - FIRST_MACRO < macros else token(code)


def names_text(codes: list[int], book: Codebook | None = None) -> str:
    """Codes by name, with blanks between them: for people. `read_tokens` reads it."""
    return " ".join([name(code, book) for code in codes])


def read_tokens(text: str) -> list[int]:
    """The codes that a text spells, as tokens or by name, with or without blanks.

    Raises `LanguageError` with the place of what is no code.
    """
    if len(text) > signature.TEXT_BYTES_MAX:
        raise LanguageError(f"the codes are longer than {signature.TEXT_BYTES_MAX:,} bytes")
    codes: list[int] = []
    position = 0
    while found := _TOKEN.match(text, position):
        codes.append(_read_one(found, text))
        position = found.end()
    return codes


def _read_one(found: re.Match[str], text: str) -> int:
    number, word = found.groups()
    if number is not None:
        if int(number) >= CODES_MAX:
            last = token(CODES_MAX - 1)
            raise LanguageError(f"codes go up to {last}", text, found.start(1) - 2)
        return int(number)
    if word in CODE:
        return CODE[word]
    macro = _MACRO.fullmatch(word)
    if macro and int(macro[1]) < MACROS_MAX:
        return FIRST_MACRO + int(macro[1])
    shown = word if len(word) <= 32 else word[:29] + "..."
    raise LanguageError(
        f"{shown!r} is no code: write <E000> to {token(CODES_MAX - 1)}, or names as in"
        " `r3 codebook show`",
        text,
        found.start(2),
    )
