"""Terms: what the language is made of, read from text and printed.

    term = parse("(add (scale 4 x0) 2)")     # ("add", ("scale", 4, "x0"), 2)
    show(term)                               # the same text again

A term is an `int`; a `str` for a variable (`x0`), a constant (`c3`), a line (`l2`) or a name
without arguments (`sort`, `true`); or a tuple `(name, *arguments)`. `(frac p q)` in lowest terms
is a literal. This module knows spelling and sizes; types are `typing`, laws are `canon`.
"""

from __future__ import annotations

import re
import sys
from fractions import Fraction
from math import gcd
from typing import Any

from regime3.errors import LanguageError
from regime3.lang import signature

Term = int | str | tuple[Any, ...]

TOKEN = re.compile(r"[ \t\r\n]*(?:([()])|([^\s()]+))")
INK = re.compile(r"[^ \t\r\n]")
"""Whatever is no blank of ours; blanks of other alphabets are ink."""
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_ATOM = re.compile(r"[xc](?:0|[1-9][0-9]*)|l[1-9][0-9]*")
_NUMBERISH = re.compile(r"-?[0-9]")
_NAME = re.compile(r"[a-z][a-z0-9-]*")

BARE = frozenset({"sort", "rev", "true", "false", "yes", "none", "any"})
"""Names that stand without parentheses; all others never do."""


def parse(text: str) -> Term:
    """The one term that the text holds. Raises `LanguageError` with the place."""
    check_size(text)
    term, position = parse_at(text, 0)
    rest = INK.search(text, position)
    if rest:
        raise LanguageError("nothing may follow the term", text, rest.start())
    return term


def check_size(text: str) -> None:
    """Refuse a text of more than `TEXT_BYTES_MAX` bytes before reading any of it."""
    if (
        len(text) > signature.TEXT_BYTES_MAX
        or len(text.encode("utf-8", "surrogatepass")) > signature.TEXT_BYTES_MAX
    ):
        raise LanguageError(f"the text is longer than {signature.TEXT_BYTES_MAX:,} bytes")


def parse_at(text: str, position: int, depth: int = 0) -> tuple[Term, int]:
    """The term that begins at `position` (blanks allowed before it) and where it ends."""
    found = TOKEN.match(text, position)
    if not found:
        raise LanguageError("a term is missing here", text, len(text))
    bracket, word = found.groups()
    if word is not None:
        return _atom(text, word, found.start(2)), found.end()
    if bracket == ")":
        raise LanguageError("this ')' closes nothing", text, found.start(1))
    if depth >= signature.DEPTH_MAX:
        raise LanguageError(f"deeper than {signature.DEPTH_MAX}", text, found.start(1))
    return _compound(text, found.start(1), depth)


def _compound(text: str, opening: int, depth: int) -> tuple[Term, int]:
    head = TOKEN.match(text, opening + 1)
    if not head:
        raise LanguageError("this '(' is never closed", text, opening)
    name = head[2]
    if name is None:
        raise LanguageError("a name must follow '('", text, head.start(1))
    if name not in signature.RANK:
        raise LanguageError(f"unknown name {_cut(name)!r}", text, head.start(2))
    if name in BARE:
        raise LanguageError(f"{name!r} takes no arguments: no parentheses", text, opening)
    arguments: list[Term] = []
    position = head.end()
    while True:
        token = TOKEN.match(text, position)
        if not token:
            raise LanguageError("this '(' is never closed", text, opening)
        if token[1] == ")":
            break
        if len(arguments) >= signature.PROBLEM_NODES_MAX:
            raise LanguageError("too many arguments", text, position)
        argument, position = parse_at(text, position, depth + 1)
        arguments.append(argument)
    if name == "frac":
        _check_fraction(arguments, text, opening)
    return (sys.intern(name), *arguments), token.end()


def _atom(text: str, word: str, position: int) -> Term:
    if _INTEGER.fullmatch(word):
        if len(word.lstrip("-")) > signature.DIGITS_MAX:
            raise LanguageError(f"more than {signature.DIGITS_MAX} digits", text, position)
        return int(word)
    if _NUMBERISH.match(word):
        raise LanguageError(f"{_cut(word)!r} is no integer: {_number_fault(word)}", text, position)
    if _ATOM.fullmatch(word) and len(word) <= 4:
        return sys.intern(word)
    if word in signature.RANK:
        if word not in BARE:
            raise LanguageError(f"{word!r} never stands alone: write ({word} …)", text, position)
        return sys.intern(word)
    if _NAME.fullmatch(word):
        raise LanguageError(f"unknown name {_cut(word)!r}", text, position)
    raise LanguageError(f"{_cut(word)!r} is no term", text, position)


def _number_fault(word: str) -> str:
    digits = word.lstrip("-")
    if word == "-0":
        return "zero has no sign"
    if digits.isdigit() and word.count("-") <= 1:
        return "no leading zeros"
    return "only digits may follow"


def _cut(word: str) -> str:
    return word if len(word) <= 32 else word[:29] + "..."


def _check_fraction(arguments: list[Term], text: str, position: int) -> None:
    fault = fraction_fault(arguments)
    if fault:
        raise LanguageError(fault, text, position)


def fraction_fault(arguments: list[Term] | tuple[Term, ...]) -> str:
    """What is wrong with `(frac *arguments)`, or ''."""
    if len(arguments) != 2 or not all(isinstance(each, int) for each in arguments):
        return "frac wants two integers"
    over, under = arguments
    assert isinstance(over, int) and isinstance(under, int)
    if under == 0:
        return "the denominator is zero"
    if under < 2:
        return "the denominator must be 2 or more"
    return "the fraction is not in lowest terms" if gcd(over, under) != 1 else ""


def show(term: Term) -> str:
    """The term as text: single spaces, no line breaks."""
    if isinstance(term, tuple):
        return f"({' '.join([term[0], *map(show, term[1:])])})"
    return str(term)


def is_literal(term: Any) -> bool:
    """An integer or a fraction."""
    return term.__class__ is int or (term.__class__ is tuple and term[0] == "frac")


def value_of(literal: Term) -> int | Fraction:
    """The number that a literal is."""
    if isinstance(literal, tuple):
        return Fraction(literal[1], literal[2])
    assert isinstance(literal, int)
    return literal


def literal(value: int | Fraction) -> Term:
    """The literal of a number: an `int` where it is whole."""
    if isinstance(value, int):
        return value
    if value.denominator == 1:
        return value.numerator
    return ("frac", value.numerator, value.denominator)


def size(term: Term) -> int:
    """Nodes of the term: names, variables, constants, lines and integers."""
    if term.__class__ is not tuple:
        return 1
    waiting: list[Any] = [term]
    # What is appended while the loop runs is met by it too.
    for each in waiting:
        if each.__class__ is tuple:
            waiting += each[1:]
    return len(waiting)


def place(text: str, path: tuple[int, ...], start: int = 0) -> int:
    """The position in `text` of the argument at `path` of the term that begins at `start`.

    Path (2, 0) is the first argument of the third argument. The text is known to parse.
    """
    found = TOKEN.match(text, start)
    assert found is not None
    if not path:
        return found.start(1) if found[1] else found.start(2)
    position = _after_head(text, found)
    for _ in range(path[0]):
        _, position = parse_at(text, position)
    return place(text, path[1:], position)


def _after_head(text: str, opening: re.Match[str]) -> int:
    head = TOKEN.match(text, opening.end())
    assert head is not None
    return head.end()
