"""What each code means to whoever reads codes: tables by type, for one sort of problem.

    integers = Grammar(book, "gcd>Int", constants=0).tables["Int"]
    integers[252]            # 56: ready
    integers[158]            # (reader.negative,): to be called
    integers[0]              # None: refused

Macros are plans with plans in them, so that reading never expands a code. `reader` has what
the cells do; this module only fills tables, once for each sort of problem.
"""

from __future__ import annotations

import sys
from typing import Any

from regime3.lang import reader, signature
from regime3.lang.codebook import Codebook, Pattern
from regime3.lang.codes import (
    BACK,
    BASE,
    CITED,
    CODES_MAX,
    CONSTANT,
    DIGIT,
    END,
    FIRST_MACRO,
    IMPLIED,
    LAST_DIGIT,
    LONG,
    MACRO_END,
    MODEL,
    NEG,
    PAIR,
    REFERENCE,
    REFERENCES_MAX,
)
from regime3.lang.reader import Many, Plan, Table
from regime3.lang.spelling import spelling_of


class Grammar:
    """The tables for problems of one kind, answer type and number of constants."""

    def __init__(self, book: Codebook, step_type: str, constants: int) -> None:
        self.book, self.constants = book, constants
        self.tables: dict[str, Table] = {}
        """By type: every type that a step, or what tells one, may hold."""
        self.steps = self._table(step_type)
        """What may begin a step that is spelled in full."""
        for told in (CITED, LONG, MODEL):
            self._table(told)
        self.nodes = _nodes(book)
        """Nodes that each code adds to its step; an integer's come with its last code."""
        self.codes_safe = signature.PROBLEM_NODES_MAX // max(self.nodes) - 1
        """So many codes after its first cannot make a step too large."""

    def _table(self, kind: str) -> Table:
        table = self.tables.get(kind)
        if table is None:
            table = self.tables[kind] = [None] * CODES_MAX + [kind]
            if kind in signature.INTEGER_TYPES:
                self._fill_integers(table)
            for code, forms in enumerate(self.book.forms):
                if kind in forms:
                    table[code] = self._cell(code, kind)
        return table

    def _cell(self, code: int, kind: str) -> Any:
        if CONSTANT <= code <= BACK:
            return sys.intern(BASE[code]) if code - CONSTANT < self.constants else None
        if BACK < code < NEG:
            return (reader.cited if kind == CITED else reader.line, code - BACK)
        return self._plan(self.book.pattern(code, kind))

    def _plan(self, pattern: Pattern) -> Plan | str:
        name = sys.intern(BASE[pattern[0]].rstrip("+"))
        if len(pattern) == 1:
            return name
        children = tuple([self._child(part) for part in pattern[1:]])
        return (reader.build, name, reader.FINISHERS.get(name), children)

    def _child(self, part: Pattern | str) -> Any:
        if isinstance(part, tuple):
            return self._plan(part)
        return Many(self._table(part[:-1])) if part.endswith("*") else self._table(part)

    def _fill_integers(self, table: Table) -> None:
        spelled = spelling_of(self.book)
        for code, number in spelled.numbers.items():
            table[code] = number
        for digit, code in enumerate(spelled.more):
            table[code] = (reader.digits, digit)
        table[NEG] = (reader.negative,)
        if self.book.options["references"]:
            for age in range(REFERENCES_MAX):
                table[REFERENCE + age] = (reader.reference, age)


def _nodes(book: Codebook) -> list[int]:
    nodes = [1] * FIRST_MACRO
    nodes[DIGIT:LAST_DIGIT] = [0] * 10
    nodes[NEG] = nodes[END] = nodes[IMPLIED] = 0
    for outer, _, inner in book.macros:
        nodes.append(nodes[outer] + nodes[inner])
    nodes += [0] * (CODES_MAX - len(nodes))
    nodes[MACRO_END:PAIR] = [1] * (PAIR - MACRO_END)
    return nodes
