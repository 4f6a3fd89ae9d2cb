"""The identity of a problem: equal exactly for problems that renaming and the laws make equal.

    fingerprint(read_problem("(gcd 462 147)"))      # 64 hex digits

Canonical labelling of constants by colour refinement and individualisation. It decides splits and
duplicates, so it is exact: no hash of features, and no heuristic. A problem so symmetric that more
than `LEAVES_MAX` namings stay to be compared is refused. SPEC.md, section 3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from regime3.errors import LanguageError
from regime3.lang.canon import Key, make, order_key
from regime3.lang.problem import Problem
from regime3.lang.terms import Term, show

LEAVES_MAX: Final = 5040
"""Namings compared at most: 7!, so seven constants that may all change places still pass."""
PREFIX: Final = b"r3fp1\n"


def fingerprint(problem: Problem) -> str:
    """sha256, in hex, of the least leaf. Raises `LanguageError` past `LEAVES_MAX` leaves."""
    if problem.constants == 0:
        leaf = show(_norm(problem.term, ()))
    else:
        leaf = min(_limited(_leaves(_Norms(problem), [0] * problem.constants)))
    return hashlib.sha256(PREFIX + leaf.encode()).hexdigest()


def _limited(leaves: Iterator[str]) -> Iterator[str]:
    for count, leaf in enumerate(leaves, start=1):
        if count > LEAVES_MAX:
            raise LanguageError(
                f"too symmetric: more than {LEAVES_MAX:,} namings of its constants to compare; "
                "pose it with fewer constants that may change places"
            )
        yield leaf


def _norm(term: Term, names: Sequence[int]) -> Term:
    """Canonical form with c(i) renamed c(names[i]), `given` a set, `eqn` and `gcd` commutative."""
    if isinstance(term, tuple):
        name = term[0]
        parts = [_norm(each, names) for each in term[1:]]
        if name == "given":
            return (name, *sorted(set(parts), key=order_key))
        if name in ("eqn", "gcd"):
            return (name, *sorted(parts, key=order_key))
        return make(name, *parts)
    number = _constant(term)
    return term if number is None else f"c{names[number]}"


def _constant(term: Term) -> int | None:
    """i for the constant ci, None for any other atom or name."""
    if isinstance(term, str) and term[0] == "c" and term[1:].isdigit():
        return int(term[1:])
    return None


class _Norms:
    """Prints the norm of one problem with premises under many namings.

    A premise is normalised once for each naming of the few constants in it, which most namings of
    the problem share.
    """

    def __init__(self, problem: Problem) -> None:
        assert problem.goal is not None, "only entails and follows have constants"
        self._kind = problem.kind
        self._goal = _Piece(problem.goal)
        self._premises = [_Piece(premise) for premise in dict.fromkeys(problem.premises)]

    def text(self, names: Sequence[int]) -> str:
        """`show(_norm(problem.term, names))`."""
        given = sorted({piece.norm(names) for piece in self._premises})
        premises = "".join(f" {text}" for _, text in given)
        return f"({self._kind} (given{premises}) {self._goal.norm(names)[1]})"


class _Piece:
    """A premise or the goal, and its norms so far by the names of its constants."""

    def __init__(self, term: Term) -> None:
        self._term = term
        self._constants = sorted(_constants(term))
        self._seen: dict[tuple[int, ...], tuple[Key, str]] = {}

    def norm(self, names: Sequence[int]) -> tuple[Key, str]:
        """Order key and print. Equal keys mean equal terms, so the two sort as the terms do."""
        mine = tuple([names[number] for number in self._constants])
        found = self._seen.get(mine)
        if found is None:
            norm = _norm(self._term, names)
            found = self._seen[mine] = (order_key(norm), show(norm))
        return found


def _constants(term: Any) -> set[int]:
    if isinstance(term, tuple):
        return set().union(*[_constants(part) for part in term[1:]])
    number = _constant(term)
    return set() if number is None else {number}


def _leaves(norms: _Norms, colours: list[int]) -> Iterator[str]:
    """The prints of all leaves below a colouring."""
    colours = _refined(norms, colours)
    shared = [colour for colour in colours if colours.count(colour) > 1]
    if not shared:
        yield norms.text(colours)
        return
    least = min(shared)
    for member, colour in enumerate(colours):
        if colour == least:
            apart = [2 * each + (place != member) for place, each in enumerate(colours)]
            yield from _leaves(norms, apart)


def _refined(norms: _Norms, colours: list[int]) -> list[int]:
    """Recolour by what each constant sees of the others, until nothing new is told apart.

    A colour that one constant has alone keeps its place among the ranks whatever that constant
    sees, so only those that share theirs look.
    """
    while True:
        count = len(set(colours))
        pairs = [
            (colour, _seen(norms, colours, place) if colours.count(colour) > 1 else b"")
            for place, colour in enumerate(colours)
        ]
        ranks = {pair: rank for rank, pair in enumerate(sorted(set(pairs)))}
        colours = [ranks[pair] for pair in pairs]
        if len(ranks) in (count, len(colours)):
            return colours


def _seen(norms: _Norms, colours: list[int], place: int) -> bytes:
    """The problem from one constant's place: itself c0, every other c(1 + its colour)."""
    names = [1 + colour for colour in colours]
    names[place] = 0
    return norms.text(names).encode()
