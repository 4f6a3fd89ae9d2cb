"""What follows from known lines without opening a box, shortest proofs first.

    scope = Scope(Wanted([*premises, goal])).with_lines(premises)
    scope.facts[goal]        # its line, if mp, mt, ds, and-e, iff-e, dn, bot and the like reach it

Rules that take apart are always used; rules that put together only where a premise or the goal
holds what they make, so that closing a scope ends.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from regime3.lang.canon import make
from regime3.lang.terms import Term
from regime3.tasks.provers.deduction import Line


def parts(proposition: Term, name: str) -> tuple[Any, ...]:
    """The arguments of a proposition of that name, else none."""
    if isinstance(proposition, tuple) and proposition[0] == name:
        return proposition[1:]
    return ()


def subformulas(proposition: Term) -> Iterator[Term]:
    """The proposition and all in it."""
    yield proposition
    if isinstance(proposition, tuple):
        for part in proposition[1:]:
            yield from subformulas(part)


def directions(a: Term, b: Term) -> tuple[Term, Term]:
    """The two implications of an equivalence."""
    return ("imp", a, b), ("imp", b, a)


class Wanted:
    """Propositions that are worth making, by what they are made of."""

    def __init__(self, propositions: Iterable[Term]) -> None:
        self.wholes: dict[Term, list[tuple[Any, ...]]] = defaultdict(list)
        """Each `and`, `or` and `iff`, by part; an `iff` by its two implications."""
        self.doubled: set[Term] = set()
        """What should be known twice negated as well."""
        for form in {each: None for whole in propositions for each in subformulas(whole)}:
            if isinstance(form, tuple):
                self._add(form)

    def _add(self, form: tuple[Any, ...]) -> None:
        match form[0]:
            case "and" | "or":
                for part in form[1:]:
                    self.wholes[part].append(form)
            case "iff":
                for part in directions(form[1], form[2]):
                    self.wholes[part].append(form)
            case "not" | "imp":
                self.doubled.update(parts(form[-1], "not"))


class Scope:
    """What is known while certain boxes are open. Built once, then only read."""

    def __init__(self, wanted: Wanted, outer: Scope | None = None) -> None:
        self.wanted = wanted
        self.facts: dict[Term, Line] = dict(outer.facts) if outer else {}
        """Lines by what they say, each with the shortest proof that was found."""
        self.truth: int | None = None
        """The table of everything known; whoever needs it fills it in."""
        self._users: dict[Term, list[Line]] = defaultdict(list)
        """Major premises, by the minor premise they wait for."""
        self._inside: dict[Term, tuple[Line, Scope]] = {}
        if outer:
            for need, users in outer._users.items():
                self._users[need] = users.copy()

    def with_lines(self, lines: Iterable[Line]) -> Scope:
        """A scope that knows these lines too, and what follows from them."""
        scope = Scope(self.wanted, self)
        scope._close(lines)
        return scope

    def assuming(self, assumption: Term) -> tuple[Line, Scope]:
        """The assumption's line, and the scope of its box; asked twice, it is the same box."""
        found = self._inside.get(assumption)
        if not found:
            top = Line("assume", (), assumption)
            found = self._inside[assumption] = (top, self.with_lines([top]))
        return found

    def _close(self, lines: Iterable[Line]) -> None:
        """Take up lines, cheapest first, until a contradiction or until nothing is new."""
        order = count()
        waiting = [(len(line.steps), next(order), line) for line in lines]
        heapq.heapify(waiting)
        while waiting and "false" not in self.facts:
            _, _, line = heapq.heappop(waiting)
            if line.formula in self.facts:
                continue
            self.facts[line.formula] = line
            for new in self._yields(line):
                if new.formula not in self.facts:
                    heapq.heappush(waiting, (len(new.steps), next(order), new))

    def _yields(self, line: Line) -> Iterator[Line]:
        """What one rule makes of a new line and of what is known."""
        yield from self._contradictions(line)
        if isinstance(line.formula, tuple):
            yield from self._taken_apart(line, line.formula)
        for major in self._users.get(line.formula, ()):
            yield from _used(major, line)
        yield from self._put_together(line)

    def _contradictions(self, line: Line) -> Iterator[Line]:
        opposite = self.facts.get(("not", line.formula))
        if opposite:
            yield Line("bot", (line, opposite), "false")
        for inner in parts(line.formula, "not"):
            if inner in self.facts:
                yield Line("bot", (self.facts[inner], line), "false")

    def _taken_apart(self, line: Line, formula: tuple[Any, ...]) -> Iterator[Line]:
        match formula[0]:
            case "and":
                for part in formula[1:]:
                    yield Line("and-e", (line,), part)
            case "iff":
                for part in directions(formula[1], formula[2]):
                    yield Line("iff-e", (line,), part)
            case "not":
                for part in parts(formula[1], "not"):
                    yield Line("dn", (line,), part)
            case "imp":
                yield from self._use(line, formula[1])
                yield from self._use(line, ("not", formula[2]))
            case "or":
                for part in formula[1:]:
                    for denial in (("not", part), *parts(part, "not")):
                        yield from self._use(line, denial)

    def _use(self, major: Line, need: Term) -> Iterator[Line]:
        """Use a major premise with its need at once, and remember it for when that comes."""
        self._users[need].append(major)
        if need in self.facts:
            yield from _used(major, self.facts[need])

    def _put_together(self, line: Line) -> Iterator[Line]:
        """What is wanted and made of the line and of what is known."""
        if line.formula in self.wanted.doubled:
            yield Line("dn", (line,), ("not", ("not", line.formula)))
        for whole in self.wanted.wholes.get(line.formula, ()):
            if whole[0] == "or":
                yield Line("or-i", (line,), whole)
                continue
            pieces = whole[1:] if whole[0] == "and" else directions(whole[1], whole[2])
            known = [self.facts[piece] for piece in pieces if piece in self.facts]
            if len(known) == len(pieces):
                yield joined(known, whole)


def _used(major: Line, minor: Line) -> Iterator[Line]:
    """mp, mt or ds: whichever fits."""
    if sides := parts(major.formula, "imp"):
        if sides[0] == minor.formula:
            yield Line("mp", (major, minor), sides[1])
        if ("not", sides[1]) == minor.formula:
            yield Line("mt", (major, minor), ("not", sides[0]))
        return
    disjuncts = parts(major.formula, "or")
    left = [each for each in disjuncts if not _contradict(minor.formula, each)]
    if len(left) == len(disjuncts) - 1:
        yield Line("ds", (major, minor), make("or", *left))


def _contradict(one: Term, other: Term) -> bool:
    return one == ("not", other) or other == ("not", one)


def joined(lines: list[Line], whole: tuple[Any, ...]) -> Line:
    """The `and` of all lines, made two at a time, or the `iff` of two implications."""
    if whole[0] == "iff":
        return Line("iff-i", (lines[0], lines[1]), whole)
    so_far = lines[0]
    for line in lines[1:]:
        so_far = Line("and-i", (so_far, line), make("and", so_far.formula, line.formula))
    return so_far
