"""Replay of `entails`: natural deduction in boxes, line by line, or a counter-model.

    state = Entails(problem)
    state.play(("assume", "c0"))                     # None; a box is open, its line is c0
    state.play(("mp", "l1", "l3", "c1"))             # Finding(...) if l1 is not (imp c0 c1)

Lines are the premises, then every step, right or wrong. After a wrong step this state is a pure
function of what was played, as everywhere (SPEC.md, section 5):

* Operands that fit (visible lines that the rule could use; for `imp-i` and `raa` the first is the
  last assumption open) and a wrong result: the result is believed. It stands on the line, and
  `imp-i` and `raa` have closed their box.
* Operands that do not fit: the line is empty, which nobody may cite, and boxes stay as they are.
* A `try` of the wrong length tries nothing; `try` and `val` never have a statement.

Strategy 2 lets a line, or the goal as line 0, tell a step (`inferences`), the free values a `try`,
and a value a `val`.
"""

from __future__ import annotations

from typing import Any, Final

from regime3.lang.problem import Problem, Step
from regime3.lang.replay.deduction import DEDUCTIONS
from regime3.lang.replay.finding import Finding, shown
from regime3.lang.replay.inferences import Inferences, forms_of
from regime3.lang.signature import (
    CONSTANTS_MAX,
    DEPTH_MAX,
    LINES_MAX,
    PROBLEM_NODES_MAX,
    Slots,
)
from regime3.lang.terms import Term, size

CLOSING: Final = frozenset({"imp-i", "raa"})
"""The rules that close a box."""

_FREE: Final = frozenset({"assume", "try", "val"})
"""The rules that cite nothing."""

_SHRINKING: Final = frozenset({"mp", "and-e", "bot", "efq"})
"""The rules that conclude a part of what they cite, `false` or the goal: never too large."""

_CITING: Final[Slots] = ("Cited",)
_LINE_OR_VALUE: Final[tuple[Slots, ...]] = (_CITING, ("Bool",))
_CONSTANTS: Final = [(f"c{number}", ("not", f"c{number}")) for number in range(CONSTANTS_MAX)]
_VALUES: Final[list[Slots]] = [("Bool",) * count for count in range(CONSTANTS_MAX + 1)]
_FORESEEING: Final = 2
"""The first strategy that foresees anything here."""


