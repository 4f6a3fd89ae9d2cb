"""Propositions and statements about classes, in words and in symbols.

    plain   not p     p and q   p or q   p implies q   p iff q     all A are B
    terse   -p        p&q       p|q      p>q           p=q         A<B

In words every connective within another stands in brackets. In symbols `&` binds more than `|`,
and `|` more than `>` and `=`, which take brackets within each other. Statements in symbols: `A<B`
all, `A/B` no, `A&B` some, `A-B` some A are not B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from regime3.errors import LanguageError
from regime3.lang.english.names import CLASS, CLASSES, CONSTANT, NAME, PROPOSITION
from regime3.lang.english.numbers import Notation, literally
from regime3.lang.signature import DEPTH_MAX
from regime3.lang.terms import Term

CHAINS = frozenset({"and", "or"})
"""Connectives of two parts or more; the others have two."""
_TIGHTEST = 9


@dataclass(frozen=True)
class Connectives:
    """How propositions are written: words or symbols, and how much each binds."""

    negation: str
    binary: dict[str, tuple[str, int]]
    """Name: what stands between its parts, and its strength; the weakest has 1."""
    pattern: re.Pattern[str]
    """What may stand between parts."""

    def say(self, term: Any) -> str:
        """A proposition."""
        return self._say(term, 1)

    def _say(self, term: Any, least: int) -> str:
        """The proposition, in brackets if its connective binds less than `least`."""
        if not isinstance(term, tuple):
            return PROPOSITION.get(term) or str(term)
        name = term[0]
        if name == "not":
            return self.negation + self._say(term[1], _TIGHTEST)
        between, strength = self.binary[name]
        said = between.join([self._say(part, strength + 1) for part in term[1:]])
        return f"({said})" if strength < least else said

    def parse(self, text: str, position: int) -> tuple[Term, int]:
        """A proposition."""
        return self._climb(text, position, 1, 0)

    def _climb(self, text: str, position: int, least: int, depth: int) -> tuple[Term, int]:
        """A proposition whose outermost connective binds `least` or more."""
        left, position = self._unary(text, position, depth)
        ceiling = _TIGHTEST
        while found := self.pattern.match(text, position):
            name = _NAMES[found[0]]
            strength = self.binary[name][1]
            if strength < least:
                break
            if strength >= ceiling:
                raise LanguageError("brackets must say what binds first", text, position)
            right, position = self._climb(text, found.end(), strength + 1, depth)
            parts = [left, right]
            while name in CHAINS and text.startswith(found[0], position):
                right, position = self._climb(text, position + len(found[0]), strength + 1, depth)
                parts.append(right)
            left, ceiling = (name, *parts), strength
        return left, position

    def _unary(self, text: str, position: int, depth: int) -> tuple[Term, int]:
        if depth > DEPTH_MAX:
            raise LanguageError(f"deeper than {DEPTH_MAX}", text, position)
        if text.startswith(self.negation, position):
            inner, position = self._unary(text, position + len(self.negation), depth + 1)
            return ("not", inner), position
        if text.startswith("(", position):
            inner, position = self._climb(text, position + 1, 1, depth + 1)
            return inner, literally(")", text, position)
        if found := _VALUE.match(text, position):
            return found[0], found.end()
        if (found := NAME.match(text, position)) and len(found[0]) == 1:
            return CONSTANT[found[0]], found.end()
        raise LanguageError("a proposition must stand here", text, position)


_VALUE = re.compile(r"(?:true|false)(?![a-z])")

WORDS = Connectives(
    negation="not ",
    binary={"and": (" and ", 1), "or": (" or ", 1), "imp": (" implies ", 1), "iff": (" iff ", 1)},
    pattern=re.compile(r" (?:and|or|implies|iff) "),
)
SYMBOLS = Connectives(
    negation="-",
    binary={"and": ("&", 3), "or": ("|", 2), "imp": (">", 1), "iff": ("=", 1)},
    pattern=re.compile(r"[&|>=]"),
)
_NAMES = {
    written: name
    for style in (WORDS, SYMBOLS)
    for name, (written, _) in style.binary.items()
}  # fmt: skip


# Statements.

_IN_WORDS = {
    "all": "all {} are {}",
    "no": "no {} are {}",
    "some": "some {} are {}",
    "some-not": "some {} are not {}",
}
_SENTENCE = re.compile(rf"(all|no|some) ([{CLASSES}]) are (not )?([{CLASSES}])")
_SIGN = {"all": "<", "no": "/", "some": "&", "some-not": "-"}
_SIGNED = {sign: name for name, sign in _SIGN.items()}
_FORMULA = re.compile(rf"([{CLASSES}])([</&-])([{CLASSES}])")


def say_statement(term: Any) -> str:
    """`some A are not B`."""
    return _IN_WORDS[term[0]].format(CLASS[term[1]], CLASS[term[2]])


def parse_statement(text: str, position: int) -> tuple[Term, int]:
    """A statement in words."""
    found = _SENTENCE.match(text, position)
    if not found or (found[3] and found[1] != "some"):
        raise LanguageError("a statement (all A are B, some …) must stand here", text, position)
    name = "some-not" if found[3] else found[1]
    return (name, CONSTANT[found[2]], CONSTANT[found[4]]), found.end()


def say_formula(term: Any) -> str:
    """`A-B`."""
    return CLASS[term[1]] + _SIGN[term[0]] + CLASS[term[2]]


def parse_formula(text: str, position: int) -> tuple[Term, int]:
    """A statement in symbols."""
    found = _FORMULA.match(text, position)
    if not found:
        raise LanguageError("a statement (A<B, A/B, A&B, A-B) must stand here", text, position)
    return (_SIGNED[found[2]], CONSTANT[found[1]], CONSTANT[found[3]]), found.end()


STATEMENT: Notation = (say_statement, parse_statement)
FORMULA: Notation = (say_formula, parse_formula)
