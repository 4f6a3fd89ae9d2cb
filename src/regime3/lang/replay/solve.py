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
from regime3.lang.replay.state import Foreseeing, Head
from regime3.lang.signature import Slots
from regime3.lang.terms import Term, is_literal

Sides = tuple[linear.Meaning | None, linear.Meaning | None]

_NUMBER: Slots = ("Num",)
_COLLECT: Head = ("expand",)
_COLLECTING = 2
"""The first strategy that foresees how a side is collected."""


class Equation(Foreseeing):
    """The state of solve: the equation, what its sides mean, and their parts if collected."""

    __slots__ = ("_equation", "_meanings", "_parts", "_scattered")

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._equation: Any = problem.term[1]
        self._meanings: Sides | None = None
        self._parts: tuple[Term, Term, Term, Term] | None = None
        self._scattered: tuple[int, ...] = ()
        """Which sides (1, 2) the foreseen `expand` collects."""

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then its equation is the state."""
        self._moved()
        before, after = self._equation, step[-1]
        meanings = self._meanings or _meanings(before)
        self._equation, self._meanings = after, _meanings(after)
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
        left = linear.parts_of(self._equation[1])
        right = None if left is None else linear.parts_of(self._equation[2])
        if left is None or right is None:
            if self._strategy < _COLLECTING:
                return None
            right = linear.parts_of(self._equation[2])
            self._scattered = tuple(
                side for side, parts in ((1, left), (2, right)) if parts is None
            )
            return _COLLECT
        self._parts = (*left, *right)
        if right[0] != 0:
            return ("sub-both", linear.side(right[0], 0))
        if left[0] == 0:
            return None
        if left[1] != 0:
            return ("sub-both", left[1])
        return None if left[0] == 1 else ("div-both", left[0])

    def expects(self) -> Slots | None:
        """The type of the one new number, or of two for each side that is collected."""
        head = self._next()
        if head is None:
            return None
        return _NUMBER * (2 * len(self._scattered)) if head is _COLLECT else _NUMBER

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The one new number, if the step is as foreseen and its equation collected."""
        results = super().bare(step)
        if results is None:
            return None
        equation: Any = results[0]
        if self._next() is _COLLECT:
            return self._collecting(equation)
        assert self._parts is not None
        _, left, right = equation
        if self._parts[2] != 0:
            parts = linear.parts_of(left)
            if parts is None:
                return None
            number = parts[0]
        else:
            number = right
        return (number,) if is_literal(number) and self.step_of((number,)) == step else None

    def _collecting(self, equation: Any) -> tuple[Term, ...] | None:
        """Coefficient and constant of each side that was not collected and now is."""
        numbers: tuple[Term, ...] = ()
        for side in (1, 2):
            if side not in self._scattered:
                if equation[side] != self._equation[side]:
                    return None
                continue
            parts = linear.parts_of(equation[side])
            if parts is None:
                return None
            numbers += parts
        return numbers

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The foreseen step whose equation has these new numbers."""
        head = self._next()
        if head is _COLLECT:
            equation = list(self._equation)
            for place, number in enumerate(self._scattered):
                equation[number] = linear.side(*results[2 * place : 2 * place + 2])
            return (*head, tuple(equation))
        assert head is not None and self._parts is not None, "no step is foreseen here"
        coefficient, constant, moved, other = self._parts
        if moved != 0:
            return (*head, ("eqn", linear.side(results[0], constant), other))
        left = linear.side(1 if head[0] == "div-both" else coefficient, 0)
        return (*head, ("eqn", left, results[0]))

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
