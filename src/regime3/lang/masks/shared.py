"""What all sequences of one codebook share: automata by shape, the table of masks."""

from __future__ import annotations

from typing import Final

from regime3.lang.codebook import Codebook
from regime3.lang.masks.automaton import Automaton
from regime3.lang.masks.rows import Rows
from regime3.lang.masks.states import Shape, States
from regime3.lang.unpack import Unpacker

_BOOKS_MAX: Final = 8
_masks: dict[str, Masks] = {}


class Masks:
    """The masks of one codebook; `masks_of` gives it."""

    def __init__(self, book: Codebook) -> None:
        self.book = book
        self.rows = Rows()
        self.unpacker = Unpacker(book)
        self._automata: dict[Shape, Automaton] = {}

    def automaton(self, shape: Shape) -> Automaton:
        """The automaton of a shape, made when it is first asked for."""
        found = self._automata.get(shape)
        if found is None:
            found = self._automata[shape] = Automaton(States(self.book, shape))
        return found


def masks_of(book: Codebook) -> Masks:
    """The masks of a codebook, one for all who ask."""
    found = _masks.get(book.name)
    if found is None:
        while len(_masks) >= _BOOKS_MAX:
            del _masks[next(iter(_masks))]
        found = _masks[book.name] = Masks(book)
    return found
