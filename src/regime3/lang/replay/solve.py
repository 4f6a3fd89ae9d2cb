"""Replay of `solve`: one operation at a time on both sides of an equation.

    state = Equation(read_problem("(solve (eqn (add (scale 2 x0) 1) 7))"), strategy=1)
    state.play(("sub-both", 1, ("eqn", ("scale", 2, "x0"), 6)))

A result is right when each side means what the operation makes of it, in any spelling; whatever it
is, it is the next state. SPEC.md, section 4: solve; section 5: prediction.
"""

from __future__ import annotations

from typing import Any

from regime3.lang.problem import Problem, Step
from regime3.lang.replay import linear
from regime3.lang.replay.finding import Finding, shown
from regime3.lang.replay.solving import Plan, foreseen
from regime3.lang.replay.state import Foreseeing, Head
from regime3.lang.signature import Slots
from regime3.lang.terms import Term, is_literal

Sides = tuple[linear.Meaning | None, linear.Meaning | None]

_GATHERING = 2
"""The first strategy that foresees what comes while a side is not collected."""


class Equation(Foreseeing):
    """The state of solve: the equation, what its sides mean, and the step that comes next."""

    __slots__ = ("_equation", "_meanings", "_plan")

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._equation: Any = problem.term[1]
        self._meanings: Sides | None = None
        self._plan: Plan | None = None

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then its equation is the state."""
        before, after = self._equation, step[-1]
        meanings = self._meanings or _meanings(before)
        self.follow(step)
        self._meanings = _meanings(after)
        if step[0] == "expand":
            if after == before:
                return Finding("another spelling of the equation", shown(after))
            return self._compare(meanings)
        if step[0] == "swap":
            right = ("eqn", before[2], before[1])
            return None if after == right else Finding(shown(right), shown(after))
        if fault := _operand_fault(step[0], step[1]):
            return fault
        return self._compare(_operated(step[0], step[1], meanings))

    def follow(self, step: Step) -> None:
        """Any equation is believed, so it need not be worked out what it means."""
        self._moved()
        self._plan = self._meanings = None
        self._equation = step[-1]

    def _compare(self, right: Sides) -> Finding | None:
        """Whether the sides of the new equation mean what they should."""
        assert self._meanings is not None
        for index in (0, 1):
            wanted, got = right[index], self._meanings[index]
            if wanted is None or got is None:
                return Finding("shorter numbers", shown(self._equation))
            if wanted != got:
                return Finding(shown(linear.collected(wanted)), shown(self._equation[index + 1]))
        return None

    # ------------------------------------------------------------------------------- prediction

    def _foresee(self) -> Head | None:
        self._plan = foreseen(self._equation, self._strategy >= _GATHERING)
        return None if self._plan is None else self._plan.head

    def expects(self) -> tuple[Slots, ...]:
        """The types of the new numbers."""
        self._next()
        return () if self._plan is None else (("Num",) * self._plan.count,)

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The new numbers, if the step is as foreseen and they tell it."""
        results = super().bare(step)
        if results is None or self._plan is None:
            return None
        numbers = self._plan.numbers(results[0])
        return numbers if numbers and self._plan.equation(numbers) == results[0] else None

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The foreseen step whose equation has these new numbers."""
        self._next()
        assert self._plan is not None, "no step is foreseen here"
        return (*self._plan.head, self._plan.equation(results))

    # ----------------------------------------------------------------------------------- answer

    def implied(self) -> Term | None:
        """v at (eqn x0 v), `any` at (eqn u u), `none` at (eqn u v)."""
        _, left, right = self._equation
        if not is_literal(right):
            return None
        if left == "x0":
            literal: Term = right
            return literal
        if not is_literal(left):
            return None
        return "any" if left == right else "none"

    def answer(self, term: Term) -> Finding | None:
        """The answer is the one that the equation implies."""
        right = self.implied()
        if right is None:
            return Finding(f"a step on {shown(self._equation)}", shown(term))
        return None if term == right else Finding(shown(right), shown(term))


def _meanings(equation: Any) -> Sides:
    return linear.meaning(equation[1]), linear.meaning(equation[2])


def _operand_fault(rule: str, operand: Term) -> Finding | None:
    """Why a step with this operand does nothing, or destroys the equation."""
    if rule in ("add-both", "sub-both"):
        if linear.meaning(operand) == (0, 0, 1):
            return Finding("a term that is not 0", shown(operand))
    elif operand in (0, 1):
        return Finding("a number other than 0 and 1", shown(operand))
    return None


def _operated(rule: str, operand: Term, sides: Sides) -> Sides:
    """What the operation makes of both sides."""
    left, right = sides
    if rule == "mul-both":
        return linear.multiplied(left, operand), linear.multiplied(right, operand)
    if rule == "div-both":
        return linear.divided(left, operand), linear.divided(right, operand)
    sign = 1 if rule == "add-both" else -1
    term = linear.meaning(operand)
    return linear.added(left, term, sign), linear.added(right, term, sign)
