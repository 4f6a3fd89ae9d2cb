"""What every replay offers, and the part that those with prediction share.

    state = start(problem, strategy=1)
    state.expects()                          # (("Int",),): what tells a foreseen step
    state.bare(("r-divmod", 462, 147, 3, 21))        # (21,): as foreseen, so it says it all
    state.step_of((21,))                   # ("r-divmod", 462, 147, 3, 21)
    state.play(step)                         # None, or a Finding; the state has moved on

A state is a function of the problem and the steps played, right or wrong, and of nothing else:
packing, unpacking and checking meet the same state at the same step. SPEC.md, sections 4 and 5.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from regime3.lang.problem import Problem, Step
from regime3.lang.replay.finding import Finding
from regime3.lang.replay.telling import TELLING, Telling
from regime3.lang.signature import RULES, Slots
from regime3.lang.terms import Term

Head = tuple[Any, ...]
"""A rule and its operands, as a step begins."""

_ONE_OF_TWO: Final = 2
"""The first strategy in which one of two results tells the other."""


class State(Protocol):
    """The replay of one body. Steps are typed and canonical; nothing here raises on them."""

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then moves on.

        Results are believed, right or wrong, if the operands fit the state; else it stays, and a
        block closes. Operands fit if the rule could be right with them.
        """
        ...

    def follow(self, step: Step) -> None:
        """Move on as `play` does, for whoever does not ask what is wrong."""
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
        """The foreseen step with these results. Only where `expects` names a way."""
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

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then moves on."""
        raise NotImplementedError

    def follow(self, step: Step) -> None:
        """Moves on. A subclass whose state does not depend on its findings leaves them out."""
        self.play(step)

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

    def _telling(self, head: Head) -> Telling | None:
        """Which of the results tells the others, if one does."""
        return TELLING.get(head[0]) if self._strategy >= _ONE_OF_TWO else None

    def expects(self) -> tuple[Slots, ...]:
        """The types of the results if a step is foreseen here."""
        head = self._next()
        if head is None:
            return ()
        results = self._rules[head[0]].results
        return (results if self._telling(head) is None else results[:1],)

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The results of the step if its rule and operands are as foreseen, else None."""
        head = self._next()
        if head is None or step[: len(head)] != head:
            return None
        results: tuple[Any, ...] = step[len(head) :]
        telling = self._telling(head)
        if telling is None:
            return results
        place, completed = telling
        told = results[place]
        return (told,) if completed(head[1:], told) == results else None

    def step_of(self, results: tuple[Any, ...]) -> Step:
        """The foreseen step with these results."""
        head = self._next()
        assert head is not None, "no step is foreseen here"
        telling = self._telling(head)
        return (*head, *(results if telling is None else telling[1](head[1:], *results)))
