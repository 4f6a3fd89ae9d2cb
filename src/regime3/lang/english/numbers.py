"""Numbers, lines, truth values and lists of them, in English.

Every sort of term has a *say*, from term to text, and a *parse*, from text and position to the term
and where it ends; a parse raises `LanguageError` with the place. Types are checked later, by
`lang.typing`: whatever is written as a number is read as a number here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from regime3.errors import LanguageError
from regime3.lang.english.names import NAME, index_of, name_of
from regime3.lang.signature import DIGITS_MAX, ELEMENTS_MAX, LIST_MAX
from regime3.lang.terms import Term, fraction_fault

Say = Callable[[Any], str]
Parse = Callable[[str, int], tuple[Any, int]]
Notation = tuple[Say, Parse]

_INTEGER = re.compile(r"-?[0-9]+")
_DENOMINATOR = re.compile(r"/([0-9]+)")
_LINE = re.compile(r"[1-9][0-9]?")


def say_number(term: Any) -> str:
    """`-3`, `3/2`."""
    return f"{term[1]}/{term[2]}" if isinstance(term, tuple) else str(term)


def parse_integer(text: str, position: int) -> tuple[int, int]:
    """`-3`; neither `-0` nor `007`."""
    found = _INTEGER.match(text, position)
    if not found:
        raise LanguageError("a number must stand here", text, position)
    return checked_integer(found[0], text, position), found.end()


def checked_integer(word: str, text: str, position: int) -> int:
    """The integer that `word` spells, if it is spelled as it should be."""
    digits = word.lstrip("-")
    if len(digits) > DIGITS_MAX:
        raise LanguageError(f"more than {DIGITS_MAX} digits", text, position)
    if word == "-0" or (digits[0] == "0" and digits != "0"):
        raise LanguageError("no leading zeros, and zero has no sign", text, position)
    return int(word)


def parse_number(text: str, position: int) -> tuple[Term, int]:
    """An integer, or a fraction `p/q` in lowest terms."""
    number, end = parse_integer(text, position)
    under = _DENOMINATOR.match(text, end)
    if not under:
        return number, end
    return fraction(number, under, text, position), under.end()


def fraction(over: int, under: re.Match[str], text: str, position: int) -> Term:
    """`(frac over under)`, where `under` matched the denominator, if it is a literal."""
    denominator = checked_integer(under[1], text, under.start(1))
    fault = fraction_fault([over, denominator])
    if fault:
        raise LanguageError(fault, text, position)
    return ("frac", over, denominator)


_LOOSE = re.compile(r"\(|.+[+-]")


def bracketed(notation: Notation, fractions: bool) -> Notation:
    """The same, in brackets if it is a sum; with `fractions`, for numbers only, if it is one."""
    say, parse = notation

    def say_bracketed(term: Any) -> str:
        said = say(term)
        return f"({said})" if (fractions and "/" in said) or _LOOSE.match(said) else said

    def parse_bracketed(text: str, position: int) -> tuple[Any, int]:
        if not text.startswith("(", position):
            # A bare 9/6 is a division: the fraction would have its brackets.
            return (parse_integer if fractions else parse)(text, position)
        term, end = parse(text, position + 1)
        return term, literally(")", text, end)

    return say_bracketed, parse_bracketed


def literally(word: str, text: str, position: int) -> int:
    """Where `word` ends, which must stand at `position`."""
    if not text.startswith(word, position):
        raise LanguageError(f"{word!r} must stand here", text, position)
    return position + len(word)


def say_line(line: str) -> str:
    """`l12` is 12."""
    return line[1:]


def parse_line(text: str, position: int) -> tuple[str, int]:
    """The number of a line."""
    found = _LINE.match(text, position)
    if not found:
        raise LanguageError("the number of a line must stand here", text, position)
    return f"l{found[0]}", found.end()


def choice(words: dict[str, str]) -> Notation:
    """A notation for names, each by its word; no word begins another."""
    names = {word: name for name, word in words.items()}
    pattern = re.compile("|".join(map(re.escape, names)))

    def parse(text: str, position: int) -> tuple[str, int]:
        found = pattern.match(text, position)
        if not found:
            wanted = " or ".join(names)
            raise LanguageError(f"{wanted} must stand here", text, position)
        return names[found[0]], found.end()

    return words.__getitem__, parse


def listed(item: Notation, between: str, empty: str, most: int = LIST_MAX) -> Notation:
    """A notation for lists of at most `most` items; a list of none is the word `empty`."""
    say_item, parse_item = item

    def say(items: Any) -> str:
        return between.join(map(say_item, items)) or empty

    def parse(text: str, position: int) -> tuple[list[Any], int]:
        if text.startswith(empty, position):
            return [], position + len(empty)
        one, position = parse_item(text, position)
        items = [one]
        while text.startswith(between, position):
            if len(items) >= most:
                raise LanguageError(f"more than {most} items", text, position)
            one, position = parse_item(text, position + len(between))
            items.append(one)
        return items, position

    return say, parse


def framed(before: str, notation: Notation, after: str) -> Notation:
    """The same with words around it."""
    say, parse = notation

    def parse_framed(text: str, position: int) -> tuple[Any, int]:
        term, end = parse(text, literally(before, text, position))
        return term, literally(after, text, end)

    return lambda term: before + say(term) + after, parse_framed


def as_term(name: str, items: Notation) -> Notation:
    """A notation for `(name *items)`."""
    say_items, parse_items = items

    def parse(text: str, position: int) -> tuple[Term, int]:
        found, end = parse_items(text, position)
        return (name, *found), end

    return lambda term: say_items(term[1:]), parse


# Values of p, q, …, all of them, in two notations: `101`, and `p, r true, q false`.

_BITS = {"false": "0", "true": "1"}
_DIGITS = re.compile(r"[01]+")


def say_bits(values: Any) -> str:
    """`101`: p and r true, q false."""
    return "".join(map(_BITS.__getitem__, values)) or "[]"


def parse_bits(text: str, position: int) -> tuple[list[str], int]:
    """Digits, or `[]`."""
    if text.startswith("[]", position):
        return [], position + 2
    found = _DIGITS.match(text, position)
    if not found or len(found[0]) > ELEMENTS_MAX:
        raise LanguageError(f"1 to {ELEMENTS_MAX} digits 0 and 1 must stand here", text, position)
    return ["true" if digit == "1" else "false" for digit in found[0]], found.end()


def say_values(values: Any) -> str:
    """`p, r true, q false`: those that are true first."""
    groups = []
    for word in ("true", "false"):
        names = [name_of(i) for i, value in enumerate(values) if value == word]
        if names:
            groups.append(f"{', '.join(names)} {word}")
    return ", ".join(groups) or "nothing"


_WORD = re.compile(r" (true|false)")


def parse_values(text: str, position: int) -> tuple[list[str], int]:
    """Names, each group with its value; p, q, … without gaps, each once."""
    start = position
    if text.startswith("nothing", position):
        return [], position + len("nothing")
    values: dict[int, str] = {}
    names: list[int] = []
    while True:
        index, position = _new_name(text, position, values, names)
        names.append(index)
        word = _WORD.match(text, position)
        if word:
            values.update(dict.fromkeys(names, word[1]))
            names, position = [], word.end()
        if not text.startswith(", ", position):
            break
        position += 2
    if names:
        raise LanguageError("true or false must stand here", text, position)
    if sorted(values) != list(range(len(values))):
        raise LanguageError("a value is missing: p, q, … go without gaps", text, start)
    return [values[index] for index in range(len(values))], position


def _new_name(
    text: str, position: int, values: dict[int, str], names: list[int]
) -> tuple[int, int]:
    found = NAME.match(text, position)
    if not found:
        raise LanguageError("a name (p, q, …) must stand here", text, position)
    index = index_of(found[0])
    if index in values or index in names:
        raise LanguageError(f"{found[0]} has a value already", text, position)
    if index >= ELEMENTS_MAX:
        raise LanguageError(f"more than {ELEMENTS_MAX} values", text, position)
    return index, found.end()
