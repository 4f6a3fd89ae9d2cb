"""Proofs in natural deduction as graphs: lines that know what they rest on, and their writing down.

A line that serves twice is one node. `written` puts each node where it stands furthest out and
writes none that nothing needs. So a proof is as long as it has nodes, except that two boxes with
one assumption each write what rests on it.
"""

from __future__ import annotations

from collections.abc import Sequence

from regime3.lang.problem import Step
from regime3.lang.terms import Term


class Line:
    """A line of a proof: a premise, an assumption, or what a rule makes of other lines."""

    __slots__ = ("formula", "operands", "rests_on", "rule", "steps")
    steps: frozenset[Line]
    """All steps of the proof that ends here, this one included."""
    rests_on: frozenset[Line]
    """The assumptions that must be open here."""

    def __init__(self, rule: str, operands: tuple[Line, ...], formula: Term) -> None:
        self.rule, self.operands, self.formula = rule, operands, formula
        own = frozenset((self,)) if rule != "premise" else frozenset()
        self.steps = own.union(*[each.steps for each in operands])
        if rule == "assume":
            self.rests_on = own
        else:
            self.rests_on = frozenset().union(*[each.rests_on for each in operands])
        if closes_box(rule):
            self.rests_on -= {operands[0]}


def closes_box(rule: str) -> bool:
    """Whether the rule's first operand is an assumption that it discharges."""
    return rule in ("imp-i", "raa")


class _Writer:
    """Writes lines into boxes, from the outermost in."""

    def __init__(self, premises: Sequence[Line]) -> None:
        self.steps: list[Step] = []
        self.count = len(premises)
        self.number: dict[Line, int] = {}
        self.open: frozenset[Line] = frozenset()
        for place, premise in enumerate(premises):
            self.number[premise] = place + 1

    def write(self, line: Line) -> None:
        """Write a line, and before it what it rests on and is not visible yet."""
        if line in self.number:
            return
        if closes_box(line.rule):
            self._box(line)
            return
        for operand in line.operands:
            self.write(operand)
        self._add(line)

    def _add(self, line: Line) -> None:
        references = [f"l{self.number[operand]}" for operand in line.operands]
        result = () if line.rule == "bot" else (line.formula,)
        self.steps.append((line.rule, *references, *result))
        self.number[line] = self.count + len(self.steps)

    def _box(self, line: Line) -> None:
        assumption, end = line.operands
        self._lift(end)
        self._add(assumption)
        self.open |= {assumption}
        self.write(end)
        self._add(line)
        self.open -= {assumption}
        for each in [each for each in self.number if assumption in each.rests_on]:
            del self.number[each]

    def _lift(self, line: Line) -> None:
        """Write before the box what it needs and could as well stand outside."""
        if line in self.number:
            return
        if line.rests_on <= self.open:
            self.write(line)
        else:
            for operand in line.operands:
                self._lift(operand)


def written(premises: Sequence[Line], ends: Sequence[Line]) -> list[Step]:
    """The steps that lead from the premises to each of the ends, in their order."""
    writer = _Writer(premises)
    for end in ends:
        writer.write(end)
    return writer.steps
