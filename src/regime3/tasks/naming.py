"""Names for constants: numbered by where they first stand in a prompt, and by nothing else.

    naming = Naming(("p", "q", "r"))
    text = f"if {naming(7)} then {naming(3)}"       # 7 becomes p and c0, 3 becomes q and c1
    naming.renamed(("imp", "c7", "c3"))             # ("imp", "c0", "c1")

A logic problem is drawn with constants of any numbers; then its prompt is written, from left to
right, and only then are the constants numbered.
"""

from __future__ import annotations

from collections.abc import Sequence

from regime3.lang.terms import Term


class Naming:
    """Hands out names from a pool in the order in which they are asked for."""

    def __init__(self, pool: Sequence[str]) -> None:
        self._pool = pool
        self._number: dict[str, int] = {}

    def __call__(self, constant: str) -> str:
        """The name of a constant, new or known."""
        return self._pool[self._number.setdefault(constant, len(self._number))]

    @property
    def names(self) -> tuple[str, ...]:
        """The names used so far: of c0, c1, …"""
        return tuple(self._pool[: len(self._number)])

    def renamed(self, term: Term) -> Term:
        """The term with its constants numbered as they were named; all have been."""
        if isinstance(term, tuple):
            return (term[0], *[self.renamed(part) for part in term[1:]])
        if isinstance(term, str) and term in self._number:
            return f"c{self._number[term]}"
        return term
