"""An expression that is being reduced: found and replaced in place, never sorted again.

    expression = Expression(("add", ("mul", 7, 8), 2, 40))
    redex = expression.redex("mul", 7, 8)
    expression.replace(redex, 56)            # (add 56 2 40)

Nodes are lists `[name, *arguments]`, so that a step costs one walk and no copy; literals are as in
terms. It knows shapes and no arithmetic. SPEC.md, section 4: eval and mod.
"""

from __future__ import annotations

from typing import Any, Final

from regime3.lang.terms import Term

Node = list[Any]
Redex = tuple[Node, int, int, int]
"""Parent, the node's index in it, and the indices of the two arguments in the node."""

_IN_ORDER: Final = frozenset({"sub", "div", "pow"})
"""Names whose two arguments are a and b exactly; of others they are any two."""


class Expression:
    """The state of eval and mod."""

    __slots__ = ("_top",)

    def __init__(self, term: Term) -> None:
        self._top: Node = ["", _node(term)]

    @property
    def literal(self) -> Term | None:
        """The literal that the whole expression is, else None."""
        whole: Any = self._top[1]
        return None if whole.__class__ is list else whole

    def term(self) -> Term:
        """The expression as a term, as it stands."""
        return _term(self._top[1])

    def redex(self, name: str, a: Term, b: Term) -> Redex | None:
        """The first node in preorder of that name with literal arguments a and b."""
        whole = self._top[1]
        return _redex(self._top, 1, name, a, b) if whole.__class__ is list else None

    @staticmethod
    def replace(redex: Redex, result: Any) -> None:
        """The result replaces the leftmost argument, the other goes; a lone one is its node."""
        parent, place, i, j = redex
        node = parent[place]
        if len(node) == 3:
            parent[place] = result
        else:
            node[i if i < j else j] = result
            del node[j if i < j else i]

    def first_inner(self) -> Node | None:
        """The first node in postorder, which has only literal arguments; None if there is none."""
        node = self._top[1]
        if node.__class__ is not list:
            return None
        while True:
            for part in node:
                if part.__class__ is list:
                    node = part
                    break
            else:
                return node

    def place_of(self, number: int) -> tuple[Node, int] | None:
        """Where the integer first stands in preorder, exponents left out."""
        return _place_of(self._top, number)

    def first_outside(self, end: int) -> int | None:
        """The first integer in preorder below 0 or not below `end`, exponents left out."""
        return _first_outside(self._top, end)


def _node(term: Any) -> Any:
    if term.__class__ is int or term[0] == "frac":
        return term
    node = [part if part.__class__ is int else _node(part) for part in term[1:]]
    node.insert(0, term[0])
    return node


def _term(node: Any) -> Term:
    if node.__class__ is not list:
        literal: Term = node
        return literal
    return (node[0], *map(_term, node[1:]))


def _redex(parent: Node, place: int, name: str, a: Term, b: Term) -> Redex | None:
    node = parent[place]
    if node[0] == name:
        if name in _IN_ORDER:
            if node[1] == a and node[2] == b:
                return parent, place, 1, 2
        elif a in node and b in node:
            i = node.index(a)
            if a != b:
                return parent, place, i, node.index(b)
            if a in node[i + 1 :]:
                return parent, place, i, node.index(a, i + 1)
    for index, part in enumerate(node):
        if part.__class__ is list:
            found = _redex(node, index, name, a, b)
            if found is not None:
                return found
    return None


def _place_of(node: Node, number: int) -> tuple[Node, int] | None:
    end = 2 if node[0] == "pow" else len(node)
    for index in range(1, end):
        part = node[index]
        if part.__class__ is list:
            found = _place_of(part, number)
            if found is not None:
                return found
        elif part == number:
            return node, index
    return None


def _first_outside(node: Node, end: int) -> int | None:
    for part in node[1:2] if node[0] == "pow" else node[1:]:
        if part.__class__ is list:
            found = _first_outside(part, end)
            if found is not None:
                return found
        elif not 0 <= part < end:
            return int(part)
    return None
