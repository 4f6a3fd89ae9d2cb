"""The identity of a problem: equal exactly for problems that renaming and the laws make equal.

    fingerprint(read_problem("(gcd 462 147)"))      # 64 hex digits

Canonical labelling by colour refinement and individualisation. It decides splits and duplicates, so
it is exact: no hash of features. SPEC.md, section 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

from regime3.errors import LanguageError
from regime3.lang.canon import make, order_key
from regime3.lang.problem import Problem
from regime3.lang.terms import Term, show

LEAVES_MAX: Final = 5040
PREFIX: Final = b"r3fp1\n"


def fingerprint(problem: Problem) -> str:
    """sha256, in hex, of the least leaf. Raises `LanguageError` past `LEAVES_MAX` leaves."""
    term = problem.term
    if problem.constants == 0:
        return _hash(show(_norm(term, [])))
    best: str | None = None
    for count, leaf in enumerate(_leaves(term, [0] * problem.constants), start=1):
        if count > LEAVES_MAX:
            raise LanguageError(f"too symmetric: more than {LEAVES_MAX} namings to compare")
        if best is None or leaf < best:
            best = leaf
    assert best is not None
    return _hash(best)


def _hash(leaf: str) -> str:
    return hashlib.sha256(PREFIX + leaf.encode()).hexdigest()


def _norm(term: Term, names: list[int]) -> Term:
    """Canonical form with c(i) renamed c(names[i]), `given` a set, `eqn` and `gcd` commutative."""
    if isinstance(term, tuple):
        parts = [_norm(each, names) for each in term[1:]]
        name = term[0]
        if name == "given":
            unique = sorted(set(parts), key=order_key)
            return (name, *unique)
        if name in ("eqn", "gcd"):
            return (name, *sorted(parts, key=order_key))
        return make(name, *parts)
    if isinstance(term, str) and term[0] == "c" and term[1:].isdigit():
        return f"c{names[int(term[1:])]}"
    return term


def _leaves(term: Term, colours: list[int]) -> Iterator[str]:
    """The prints of all leaves below a colouring."""
    colours = _refined(term, colours)
    shared = [colour for colour in colours if colours.count(colour) > 1]
    if not shared:
        yield show(_norm(term, colours))
        return
    least = min(shared)
    for member, colour in enumerate(colours):
        if colour == least:
            yield from _leaves(
                term, [2 * each + (place != member) for place, each in enumerate(colours)]
            )


def _refined(term: Term, colours: list[int]) -> list[int]:
    """Recolour by what each constant sees of the others, until nothing new is told apart."""
    count = len(set(colours))
    while True:
        seen = [
            (colour, show(_norm(term, _named(colours, place))).encode())
            for place, colour in enumerate(colours)
        ]
        ranks = {pair: rank for rank, pair in enumerate(sorted(set(seen)))}
        colours = [ranks[pair] for pair in seen]
        if len(ranks) == count:
            return colours
        count = len(ranks)


def _named(colours: list[int], place: int) -> list[int]:
    """The constant at `place` as c0, every other as c(1 + its colour)."""
    names = [1 + colour for colour in colours]
    names[place] = 0
    return names
