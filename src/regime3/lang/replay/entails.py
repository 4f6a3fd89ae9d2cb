"""Replay of `entails`: natural deduction in boxes, line by line, or a counter-model.

A wrong step leaves an empty line, which nobody may cite, and the boxes as they are. Strategy 2
foresees, after a `try`, a `val` of each premise in turn and of the goal; no strategy foresees more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from regime3.lang.canon import make
from regime3.lang.problem import Problem, Step
from regime3.lang.replay.finding import Finding
from regime3.lang.signature import Slots
from regime3.lang.terms import Term, show

VALUES_FORESEEN: Final = 2
"""The first strategy that foresees what is valued after a `try`."""

Line = tuple[Term | None, int]
"""A statement, None for an empty line, and the box it stands in (0: none)."""


class Entails:
    """Lines so far, the boxes that are open, and the values last tried."""

    def __init__(self, problem: Problem, strategy: int = 0) -> None:
        self.problem = problem
        self._asked: tuple[Term, ...] = ()
        """What is foreseen to be valued, the next one first."""
        self._predicts = strategy >= VALUES_FORESEEN
        self._lines: list[Line] = [(premise, 0) for premise in problem.premises]
        self._boxes: list[tuple[int, int]] = []
        """Open boxes: number, and the line of the assumption."""
        self._made = 0
        self._tried: tuple[str, ...] | None = None
        self._proved = problem.goal in problem.premises

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then its line stands, empty if it is wrong."""
        rule = step[0]
        if rule == "assume":
            self._made += 1
            self._boxes.append((self._made, len(self._lines) + 1))
            self._lines.append((step[1], self._made))
            return None
        if rule in ("try", "val"):
            self._lines.append((None, 0))
            return self._try(step) if rule == "try" else self._value(step)
        cited = [self._cited(part) for part in step[1:] if _is_line(part)]
        if None in cited:
            self._lines.append((None, 0))
            hidden = step[1 + cited.index(None)]
            return Finding("a line that holds here", hidden)
        if rule in ("imp-i", "raa"):
            return self._close(step, cited)
        result = "false" if rule == "bot" else step[-1]
        finding = RULES[rule](*cited, result)
        self._add(None if finding else result)
        return finding

    def _add(self, statement: Term | None) -> None:
        box = self._boxes[-1][0] if self._boxes else 0
        self._lines.append((statement, box))
        if not self._boxes and statement is not None and statement == self.problem.goal:
            self._proved = True

    def _cited(self, line: str) -> Term | None:
        """The statement of a line that is visible here; None for any other."""
        statement, box = self._lines[int(line[1:]) - 1]
        visible = box == 0 or any(box == number for number, _ in self._boxes)
        return statement if visible else None

    def _close(self, step: Step, cited: list[Any]) -> Finding | None:
        rule, a, _, result = step
        if not self._boxes:
            self._lines.append((None, 0))
            return Finding("an open assumption", a)
        inner = f"l{self._boxes[-1][1]}"
        if a != inner:
            self._lines.append((None, 0))
            return Finding(f"{inner}, the last assumption open", a)
        finding = RULES[rule](*cited, result)
        if finding is None:
            self._boxes.pop()
        self._add(None if finding else result)
        return finding

    def _try(self, step: Step) -> Finding | None:
        if len(step) - 1 != self.problem.constants:
            return Finding(f"{self.problem.constants} values", str(len(step) - 1))
        self._tried = step[1:]
        if self._predicts:
            self._asked = (*self.problem.premises, self._goal)
        return None

    def _value(self, step: Step) -> Finding | None:
        _, proposition, claimed = step
        if self._asked and proposition == self._asked[0]:
            self._asked = self._asked[1:]
        if self._tried is None:
            return Finding("a try before it", show(step))
        right = "true" if holds(proposition, self._tried) else "false"
        return None if claimed == right else Finding(right, claimed)

    # ------------------------------------------------------------ prediction and answer

    def expects(self) -> Slots | None:
        """A Bool where a `val` is foreseen, else None."""
        return ("Bool",) if self._asked else None

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The value, if the step is the `val` that is foreseen."""
        if self._asked and step[0] == "val" and step[1] == self._asked[0]:
            return step[2:]
        return None

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The foreseen `val` with this value."""
        return ("val", self._asked[0], *results)

    def implied(self) -> Term | None:
        """yes once the goal stands outside all boxes; else the values last tried."""
        if self._proved and not self._boxes:
            return "yes"
        return None if self._tried is None else ("counter", *self._tried)

    def answer(self, term: Term) -> Finding | None:
        """What is wrong with this answer here, or None."""
        if term == "yes":
            if self._boxes:
                return Finding("all boxes closed", "yes")
            return None if self._proved else Finding(f"{show(self._goal)} on a line", "yes")
        assert isinstance(term, tuple)
        values = term[1:]
        if len(values) != self.problem.constants:
            return Finding(f"{self.problem.constants} values", show(term))
        for premise in self.problem.premises:
            if not holds(premise, values):
                return Finding(f"{show(premise)} true", show(term))
        if holds(self._goal, values):
            return Finding(f"{show(self._goal)} false", show(term))
        return None

    @property
    def _goal(self) -> Term:
        assert self.problem.goal is not None
        return self.problem.goal


