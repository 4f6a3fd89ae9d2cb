"""`templates.txt` as trees: how each step is written, and which rule a line is.

    found = pieces("From {1} and {2}, {3}.", ("Line", "Line", "P"), notations)
    write = writer(found); write(("mp", "l1", "l2", "c0"))
    tree.add("mp", found); tree.match(text, position, end, values)

Templates that begin alike share the beginning of a tree, so a line is read once, whatever it turns
out to be; where several templates go on, they are tried in turn and the one that gets
furthest explains what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, cast

from regime3.errors import LanguageError
from regime3.lang.english.numbers import Notation, Parse, bracketed
from regime3.lang.signature import NAMES, RANK, Slots

ALL: Final = 0
"""The number of the slot `{*}`."""
_SLOT = re.compile(r"(\{(?:[1-9]|\*)\}|\[[1-9]/?\])")


def _rows() -> dict[str, tuple[str, str]]:
    """Name: its plain and its terse template."""
    text = resources.files("regime3.lang.english").joinpath("templates.txt").read_text("utf-8")
    rows: dict[str, tuple[str, str]] = {}
    for line in text.splitlines():
        if line and line[0] not in "#[":
            name, plain, terse = (cell.strip() for cell in line.split(" | "))
            assert name not in rows, f"templates.txt has {name} twice"
            rows[name] = (plain, terse)
    wanted = set(NAMES[RANK["r-add"] :])
    assert set(rows) == wanted, f"templates.txt lacks or adds {sorted(wanted ^ set(rows))}"
    return rows


ROWS: Final = _rows()

Slot = tuple[int, Notation]
"""The number of an operand or result, 1-based (or `ALL`), and how it is written."""
Piece = str | Slot


def pieces(template: str, slots: Slots, notations: Mapping[str, Notation]) -> list[Piece]:
    """A template cut into words and slots, given the types of a step's arguments."""
    return [_piece(part, slots, notations) for part in _SLOT.split(template) if part]


def _piece(part: str, slots: Slots, notations: Mapping[str, Notation]) -> Piece:
    if not _SLOT.fullmatch(part):
        return part
    if part[1] == "*":
        return ALL, notations[slots[0]]
    number = int(part[1])
    # Integers are read as numbers: alike slots share a branch, and typing says what is wrong.
    kind = "Num" if slots[number - 1] == "Int" else slots[number - 1]
    notation = notations[kind]
    if part[0] == "[":
        notation = _brackets(notation, "/" in part)
    return number, notation


_BRACKETED: dict[tuple[Notation, bool], Notation] = {}


def _brackets(notation: Notation, fractions: bool) -> Notation:
    """`bracketed`, the same object for the same notation."""
    key = (notation, fractions)
    if key not in _BRACKETED:
        _BRACKETED[key] = bracketed(notation, fractions)
    return _BRACKETED[key]


Writer = Callable[[Any], str]
"""From a step, or any tuple with a name before its arguments, to text."""


def writer(found: list[Piece]) -> Writer:
    """What writes a template, cut into pieces."""
    parts = [piece if isinstance(piece, str) else (piece[0], piece[1][0]) for piece in found]

    def write(step: Any) -> str:
        text = ""
        for part in parts:
            if isinstance(part, str):
                text += part
            else:
                number, say = part
                text += say(step[number] if number else step[1:])
        return text

    return write


Found = dict[int, tuple[Any, int]]
"""What stood in the slots, and where each began."""


@dataclass(slots=True)
class Tree:
    """Templates by how they begin."""

    name: str | None = None
    """The template that may end here."""
    words: dict[str, Tree] = field(default_factory=dict)
    slots: dict[tuple[int, Parse], Tree] = field(default_factory=dict)

    def add(self, name: str, found: list[Piece]) -> None:
        """Add a template, cut into pieces."""
        node = self
        for piece in found:
            if isinstance(piece, str):
                node = node.words.setdefault(piece, Tree())
                continue
            node = node.slots.setdefault((piece[0], piece[1][1]), Tree())
        assert node.name is None, f"{name} and {node.name} are written alike"
        node.name = name

    def match(self, text: str, position: int, end: int, found: Found) -> str:
        """The name of the template that `text[position:end]` is; fills `found`.

        Raises the `LanguageError` of the alternative that got furthest.
        """
        if position == end and self.name is not None:
            return self.name
        # A failure is an answer here: the next alternative is tried, and the best one is told.
        furthest: LanguageError | None = None
        for word in self._words_at(text, position):
            try:
                return self.words[word].match(text, position + len(word), end, found)
            except LanguageError as error:
                furthest = _further(furthest, error)
        for (number, parse), tree in self.slots.items():
            try:
                value, after = parse(text, position)
                name = tree.match(text, after, end, found)
            except LanguageError as error:
                furthest = _further(furthest, error)
            else:
                found[number] = (value, position)
                return name
        raise furthest or LanguageError(self._wanted(), text, position)

    def _words_at(self, text: str, position: int) -> list[str]:
        """The words that go on here, longest first."""
        here = [word for word in self.words if text.startswith(word, position)]
        return sorted(here, key=len, reverse=True) if len(here) > 1 else here

    def _wanted(self) -> str:
        if self.name is not None:
            return "nothing may follow here"
        return f"{' or '.join(map(repr, self.words))} must stand here"


def _further(one: LanguageError | None, other: LanguageError) -> LanguageError:
    return other if one is None or cast(int, other.position) > cast(int, one.position) else one
