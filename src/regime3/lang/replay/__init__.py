"""Replaying a body, one step at a time, against the state that the steps before it left.

    state = start(problem)
    for step in body[:-1]:
        finding = state.play(step)

One class for each kind of problem. Replay checks and foresees; it never searches for a proof and
never computes an answer that the steps have not reached. `check` makes verdicts of it, and packing
leaves out what it foresees. SPEC.md, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from regime3.lang.problem import Problem
from regime3.lang.replay.finding import Finding
from regime3.lang.replay.integers import Divisions, Factors
from regime3.lang.replay.program import Program
from regime3.lang.replay.reduction import Evaluation, Residues
from regime3.lang.replay.solve import Equation
from regime3.lang.replay.state import State

__all__ = ["Finding", "State", "start"]


def _entails(problem: Problem, strategy: int) -> State:
    from regime3.lang.replay.entails import Entails

    return Entails(problem, strategy)


def _follows(problem: Problem, strategy: int) -> State:
    from regime3.lang.replay.follows import Follows

    return Follows(problem, strategy)


_STATES: Final[dict[str, Callable[[Problem, int], State]]] = {
    "eval": Evaluation,
    "mod": Residues,
    "gcd": Divisions,
    "factor": Factors,
    "solve": Equation,
    "run": Program,
    "entails": _entails,
    "follows": _follows,
}


def start(problem: Problem, strategy: int = 0) -> State:
    """The state before the first step. Strategy 0 foresees nothing, 1 is the specification's, 2
    adds the operands of steps inside `long-` blocks."""
    return _STATES[problem.kind](problem, strategy)
