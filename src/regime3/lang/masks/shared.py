"""What all sequences of one codebook share: automata by shape, the table of masks."""

from __future__ import annotations

from typing import Final

from regime3.lang import signature
from regime3.lang.codebook import Codebook
from regime3.lang.grammar import Grammar
from regime3.lang.masks.automaton import Automaton
from regime3.lang.masks.rows import Rows
from regime3.lang.masks.states import Shape, States
from regime3.lang.problem import Problem
from regime3.lang.unpack import Unpacker

_BOOKS_MAX: Final = 8
_masks: dict[str, Masks] = {}


class Masks:
    """The masks of one codebook; `masks_of` gives it."""

    def __init__(self, book: Codebook) -> None:
        self.book = book
        self.rows = Rows()
        self.unpacker = Unpacker(book)
        self._tables: dict[tuple[str, str, int, bool], tuple[Automaton, Grammar]] = {}

    def tables(self, problem: Problem, loose: bool) -> tuple[Automaton, Grammar]:
        """The automaton for such problems, and what reads their steps."""
        key = problem.kind, problem.answer, problem.constants, loose
        found = self._tables.get(key)
        if found is None:
            constants = signature.CONSTANTS_MAX if loose else problem.constants
            shape = Shape(problem.kind, constants, problem.answer, loose)
            automaton = Automaton(States(self.book, shape))
            found = self._tables[key] = automaton, self.unpacker.grammar(problem)
        return found


def masks_of(book: Codebook) -> Masks:
    """The masks of a codebook, one for all who ask."""
    found = _masks.get(book.name)
    if found is None:
        while len(_masks) >= _BOOKS_MAX:
            del _masks[next(iter(_masks))]
        found = _masks[book.name] = Masks(book)
    return found
