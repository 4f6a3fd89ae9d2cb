"""Packing: a body as codes.

    codes = Packer(book).pack(problem, body)      # [252, 254, 294, 195]

Every typed, canonical body has one spelling, right or wrong, and `unpack` gives the same body back.
What prediction leaves (`prefix.roots`) is flattened to its prefix, macros are applied, integers are
spelled or referred to. Bodies come from `problem.read_body` or `body_of`; nothing is checked here.
SPEC.md, section 5.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from regime3.lang.codebook import Codebook
from regime3.lang.codes import FIRST_MACRO, IMPLIED, NEG, REFERENCE
from regime3.lang.macros import merged
from regime3.lang.prefix import INTEGER, atom, flatten, roots
from regime3.lang.problem import Body, Problem
from regime3.lang.references import from_problem, touch
from regime3.lang.spelling import spelling_of
from regime3.lang.terms import Term

TEMPLATES_MAX: Final = 1 << 14
"""Shapes whose macros are remembered; then all are forgotten."""
TEMPLATE_CODES_MAX: Final = 256
"""Longer shapes are not remembered: they rarely come twice, and room is bounded."""


class Packer:
    """Packs with one codebook. Not for several threads at once."""

    def __init__(self, book: Codebook) -> None:
        self.book = book
        self._macros = {macro: FIRST_MACRO + place for place, macro in enumerate(book.macros)}
        self._templates: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._spelling = spelling_of(book)
        self._alone = self._spelling.alone
        self._refers = book.options["references"]

    def pack(self, problem: Problem, body: Body) -> list[int]:
        """The codes of a typed, canonical body of the problem."""
        codes: list[int] = []
        recent = from_problem(problem, self.book)
        alone = self._alone
        for line, root in roots(problem, body, self.book.strategy):
            if isinstance(root, int):
                if root in alone:
                    codes.append(alone[root])
                else:
                    self._integer(root, codes, recent)
            elif isinstance(root, tuple):
                self._compound(root, line, codes, recent)
            else:
                codes.append(IMPLIED if root is None else atom(root, line))
        return codes

    def _compound(
        self, term: tuple[Term, ...], line: int, codes: list[int], recent: list[int]
    ) -> None:
        shape: list[int] = []
        holes: list[int] = []
        flatten(term, line, shape, holes)
        alone, filling = self._alone, iter(holes).__next__
        for code in self._template(tuple(shape)):
            if code >= 0:
                codes.append(code)
            elif code != INTEGER:
                codes.append(filling())
            elif (number := filling()) in alone:
                codes.append(alone[number])
            else:
                self._integer(number, codes, recent)

    def _template(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape with macros."""
        if not self._macros:
            return shape
        template = self._templates.get(shape)
        if template is None:
            template = merged(shape, self._macros)
            if len(shape) <= TEMPLATE_CODES_MAX:
                if len(self._templates) >= TEMPLATES_MAX:
                    self._templates.clear()
                self._templates[shape] = template
        return template

    def _integer(self, number: int, codes: list[int], recent: list[int]) -> None:
        """An integer of two codes or more, or a reference to it."""
        if self._refers:
            if number in recent:
                codes.append(REFERENCE + len(recent) - 1 - recent.index(number))
                touch(recent, number)
                return
            touch(recent, number)
        if number < 0:
            codes.append(NEG)
            number = -number
        if number in self._alone:
            codes.append(self._alone[number])
            return
        base, more = self._spelling.base, self._spelling.more.start
        while number >= base:
            number, digit = divmod(number, base)
            codes.append(more + digit)
        codes.append(self._spelling.last.start + number)


@cache
def packer(book: Codebook) -> Packer:
    """The one of this codebook that the process keeps. Not for several threads at once."""
    return Packer(book)