def _is_line(part: Any) -> bool:
    return isinstance(part, str) and part[0] == "l"


def holds(proposition: Term, values: tuple[Any, ...]) -> bool:
    """Whether a proposition is true when constant i has the Bool `values[i]`."""
    if isinstance(proposition, str):
        if proposition[0] == "c":
            return bool(values[int(proposition[1:])] == "true")
        return proposition == "true"
    assert isinstance(proposition, tuple)
    name, *parts = proposition
    if name == "and":
        return all(holds(part, values) for part in parts)
    if name == "or":
        return any(holds(part, values) for part in parts)
    if name == "not":
        return not holds(parts[0], values)
    if name == "imp":
        return not holds(parts[0], values) or holds(parts[1], values)
    return holds(parts[0], values) == holds(parts[1], values)


# ---------------------------------------------------------------- rules: statements, then result


def _expect(right: Term, found: Term) -> Finding | None:
    return None if right == found else Finding(show(right), show(found))


def _is(term: Any, name: str) -> bool:
    return isinstance(term, tuple) and term[0] == name


def _want(shape: str, found: Any) -> Finding:
    return Finding(shape, show(found))


def _mp(i: Any, a: Any, r: Any) -> Finding | None:
    if not _is(i, "imp"):
        return _want("an imp", i)
    return _expect(i[1], a) or _expect(i[2], r)


def _mt(i: Any, n: Any, r: Any) -> Finding | None:
    if not _is(i, "imp"):
        return _want("an imp", i)
    return _expect(("not", i[2]), n) or _expect(("not", i[1]), r)


def _and_i(a: Any, b: Any, r: Any) -> Finding | None:
    return _expect(make("and", a, b), r)


def _ds(o: Any, n: Any, r: Any) -> Finding | None:
    if not _is(o, "or"):
        return _want("an or", o)
    denied = [d for d in o[1:] if n == ("not", d) or d == ("not", n)]
    if len(denied) != 1:
        return _want(f"the denial of one disjunct of {show(o)}", n)
    rest = [d for d in o[1:] if d != denied[0]]
    return _expect(rest[0] if len(rest) == 1 else ("or", *rest), r)


def _iff_i(i: Any, j: Any, r: Any) -> Finding | None:
    if not _is(i, "imp"):
        return _want("an imp", i)
    return _expect(("imp", i[2], i[1]), j) or _expect(make("iff", i[1], i[2]), r)


def _imp_i(a: Any, b: Any, r: Any) -> Finding | None:
    return _expect(("imp", a, b), r)


def _raa(a: Any, f: Any, r: Any) -> Finding | None:
    if f != "false":
        return _want("false", f)
    return None if r == ("not", a) or a == ("not", r) else _expect(("not", a), r)


def _and_e(line: Any, r: Any) -> Finding | None:
    there = line[1:] if _is(line, "and") else (line,)
    missing = [each for each in (r[1:] if _is(r, "and") else (r,)) if each not in there]
    return _want(f"conjuncts of {show(line)}", missing[0]) if missing else None


def _or_i(line: Any, r: Any) -> Finding | None:
    if not _is(r, "or"):
        return _want("an or", r)
    missing = [each for each in (line[1:] if _is(line, "or") else (line,)) if each not in r[1:]]
    return _want(f"{show(missing[0])} among the disjuncts", r) if missing else None


def _iff_e(line: Any, r: Any) -> Finding | None:
    if not _is(line, "iff"):
        return _want("an iff", line)
    halves = (("imp", line[1], line[2]), ("imp", line[2], line[1]))
    return None if r in halves else _expect(halves[0], r)


def _efq(line: Any, r: Any) -> Finding | None:
    return None if line == "false" else _want("false", line)


def _dn(line: Any, r: Any) -> Finding | None:
    twice = ("not", ("not", line))
    return None if r == twice or line == ("not", ("not", r)) else _expect(twice, r)


def _cases(o: Any, i: Any, j: Any, r: Any) -> Finding | None:
    if not _is(o, "or") or len(o) != 3:
        return _want("an or of two", o)
    wanted = (("imp", o[1], r), ("imp", o[2], r))
    if (i, j) in (wanted, wanted[::-1]):
        return None
    return _want(f"{show(wanted[0])} and {show(wanted[1])}", i if i not in wanted else j)


def _bot(a: Any, n: Any, r: Any) -> Finding | None:
    return _expect(("not", a), n)


RULES: Final[dict[str, Callable[..., Finding | None]]] = {
    "mp": _mp,
    "mt": _mt,
    "and-i": _and_i,
    "ds": _ds,
    "iff-i": _iff_i,
    "imp-i": _imp_i,
    "raa": _raa,
    "and-e": _and_e,
    "or-i": _or_i,
    "iff-e": _iff_e,
    "efq": _efq,
    "dn": _dn,
    "cases": _cases,
    "bot": _bot,
}
"""Each takes the cited statements and the result, and says what is wrong."""
