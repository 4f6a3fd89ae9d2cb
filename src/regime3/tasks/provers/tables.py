"""Truth tables of propositions, a whole table in one integer.

    tables = Tables(2)
    tables.of(("imp", "c0", "c1"))      # 0b1101: bit 0 is the row where all are true

Row r makes c0 true where the highest of its k bits is 0, and so on: rows run as in a textbook, all
true first. At most 12 constants, so at most 4,096 rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from operator import and_, or_

from regime3.lang.terms import Term


class Tables:
    """Tables over c0 .. c(constants-1); each is computed once."""

    def __init__(self, constants: int) -> None:
        self.constants = constants
        self.everywhere = (1 << (1 << constants)) - 1
        self._known: dict[Term, int] = {"false": 0}
        for number in range(constants):
            width = 1 << (constants - 1 - number)
            block = (1 << width) - 1
            # `block` repeated every 2*width bits: all ones divided by a longer block of ones.
            self._known[f"c{number}"] = self.everywhere // ((1 << 2 * width) - 1) * block

    def of(self, proposition: Term) -> int:
        """One bit a row: where the proposition is true."""
        found = self._known.get(proposition)
        if found is None:
            found = self._known[proposition] = self._compound(proposition)
        return found

    def all_of(self, propositions: Iterable[Term]) -> int:
        """Where all of them are true."""
        return reduce(and_, map(self.of, propositions), self.everywhere)

    def _compound(self, proposition: Term) -> int:
        assert isinstance(proposition, tuple)
        name = proposition[0]
        parts = [self.of(part) for part in proposition[1:]]
        match name:
            case "not":
                return self.everywhere & ~parts[0]
            case "and":
                return reduce(and_, parts)
            case "or":
                return reduce(or_, parts)
            case "imp":
                return self.everywhere & ~parts[0] | parts[1]
        assert name == "iff"
        return self.everywhere & ~(parts[0] ^ parts[1])

    def first_row(self, table: int) -> list[bool]:
        """The values of c0, c1, … in the first row where the table is true; there is one."""
        row = (table & -table).bit_length() - 1
        return [not row >> (self.constants - 1 - number) & 1 for number in range(self.constants)]
