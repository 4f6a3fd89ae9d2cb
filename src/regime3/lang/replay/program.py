"""Replay of `run`: a pipeline on a list, one stage at a time, a fold one element at a time.

    state = Program(read_problem("(run (pipe sort (take 1)) (list 3 1 2))"), strategy=1)
    state.play(("l-sort", ("list", 1, 2, 3)))

Each stage is computed once, when its step is played, so the size of a problem bounds the work.
SPEC.md, section 4: run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from regime3.lang.problem import Problem, Step
from regime3.lang.replay.finding import Finding, shown, unfit, wrong
from regime3.lang.replay.state import Foreseeing, Head
from regime3.lang.replay.values import holds, value
from regime3.lang.signature import Slots
from regime3.lang.terms import Term

Items = tuple[int, ...]

_ITEMS_TELL: Final = 2
"""The first strategy in which items tell a list."""


class Program(Foreseeing):
    """The state of run: the stages and the list that are left, and a fold's accumulator.

    In a fold the list holds the elements still to come.
    """

    __slots__ = ("_items", "_stages", "_total")

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._stages: tuple[Any, ...] = problem.term[1][1:]
        self._items: Items = problem.term[2][1:]
        self._total: int | None = None
        self._begin_fold()

    def _begin_fold(self) -> None:
        if self._stages and self._stages[0][0] == "fold":
            self._total = self._stages[0][2]

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then moves on."""
        self._moved()
        head = self._foresee()
        if head is None:
            return Finding("the answer: nothing is left to do", str(step[0]))
        if step[: len(head)] != head:
            return unfit(head, step)
        if self._total is not None:
            return self._play_fold(step)
        right = _staged(self._stages[0], self._items)
        items = self._items = step[1][1:]
        self._stages = self._stages[1:]
        self._begin_fold()
        return None if items == right else _wrong_list(right, items)

    def _play_fold(self, step: Step) -> Finding | None:
        assert self._total is not None
        right = value(self._stages[0][1], self._total, self._items[0])
        self._items, self._total = self._items[1:], step[2]
        return None if step[2] == right else wrong(right, step[2])

    def _foresee(self) -> Head | None:
        if self._total is not None:
            return ("l-fold", self._items[0]) if self._items else None
        return ("l-" + _name(self._stages[0]),) if self._stages else None

    # ------------------------------------------------------------ prediction and answer

    def _told(self) -> int:
        """How many items tell the next stage's list; 0 if it has to be spelled.

        `map` and `sort` keep the length; what `sort` puts last is what is left. What `rev`, `take`
        and `drop` do is no work: the first item says that it was done.
        """
        if self._strategy < _ITEMS_TELL or self._total is not None or not self._stages:
            return 0
        name, length = _name(self._stages[0]), len(self._items)
        if name == "map":
            return length
        if name == "sort":
            return min(length, max(1, length - 1))
        return 0 if name == "filter" else min(1, len(_staged(self._stages[0], self._items)))

    def _rest(self, told: tuple[Any, ...]) -> Items:
        """The items after those that were told."""
        name = _name(self._stages[0])
        if name == "map":
            return ()
        if name != "sort":
            return _staged(self._stages[0], self._items)[1:]
        left = sorted(self._items)
        for each in told:
            if each in left:
                left.remove(each)
        return tuple(left[-1:]) if len(told) < len(self._items) else ()

    def expects(self) -> tuple[Slots, ...]:
        """The accumulator, a list, or items that tell a list."""
        told = self._told()
        return (("Int",) * told,) if told else super().expects()

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """The results of a step that is as foreseen, or the items that tell its list."""
        results = super().bare(step)
        told = self._told()
        if results is None or not told:
            return results
        listed: Any = results[0]
        items: tuple[Term, ...] = listed[1 : 1 + told]
        return items if len(items) == told and self.step_of(items) == step else None

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The foreseen step with these results, or with the list that these items tell."""
        if self._told():
            results = (("list", *results, *self._rest(results)),)
        return super().step_of(results)

    def implied(self) -> Term | None:
        """The value, when nothing is left to do."""
        if self._foresee() is not None:
            return None
        return ("list", *self._items) if self._total is None else self._total

    def answer(self, term: Term) -> Finding | None:
        """The answer is the value, when nothing is left to do."""
        head = self._foresee()
        if head is not None:
            return Finding(f"{shown(*head)} first", shown(term))
        right = self.implied()
        return None if term == right else Finding(shown(right or 0), shown(term))


def _name(stage: Any) -> str:
    return str(stage if stage.__class__ is str else stage[0])


def _mapped(stage: Any, items: Items) -> Items:
    body = stage[1]
    return tuple([value(body, item, 0) for item in items])


def _filtered(stage: Any, items: Items) -> Items:
    condition = stage[1]
    return tuple([item for item in items if holds(condition, item)])


_STAGES: Final[dict[str, Callable[[Any, Items], Items]]] = {
    "map": _mapped,
    "filter": _filtered,
    "sort": lambda _, items: tuple(sorted(items)),
    "rev": lambda _, items: items[::-1],
    "take": lambda stage, items: items[: stage[1]],
    "drop": lambda stage, items: items[stage[1] :],
}


def _staged(stage: Any, items: Items) -> Items:
    """What a stage that is no fold makes of the items."""
    return _STAGES[_name(stage)](stage, items)


def _wrong_list(right: Items, items: Items) -> Finding:
    """Finding of a list that is not the right one: its first wrong item, if as many."""
    for wanted, item in zip(right, items, strict=False):
        if wanted != item and len(right) == len(items):
            return wrong(wanted, item)
    return wrong(("list", *right), ("list", *items))
