"""What one line lets a proof do next: the step that packing leaves out when a line says it all.

    inferences = Inferences("c1", forms_of("c1", ("imp", "c0", "c1")))
    inferences.known = {("imp", "c0", "c1"): "l1", "c0": "l2"}
    inferences.of("l1", ("imp", "c0", "c1"))         # ("mp", "l1", "l2", "c1")

Whoever cites a line mostly wants the one thing that it is good for: an implication whose antecedent
is known is used, a disjunction with a denied side is cut down, a contradiction is seen. The rules
below are tried in one fixed order and the first that yields something new is the step; a line that
yields nothing still has one, so that every line names exactly one step. Nothing is searched: what
a line is combined with is looked up. Whether the step was a good idea is the prover's business, and
whether it holds the checker's. SPEC.md, section 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from regime3.lang.canon import make
from regime3.lang.problem import Step
from regime3.lang.replay.deduction import has_form


class Inferences:
    """The lines that may be cited, and where the proof is. Who plays the proof keeps it so."""

    __slots__ = ("_iffs", "assumed", "forms", "goal", "inner", "known")

    def __init__(self, goal: Any, forms: dict[Any, None]) -> None:
        self.goal = goal
        self.forms = forms
        """Compounds that stand in the problem, `forms_of`: what is worth building."""
        self._iffs = any(form[0] == "iff" for form in forms)
        self.known: dict[Any, str] = {}
        """The latest visible line of each statement, in the order of the lines."""
        self.inner = ""
        """The line of the last assumption open, or ''."""
        self.assumed: Any = None
        """What it assumes."""

    def of(self, line: str, said: Any) -> Step:
        """The step that citing a line that says this stands for."""
        for step in self._steps(line, said):
            result = step[-1]
            if step[0] in ("bot", "raa", "efq") or result not in self.known:
                return step
        return ("dn", line, ("not", ("not", said)))

    def _steps(self, line: str, said: Any) -> Iterator[Step]:
        """What may come of it, the likeliest first; some of it may be known already."""
        yield from self._contradictions(line, said)
        discharged = ("imp", self.assumed, said)
        if self.inner and self._is_wanted(said):
            yield "imp-i", self.inner, line, discharged
        yield from self._uses(line, said)
        yield from self._served(line, said)
        yield from self._builds(line, said)
        if self.inner:
            yield "imp-i", self.inner, line, discharged

    def of_goal(self) -> Step:
        """The step that citing the goal stands for: the next assumption that its form asks for."""
        for each in self._asked(self.goal):
            if each not in self.known:
                return ("assume", each)
        return ("assume", denial(self.goal))

    def _asked(self, target: Any) -> Iterator[Any]:
        """What to assume to prove the target, or to see it fail: what would make it false."""
        match target:
            case ("imp", a, b):
                yield a
                yield from self._asked(b)
            case ("not", a):
                yield a
            case ("or", *pieces):
                for piece in pieces:
                    yield from self._asked(piece)
            case ("and", *pieces):
                for piece in pieces:
                    if piece not in self.known:
                        yield from self._asked(piece)
                        return
            case ("iff", a, b):
                a, b = (b, a) if ("imp", a, b) in self.known else (a, b)
                yield a
                yield from self._asked(b)
            case _:
                yield ("not", target)

    def _is_wanted(self, said: Any) -> bool:
        """Whether the problem asks for this under the last assumption: as an implication, as half
        of an equivalence, or as the goal in one of several cases."""
        assumed, forms = self.assumed, self.forms
        if ("imp", assumed, said) in forms:
            return True
        if self._iffs and make("iff", assumed, said) in forms:
            return True
        return said == self.goal and any(
            has_form(each, "or") and assumed in each[1:] for each in forms
        )

    def _contradictions(self, line: str, said: Any) -> Iterator[Step]:
        if said == "false" and self.inner:
            yield "raa", self.inner, line, denial(self.assumed)
        elif said == "false":
            yield "efq", line, self.goal
        if other := self.known.get(("not", said)):
            yield "bot", line, other
        if has_form(said, "not") and (other := self.known.get(said[1])):
            yield "bot", other, line

    def _uses(self, line: str, said: Any) -> Iterator[Step]:
        """The rules that take apart what the line says."""
        known = self.known
        if has_form(said, "imp"):
            _, a, b = said
            if a in known:
                yield "mp", line, known[a], b
            if ("not", b) in known:
                yield "mt", line, known[("not", b)], ("not", a)
            if ("imp", b, a) in known:
                yield "iff-i", line, known[("imp", b, a)], make("iff", a, b)
        elif has_form(said, "or"):
            yield from self._of_or(line, said)
        elif has_form(said, "iff"):
            _, a, b = said
            ways = (a, ("imp", a, b)), (b, ("imp", b, a))
            useful = [way for at, way in (*ways, (("not", b), ways[0][1]), (("not", a), ways[1][1]))
                      if at in known]  # fmt: skip
            last = sorted([ways[0][1], ways[1][1]], key=lambda way: self._is_idle(way[2]))
            for way in (*useful, *last):
                yield "iff-e", line, way
        elif has_form(said, "and"):
            for part in sorted(said[1:], key=lambda part: part != self.goal):
                yield "and-e", line, part
        elif has_form(said, "not") and has_form(said[1], "not"):
            yield "dn", line, said[1][1]

    def _of_or(self, line: str, said: Any) -> Iterator[Step]:
        known = self.known
        for side in said[1:]:
            denier = known.get(("not", side)) or (has_form(side, "not") and known.get(side[1]))
            if denier:
                rest = [each for each in said[1:] if each != side]
                yield "ds", line, denier, rest[0] if len(rest) == 1 else ("or", *rest)
        if len(said) == 3:
            for each, first in reversed(known.items()):
                if has_form(each, "imp") and each[1] == said[1]:
                    second = known.get(("imp", said[2], each[2]))
                    if second:
                        yield "cases", line, first, second, each[2]

    def _served(self, line: str, said: Any) -> Iterator[Step]:
        """The rules in which the line is what another line waits for, the latest first."""
        for each, other in reversed(self.known.items()):
            if not has_form(each, "imp"):
                continue
            _, a, b = each
            if a == said:
                yield "mp", other, line, b
            elif said == ("not", b):
                yield "mt", other, line, ("not", a)
            elif b == ("not", said) and ("not", a) not in self.known:
                yield "dn", line, ("not", ("not", said))

    def _is_idle(self, statement: Any) -> bool:
        """Whether neither the goal nor any line waits for a statement."""
        denied = denial(statement)
        for each in (self.goal, *self.known):
            match each:
                case ("imp", a, b) if a == statement or denied in (b, ("not", b)):
                    return False
                case ("or", *sides) if denied in sides:
                    return False
                case ("not", a) if a == statement:
                    return False
        return bool(statement != self.goal)

    def _builds(self, line: str, said: Any) -> Iterator[Step]:
        """Conjunctions and disjunctions of the problem that the line is a part of."""
        for form in self.forms:
            if form[0] == "and" and said in form[1:]:
                for other, at in self.known.items():
                    if other in form[1:] and make("and", said, other) == form:
                        yield "and-i", line, at, form
            elif form[0] == "or" and (said in form[1:] or _within(said, form)):
                yield "or-i", line, form


def forms_of(*statements: Any) -> dict[Any, None]:
    """Every compound in the statements, in preorder."""
    found: dict[Any, None] = {}
    waiting = list(reversed(statements))
    while waiting:
        each = waiting.pop()
        if each.__class__ is tuple:
            found[each] = None
            waiting.extend(each[:0:-1])
    return found


def denial(statement: Any) -> Any:
    """What contradicts a statement: its negation, or what it negates."""
    return statement[1] if has_form(statement, "not") else ("not", statement)


def _within(said: Any, form: Any) -> bool:
    return has_form(said, "or") and set(said[1:]) <= set(form[1:])
