"""Only what each step results in, in terse notation, and the answer; it cannot be read back.

    x+1=12
    x=11
    =11

The control for prediction: codes may leave out what was done, and so may English. A step without a
result (an opening, a contradiction) has no line.
"""

from __future__ import annotations

from regime3.lang.english import terse
from regime3.lang.english.terms import NOTATIONS
from regime3.lang.problem import Body, Problem, Step
from regime3.lang.signature import RULES

_NOTATIONS = NOTATIONS["terse"]


def show(problem: Problem, body: Body) -> str:
    """The results, one step a line, and the answer; no line break at the end."""
    lines = [line for step in body[:-1] if (line := _results(problem, step))]
    return "\n".join([*lines, terse.ENGLISH.show_answer(problem, body[-1][1])])


def _results(problem: Problem, step: Step) -> str:
    """The step's results with commas between, or nothing."""
    rule = RULES[problem.kind][step[0]]
    if rule.name == "try":
        return _NOTATIONS["Bool*"][0](step[1:])
    results = step[1 + len(rule.operands) :]
    said = [_NOTATIONS[kind][0](term) for kind, term in zip(rule.results, results, strict=True)]
    return ",".join(said)