class Entails:
    """Lines so far, the boxes that are open, and the values last tried.

    A box is named by the line of its assumption.
    """

    def __init__(self, problem: Problem, strategy: int = 0) -> None:
        assert problem.goal is not None
        self._premises = problem.premises
        self._goal: Term = problem.goal
        self._constants = problem.constants
        self._lines: list[Term | None] = list(problem.premises)
        """What may be cited: None for an empty line, and for lines whose box is closed."""
        self._boxes: list[int] = []
        """Open ones, the inner one last."""
        self._tried: tuple[str, ...] | None = None
        self._unvalued: tuple[Term, ...] = ()
        """What is left to value under the last try: premises that lines leave open, the goal."""
        self._proved = problem.goal in problem.premises
        self._inferences: Inferences | None = None
        self._told_values: list[int] | None = None
        """The constants whose value no line states, or else the first; None until asked for."""
        if strategy >= _FORESEEING:
            self._inferences = Inferences(problem.goal, forms_of(problem.goal, *problem.premises))
            self._list_known()

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then it has its line."""
        rule = step[0]
        if rule == "assume":
            self._boxes.append(len(self._lines) + 1)
            self._add(step[1])
            return None
        if rule in ("try", "val"):
            finding = self._try(step) if rule == "try" else self._value(step)
            self._lines.append(None)
            return finding
        return self._deduce(step)

    def follow(self, step: Step) -> None:
        """Moves on. Whether a result is right makes no difference: it is believed."""
        if step[0] in _FREE:
            self.play(step)
        else:
            self._deduce(step, judges=False)

    def _deduce(self, step: Step, judges: bool = True) -> Finding | None:
        rule = step[0]
        lines, result = (step[1:], "false") if rule == "bot" else (step[1:-1], step[-1])
        cited = [self._visible(line) for line in lines]
        finding = self._misfit(rule, lines, cited)
        if finding is not None:
            self._lines.append(None)
            return finding
        if rule in CLOSING:
            first = self._boxes.pop() - 1
            self._lines[first:] = [None] * (len(self._lines) - first)
            self._list_known()
        self._add(result)
        return DEDUCTIONS[rule].fault(*cited, result) if judges else None

    def _add(self, statement: Term) -> None:
        self._lines.append(statement)
        if not self._boxes and statement == self._goal:
            self._proved = True
        inferences = self._inferences
        if inferences is not None:
            inferences.known.pop(statement, None)
            inferences.known[statement] = f"l{len(self._lines)}"
            inner = self._boxes[-1] if self._boxes else 0
            inferences.inner = f"l{inner}" if inner else ""
            inferences.assumed = self._lines[inner - 1] if inner else None
            if _is_of_constant(statement):
                self._told_values = None

    def _list_known(self) -> None:
        """Every visible statement with its latest line, in the order of the lines."""
        if self._inferences is not None:
            known = self._inferences.known
            known.clear()
            self._told_values = None
            for number, statement in enumerate(self._lines, start=1):
                if statement is not None:
                    known.pop(statement, None)
                    known[statement] = f"l{number}"

    def _visible(self, line: str) -> Term | None:
        """The statement of a line that may be cited here; None for any other."""
        number = int(line[1:])
        return self._lines[number - 1] if 1 <= number <= len(self._lines) else None

    def _misfit(self, rule: str, lines: tuple[Any, ...], cited: list[Any]) -> Finding | None:
        if None in cited:
            return Finding("a line that holds here", lines[cited.index(None)])
        if rule in CLOSING:
            if not self._boxes:
                return Finding("an open assumption", lines[0])
            inner = f"l{self._boxes[-1]}"
            if lines[0] != inner:
                return Finding(f"{inner}, the last assumption open", lines[0])
        misfit = DEDUCTIONS[rule].misfit(*cited)
        if misfit is None:
            return None
        place, wanted = misfit
        return Finding(f"{wanted} on {lines[place]}", shown(cited[place]))

    def _try(self, step: Step) -> Finding | None:
        if len(step) - 1 != self._constants:
            return self._values_wanted(shown(step))
        self._tried = step[1:]
        self._unvalued = (*filter(self._is_open, self._premises), self._goal)
        return None

    def _values_wanted(self, found: str) -> Finding:
        return Finding(f"{self._constants} value{'s' * (self._constants != 1)}", found)

    def _value(self, step: Step) -> Finding | None:
        _, proposition, claimed = step
        if self._tried is None:
            return Finding("a try before it", shown(step))
        if proposition in self._unvalued:
            self._unvalued = self._unvalued[self._unvalued.index(proposition) + 1 :]
        right = "true" if holds(proposition, self._tried) else "false"
        return None if claimed == right else Finding(right, claimed)

    # ------------------------------------------------------------ prediction and answer

    def expects(self) -> tuple[Slots, ...]:
        """A line or the goal; after a try the value of what comes next, else the free values."""
        if self._inferences is None:
            return ()
        if self._unvalued:
            return _LINE_OR_VALUE
        return (_CITING, _VALUES[len(self._free())]) if self._constants else (_CITING,)

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The line, or the values, that tell the step."""
        rule, *parts = step
        if self._inferences is None or rule == "qed":
            return None
        if rule == "assume":
            # The last line has no code for a line so far back.
            is_near = len(self._lines) + 1 < LINES_MAX
            return ("l0",) if is_near and self.step_of(("l0",)) == step else None
        if rule in ("try", "val"):
            told = self._values_of(rule, tuple(parts))
            return told if told and self.step_of(told) == step else None
        for line in parts:
            is_line = line.__class__ is str and line[0] == "l"
            if is_line and self.step_of((line,)) == step:
                return (line,)
        return None

    def _values_of(self, rule: str, parts: tuple[Term, ...]) -> tuple[Term, ...]:
        """The Bools that would tell a try or val; none if it comes at another time."""
        if rule == "val":
            return parts[1:] if self._unvalued else ()
        if self._unvalued or not self._constants or len(parts) != self._constants:
            return ()
        return tuple([parts[place] for place in self._free()])

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The step that a line tells, or values."""
        assert self._inferences is not None, "nothing is foreseen"
        first: Any = results[0]
        if first in ("true", "false"):
            return self._valuing(results)
        if first == "l0":
            step = self._inferences.of_goal()
            return step if _can_be_written(step) else ("assume", self._goal)
        said = self._visible(first)
        if said is not None:
            step = self._inferences.of(first, said)
            if _can_be_written(step):
                return step
        # Where nothing may be cited there is no right step: this one is refused like any other.
        return ("efq", first, "false")

    def _valuing(self, values: tuple[Any, ...]) -> Step:
        if self._unvalued:
            return ("val", self._unvalued[0], values[0])
        assert self._inferences is not None
        told = dict(zip(self._free(), values, strict=True))
        known = self._inferences.known
        forced = ["true" if f"c{n}" in known else "false" for n in range(self._constants)]
        return ("try", *[told.get(n, value) for n, value in enumerate(forced)])

    def _free(self) -> list[int]:
        """The constants whose value no line states; the first, if there are none."""
        if self._told_values is None:
            assert self._inferences is not None
            known = self._inferences.known
            self._told_values = [
                n
                for n, (constant, denied) in enumerate(_CONSTANTS[: self._constants])
                if constant not in known and denied not in known
            ] or [0]
        return self._told_values

    def _is_open(self, proposition: Any) -> bool:
        """Whether a constant is in it whose value no line states."""
        if proposition.__class__ is str:
            if proposition[0] != "c" or self._inferences is None:
                return False
            known = self._inferences.known
            return proposition not in known and ("not", proposition) not in known
        return any(map(self._is_open, proposition[1:]))

    def implied(self) -> Term | None:
        """yes if the goal stands outside all boxes and none is open; else the values last tried."""
        if self._proved and not self._boxes:
            return "yes"
        return None if self._tried is None else ("counter", *self._tried)

    def answer(self, term: Term) -> Finding | None:
        """What is wrong with this answer here, or None."""
        if term == "yes":
            if self._boxes:
                return Finding(f"the box of l{self._boxes[-1]} closed", "yes")
            return None if self._proved else Finding(f"{shown(self._goal)} on a line", "yes")
        assert isinstance(term, tuple)
        values = term[1:]
        if len(values) != self._constants:
            return self._values_wanted(shown(term))
        for premise in self._premises:
            if not holds(premise, values):
                return Finding(f"{shown(premise)} true", shown(term))
        if holds(self._goal, values):
            return Finding(f"{shown(self._goal)} false", shown(term))
        return None


def _can_be_written(step: Step) -> bool:
    """Whether the step keeps to the limits: its result may be a line and something around it."""
    if step[0] in _SHRINKING:
        return True
    nodes = size(step)
    # A term is never deeper than it has nodes.
    return nodes <= DEPTH_MAX or (nodes <= PROBLEM_NODES_MAX and _depth(step) <= DEPTH_MAX)


def _is_of_constant(statement: Any) -> bool:
    """Whether a statement says what a constant is; compounds let through here say nothing."""
    return statement.__class__ is str or statement[0] == "not"


def _depth(term: Any) -> int:
    return 1 + max(map(_depth, term[1:])) if term.__class__ is tuple else 0


def holds(proposition: Any, values: tuple[Any, ...]) -> bool:
    """Whether a proposition is true when constant i has the Bool `values[i]`."""
    if isinstance(proposition, str):
        if proposition[0] == "c":
            return bool(values[int(proposition[1:])] == "true")
        return proposition == "true"
    name, *parts = proposition
    if name == "and":
        return all(holds(part, values) for part in parts)
    if name == "or":
        return any(holds(part, values) for part in parts)
    if name == "not":
        return not holds(parts[0], values)
    if name == "imp":
        return not holds(parts[0], values) or holds(parts[1], values)
    assert name == "iff", name
    return holds(parts[0], values) == holds(parts[1], values)
