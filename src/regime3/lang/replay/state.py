"""What every replay offers, and the part that those with prediction share.

    state = start(problem, strategy=1)
    state.expects()                          # (("Int", "Int"),): what tells a foreseen step
    state.bare(("r-divmod", 462, 147, 3, 21))        # (3, 21): as foreseen, so these say it all
    state.step_of((3, 21))                   # ("r-divmod", 462, 147, 3, 21)
    state.play(step)                         # None, or a Finding; the state has moved on

A state is a function of the problem and the steps played, right or wrong, and of nothing else:
packing, unpacking and checking meet the same state at the same step. SPEC.md, sections 4 and 5.
"""

from __future__ import annotations

from typing import Any, Protocol

from regime3.lang.problem import Problem, Step
from regime3.lang.replay.finding import Finding
from regime3.lang.signature import RULES, Slots
from regime3.lang.terms import Term

Head = tuple[Any, ...]
"""A rule and its operands, as a step begins."""


class State(Protocol):
    """The replay of one body. Steps are typed and canonical; nothing here raises on them."""

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then moves on.

        Results are believed, right or wrong, if the operands fit the state; else it stays, and a
        block closes. Operands fit if the rule could be right with them.
        """
        ...

    def expects(self) -> tuple[Slots, ...]:
        """Ways to tell what comes next in fewer words: types of the terms, one way or more.

        The first term of each way is of a type of its own, so that its code says which it is. A way
        of one `Model` tells the answer.
        """
        ...

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The terms that tell the step, or the answer, in one of those ways, else None."""
        ...

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The foreseen step with these results. Only where `expects` is not None."""
        ...

    def implied(self) -> Term | None:
        """The answer that the state implies, else None. Always one that may be written."""
        ...

    def answer(self, term: Term) -> Finding | None:
        """What is wrong with this answer here, or None."""
        ...


class Foreseeing:
    """Prediction by rule and operands, worked out at most once a step.

    A subclass says in `_foresee` what comes next, and calls `_moved` whenever its state moves.
    """

    __slots__ = ("_head", "_known", "_rules", "_strategy")

    def __init__(self, problem: Problem, strategy: int) -> None:
        self._rules = RULES[problem.kind]
        self._strategy = strategy
        self._head: Head | None = None
        self._known = strategy == 0

    def _moved(self) -> None:
        self._known = self._strategy == 0

    def _foresee(self) -> Head | None:
        """The rule and operands of the next step if the strategy names one."""
        raise NotImplementedError

    def _next(self) -> Head | None:
        if not self._known:
            self._head = self._foresee()
            self._known = True
        return self._head

    def expects(self) -> tuple[Slots, ...]:
        """The types of the results if a step is foreseen here."""
        head = self._next()
        return () if head is None else (self._rules[head[0]].results,)

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The results of the step if its rule and operands are as foreseen, else None."""
        head = self._next()
        if head is None or step[: len(head)] != head:
            return None
        return step[len(head) :]

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The foreseen step with these results."""
        head = self._next()
        assert head is not None, "no step is foreseen here"
        return (*head, *results)
