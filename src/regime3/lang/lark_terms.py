"""Lark grammars of bodies written as S-expressions, for engines that mask by grammar: llguidance.

    print(term_lark(problem, opening="🤔\\n", closings=["\\n🛑\\n"]))

A whole reply: an opening, steps a line each and a closing, or none of these; then the answer. It
knows types, arity, names, constants and, by unrolling steps, which lines may be cited. It counts no
nodes, no depth and no budget, and of lowest terms knows only that a fraction is not 0, as it would
take a state for each remainder of each denominator (`engine.fractions` sees to them): a reply that
it accepts may still be refused for these. `lark` is the same for codes. SPEC.md, sections 1 and 2.
"""

from __future__ import annotations

import json

from regime3.lang import signature
from regime3.lang.problem import Problem
from regime3.lang.signature import FORMS, RULES, Slots

_INTEGER = "/0|-?[1-9][0-9]{0,63}/"
_FROM_0 = "/0|[1-9][0-9]{0,63}/"
_NOT_0 = "/-?[1-9][0-9]{0,63}/"
_FROM_2 = "/[2-9]|[1-9][0-9]{1,63}/"
_SLOTS = {
    "pow": {1: "FROM_2"},
    "rem": {1: "FROM_2"},
    "frac": {0: "NOT_0", 1: "FROM_2"},
    "take": {0: "FROM_0"},
    "drop": {0: "FROM_0"},
}
_COUNTS = {
    "list": signature.LIST_MAX,
    "factors": signature.LIST_MAX,
    "counter": signature.ELEMENTS_MAX,
    "try": signature.CONSTANTS_MAX,
    "elem": signature.CONSTANTS_MAX,
}


def term_lark(problem: Problem, *, opening: str = "", closings: list[str] | None = None) -> str:
    """The grammar of replies to a problem; without `closings`, steps and answer in one piece."""
    return _Writer(problem).text(opening, closings)


class _Writer:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.logic = problem.kind in ("entails", "follows")
        self.waiting: list[str] = []
        self.seen: set[str] = set()

    def text(self, opening: str, closings: list[str] | None) -> str:
        """The rules, in the order in which they are first needed."""
        if closings is None:
            start = 'start: (steps "\\n")? answer'
        else:
            before = f"{_quoted(opening)} " if opening else ""
            after = " | ".join(map(_quoted, closings))
            start = f"start: ({before}steps ({after}))? answer"
        answer = self._form("qed", (self.problem.answer,))
        rules = [start, f"answer: {answer}", *self._steps()]
        while self.waiting:
            kind = self.waiting.pop(0)
            rules.append(f"{_rule(kind)}: " + "\n    | ".join(self._alternatives(kind)))
        rules += [f"INTEGER: {_INTEGER}", f"NOT_0: {_NOT_0}"]
        rules += [f"FROM_0: {_FROM_0}", f"FROM_2: {_FROM_2}"]
        return "\n".join(rules) + "\n"

    # ------------------------------------------------------------------------------- steps

    def _steps(self) -> list[str]:
        """`steps`: with lines, one rule for each line that a step can be."""
        if not self.logic:
            return [
                f'steps: step ("\\n" step){{0,{signature.STEPS_MAX - 2}}}',
                self._step("step", 0),
            ]
        first = len(self.problem.premises) + 1
        rules = [f"steps: from_{first}" if first <= signature.LINES_MAX else "steps: nothing"]
        for line in range(first, signature.LINES_MAX + 1):
            more = f' ("\\n" from_{line + 1})?' if line < signature.LINES_MAX else ""
            rules += [f"from_{line}: step_{line}{more}", self._step(f"step_{line}", line)]
            if line > 1:
                rules.append(f"lines_{line}: " + " | ".join(f'"l{n}"' for n in range(1, line)))
        return rules

    def _step(self, name: str, line: int) -> str:
        found = []
        for rule in RULES[self.problem.kind].values():
            if "Line" not in rule.slots or line > 1:
                found.append(self._form(rule.name, rule.slots, line))
        return f"{name}: " + "\n    | ".join(found)

    # ------------------------------------------------------------------------------- terms

    def _alternatives(self, kind: str) -> list[str]:
        """Whatever may stand where this type is wanted."""
        found = ["INTEGER"] if kind in signature.INTEGER_TYPES else []
        found += [f'"{x}"' for x, kinds in signature.VARIABLE_TYPES.items() if kind in kinds]
        if kind in signature.CONSTANT_TYPES:
            found += [f'"c{number}"' for number in range(self.problem.constants)]
        forms = dict(FORMS.get(kind, {}))
        if kind in signature.FRACTION_TYPES:
            forms["frac"] = ("Int", "Int")
        for name, slots in forms.items():
            if kind == "S":
                found += self._statements(name)
            else:
                found.append(self._form(name, slots) if slots else f'"{name}"')
        return found or ['"none"']

    def _statements(self, name: str) -> list[str]:
        """A statement never names one class twice."""
        classes = range(self.problem.constants)
        found = []
        for one in classes:
            others = " | ".join(f'"c{two}"' for two in classes if two != one)
            if others:
                found.append(f'"({name} c{one} " ({others}) ")"')
        return found

    def _form(self, name: str, slots: Slots, line: int = 0) -> str:
        """A name with its arguments, in brackets."""
        parts = [f'"({name}"']
        for number, slot in enumerate(slots):
            special = _SLOTS.get(name, {}).get(number)
            if slot.endswith("*"):
                most = _COUNTS.get(name)
                count = "*" if most is None else f"{{0,{most}}}"
                parts.append(f'(" " {self._wanted(slot[:-1], line)}){count}')
            else:
                parts.append(f'" " {special or self._wanted(slot, line)}')
        return " ".join([*parts, '")"'])

    def _wanted(self, kind: str, line: int) -> str:
        if kind == "Line":
            return f"lines_{line}"
        if kind == "Int":
            return "INTEGER"
        if kind not in self.seen:
            self.seen.add(kind)
            self.waiting.append(kind)
        return _rule(kind)


def _rule(kind: str) -> str:
    return "t_" + kind.lower().replace("-", "_")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
