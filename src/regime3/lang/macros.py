"""Macros: codes for parts of steps that often stand together. Applying and learning them.

    table = {macro: code, …}
    merged(shape, table)                 # the shape with macros in it
    macros = learn(corpus, book)         # what the codebook should have

A macro (f, slot, g) is the code f with the code g in one of its slots; f and g may be macros
themselves. Integers, constants, lines, arguments of starred slots and the next step are never
swallowed: no code tells of what comes later than its own slots. SPEC.md, section 5, step 4.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from regime3.lang import codes
from regime3.lang.codebook import MACRO_NODES_MAX, Codebook, Macro
from regime3.lang.codes import END, FIRST_MACRO, MACROS_MAX
from regime3.lang.prefix import flatten, roots
from regime3.lang.problem import Body, Problem

RESERVE: Final = 16
"""Codes that learning leaves unassigned, for rows that the signature may get."""
COUNT_MIN: Final = 50
"""A pair is proposed if it stands in the proposers' bodies as often as this."""
SAVED_MIN: Final = 30
"""A proposal is accepted if it saves as many codes on the judges' bodies."""
JUDGE_EACH: Final = 5
"""Bodies whose index is divisible by it judge; the others propose."""

Shape = tuple[int, ...]
Node = list[Any]
"""[code, *parts]: a part is a Node, a hole (negative), or a tuple of those (a starred slot)."""

_ARITY: Final = [
    next(((len(s) - s[-1].endswith("*"), s[-1].endswith("*")) for s in forms.values() if s), (0, 0))
    for forms in codes.FORMS
]


def merged(shape: Shape, table: dict[Macro, int]) -> Shape:
    """The shape with macros applied: always the lowest-numbered one that fits, until none does.

    That is the same as one macro after another, as no macro makes room for an earlier one.
    """
    tree = _tree(shape)
    while fitting := [(table[pair], pair) for pair in _pairs(tree) if pair in table]:
        code, macro = min(fitting)
        _apply(tree, macro, code)
    found: list[int] = []
    _write(tree, found)
    return tuple(found)


def _tree(shape: Shape) -> Node:
    take = iter(shape).__next__
    return _read(take(), take)


def _read(code: int, take: Callable[[], int]) -> Node:
    fixed, starred = _ARITY[code]
    node: Node = [code]
    for _ in range(fixed):
        part = take()
        node.append(part if part < 0 else _read(part, take))
    if starred:
        parts = iter(take, END)
        node.append(tuple([part if part < 0 else _read(part, take) for part in parts]))
    return node


def _write(node: Node, found: list[int]) -> None:
    found.append(node[0])
    for part in node[1:]:
        if part.__class__ is list:
            _write(part, found)
        elif part.__class__ is int:
            found.append(part)
        else:
            for each in part:
                if each.__class__ is list:
                    _write(each, found)
                else:
                    found.append(each)
            found.append(END)


def _below(parts: Iterable[Any]) -> Iterator[Node]:
    """The nodes among the parts of a node, those in starred slots too."""
    for part in parts:
        if part.__class__ is list:
            yield part
        elif part.__class__ is tuple:
            for each in part:
                if each.__class__ is list:
                    yield each


def _pairs(node: Node) -> list[Macro]:
    """Every (f, slot, g) in the tree, as often as it stands there."""
    found: list[Macro] = []
    waiting = [node]
    for each in waiting:
        for place, part in enumerate(each):
            if part.__class__ is list:
                found.append((each[0], place - 1, part[0]))
        waiting.extend(_below(each))
    return found


def _fits(node: Node, macro: Macro) -> bool:
    outer, slot, inner = macro
    if node[0] != outer:
        return False
    part = node[slot + 1]
    return part.__class__ is list and bool(part[0] == inner)


def _apply(node: Node, macro: Macro, code: int) -> None:
    """Merge wherever the macro fits, in preorder."""
    if _fits(node, macro):
        place = macro[1] + 1
        node[place : place + 1] = node[place][1:]
        node[0] = code
    for each in _below(node):
        _apply(each, macro, code)


def _merges(node: Node, macro: Macro) -> int:
    """How often `_apply` would merge, which is how many codes it would save."""
    parts, count = node, 0
    if _fits(node, macro):
        place = macro[1] + 1
        parts, count = [*node[:place], *node[place][1:], *node[place + 1 :]], 1
    return count + sum([_merges(each, macro) for each in _below(parts)])


def learn(corpus: Iterable[tuple[Problem, Body]], book: Codebook) -> tuple[Macro, ...]:
    """The macros for a codebook without any, from bodies; the same corpus gives the same macros."""
    forest = _Forest(corpus, book)
    macros: list[Macro] = []
    nodes = [1] * FIRST_MACRO
    barred: set[Macro] = set()
    while len(macros) < MACROS_MAX - RESERVE:
        macro = forest.most_frequent(barred)
        if macro is None:
            break
        size = nodes[macro[0]] + nodes[macro[2]]
        if size > MACRO_NODES_MAX or forest.saved(macro) < SAVED_MIN:
            barred.add(macro)
            continue
        forest.apply(macro, FIRST_MACRO + len(macros))
        macros.append(macro)
        nodes.append(size)
    return tuple(macros)


class _Forest:
    """Every distinct shape of a corpus as a tree, with how often it stands on either side.

    Counts are kept up to date tree by tree, so that a macro costs only the trees it changes.
    """

    def __init__(self, corpus: Iterable[tuple[Problem, Body]], book: Codebook) -> None:
        proposing: Counter[Shape] = Counter()
        judging: Counter[Shape] = Counter()
        for index, (problem, body) in enumerate(corpus):
            counter = proposing if index % JUDGE_EACH else judging
            counter.update(_shapes(problem, body, book.strategy))
        shapes = sorted(proposing.keys() | judging.keys())
        self.trees = [_tree(shape) for shape in shapes]
        self.proposing = [proposing[shape] for shape in shapes]
        self.judging = [judging[shape] for shape in shapes]
        self.counts: Counter[Macro] = Counter()
        """How often each pair stands in the proposers' bodies."""
        self.places: defaultdict[Macro, set[int]] = defaultdict(set)
        """The trees that each pair stands in."""
        for number in range(len(self.trees)):
            self._count(number, 1)

    def _count(self, number: int, sign: int) -> None:
        weight = sign * self.proposing[number]
        for pair in _pairs(self.trees[number]):
            self.counts[pair] += weight
            if sign > 0:
                self.places[pair].add(number)
            else:
                self.places[pair].discard(number)

    def most_frequent(self, barred: set[Macro]) -> Macro | None:
        """The pair to propose: the most frequent one, of equals the least; None: all too rare."""
        pairs = [
            (-count, pair)
            for pair, count in self.counts.items()
            if count >= COUNT_MIN and pair not in barred
        ]
        return min(pairs)[1] if pairs else None

    def saved(self, macro: Macro) -> int:
        """The codes that a macro would save on the judges' bodies."""
        return sum(
            self.judging[number] * _merges(self.trees[number], macro)
            for number in self.places[macro]
            if self.judging[number]
        )

    def apply(self, macro: Macro, code: int) -> None:
        """Merge a macro in every tree."""
        for number in list(self.places[macro]):
            self._count(number, -1)
            _apply(self.trees[number], macro, code)
            self._count(number, 1)


def _shapes(problem: Problem, body: Body, strategy: int) -> Iterator[Shape]:
    for line, root in roots(problem, body, strategy):
        if isinstance(root, tuple):
            shape: list[int] = []
            flatten(root, line, shape, [])
            yield tuple(shape)
