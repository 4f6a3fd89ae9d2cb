"""Canonical form: the one spelling of terms that are equal under the laws of the signature.

    canonical(("add", 2, ("add", "x0", 1)))      # ("add", "x0", 1, 2)

Bottom up, by smart constructors: an associative name splices arguments of the same name, a
commutative one sorts, an idempotent one drops equal neighbours, and one argument left stands
alone. Nothing is ever computed: `(add 0 54)` stays, or the normaliser would solve the task.
"""

from __future__ import annotations

from typing import Any

from regime3.lang.signature import ASSOCIATIVE, COMMUTATIVE, CONSTANTS_MAX, IDEMPOTENT, RANK
from regime3.lang.terms import Term, value_of

Key = tuple[Any, ...]


_NAMED: dict[str, Key] = {name: (0, rank, 0) for name, rank in RANK.items()}
_NAMED |= {f"x{n}": (1, n) for n in range(2)} | {f"c{n}": (2, n) for n in range(CONSTANTS_MAX)}
"""Sorting keys of the strings that terms are mostly made of; others are worked out."""


def order_key(term: Any) -> Key:
    """Sorts terms: compounds and names by rank, argument count and arguments; then variables,
    constants, lines, and numbers (fractions too) by value."""
    if term.__class__ is tuple:
        if term[0] == "frac":
            return (4, value_of(term))
        return (0, RANK[term[0]], len(term) - 1, *map(order_key, term[1:]))
    if term.__class__ is int:
        return (4, term)
    return _NAMED.get(term) or ("xcl".index(term[0]) + 1, int(term[1:]))


def make(name: str, *arguments: Term) -> Term:
    """`(name *arguments)` in canonical form, given canonical arguments."""
    if name not in COMMUTATIVE:
        return (name, *arguments)
    parts = list(arguments)
    if name in ASSOCIATIVE:
        parts = _spliced(name, parts)
    if len(parts) > 1:
        parts.sort(key=order_key)
    if name in IDEMPOTENT:
        parts = [part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1]]
        if len(parts) == 1:
            return parts[0]
    return (name, *parts)


def _spliced(name: str, arguments: list[Term]) -> list[Term]:
    parts: list[Term] = []
    for argument in arguments:
        if isinstance(argument, tuple) and argument[0] == name:
            parts.extend(argument[1:])
        else:
            parts.append(argument)
    return parts


def canonical(term: Term) -> Term:
    """The canonical form of any term. Idempotent."""
    if not isinstance(term, tuple):
        return term
    return make(term[0], *[canonical(argument) for argument in term[1:]])
