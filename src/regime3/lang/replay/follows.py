"""Replay of `follows`: syllogisms whose classes all have members, or a counter-model.

A wrong step leaves an empty line, which nobody may cite. Nothing is foreseen here.
"""

from __future__ import annotations

from typing import Any, Final

from regime3.lang.canon import make
from regime3.lang.problem import Problem, Step
from regime3.lang.replay.finding import Finding
from regime3.lang.signature import Slots
from regime3.lang.terms import Term, show

Pattern = tuple[str, str, str]

MOODS: Final[dict[str, tuple[Pattern, Pattern, Pattern]]] = {
    "barbara": (("all", "M", "P"), ("all", "S", "M"), ("all", "S", "P")),
    "celarent": (("no", "M", "P"), ("all", "S", "M"), ("no", "S", "P")),
    "darii": (("all", "M", "P"), ("some", "S", "M"), ("some", "S", "P")),
    "ferio": (("no", "M", "P"), ("some", "S", "M"), ("some-not", "S", "P")),
    "baroco": (("all", "P", "M"), ("some-not", "S", "M"), ("some-not", "S", "P")),
    "bocardo": (("some-not", "M", "P"), ("all", "M", "S"), ("some-not", "S", "P")),
}
CONTRARY: Final = {"all": "some-not", "no": "some"}


class Follows:
    """Lines so far; an empty one is None."""

    def __init__(self, problem: Problem, strategy: int = 0) -> None:
        self.problem = problem
        self._lines: list[Term | None] = list(problem.premises)

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then its line stands, empty if it is wrong."""
        finding = self._check(step)
        self._lines.append(None if finding else step[-1])
        return finding

    def _check(self, step: Step) -> Finding | None:
        rule, *lines, result = step
        cited: list[Any] = [self._lines[int(line[1:]) - 1] for line in lines]
        if None in cited:
            return Finding("a line that holds", lines[cited.index(None)])
        if rule == "absurd":
            return _absurd(*cited)
        right = conclusions(rule, *cited)
        if not right:
            shown = " and ".join(show(each) for each in cited)
            return Finding(f"premises of {rule}", shown)
        return None if result in right else Finding(show(right[0]), show(result))

    # ------------------------------------------------------------ prediction and answer

    def expects(self) -> Slots | None:
        """Nothing is foreseen."""
        return None

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """Nothing is foreseen."""
        return None

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """Nothing is foreseen."""
        raise AssertionError("nothing is foreseen in follows")

    def implied(self) -> Term | None:
        """yes once the goal stands on a line."""
        return "yes" if self.problem.goal in self._lines else None

    def answer(self, term: Term) -> Finding | None:
        """What is wrong with this answer here, or None."""
        goal = self.problem.goal
        assert goal is not None
        if term == "yes":
            return None if goal in self._lines else Finding(f"{show(goal)} on a line", "yes")
        assert isinstance(term, tuple)
        elements = [set(element[1:]) for element in term[1:]]
        for number in range(self.problem.constants):
            if not any(f"c{number}" in element for element in elements):
                return Finding(f"a member of c{number}", show(term))
        for premise in self.problem.premises:
            if not is_true(premise, elements):
                return Finding(f"{show(premise)} true", show(term))
        return Finding(f"{show(goal)} false", show(term)) if is_true(goal, elements) else None


def is_true(statement: Any, elements: list[set[str]]) -> bool:
    """Whether a statement is true of elements, each the set of its classes."""
    form, a, b = statement
    if form in ("all", "some-not"):
        outside = any(a in element and b not in element for element in elements)
        return outside is (form == "some-not")
    both = any(a in element and b in element for element in elements)
    return both is (form == "some")


def conclusions(rule: str, *cited: Any) -> list[Term]:
    """What the rule draws from the cited statements; empty if they are not its premises."""
    if rule == "sub-all":
        return [make("some", *cited[0][1:])] if cited[0][0] == "all" else []
    if rule == "sub-no":
        _, a, b = cited[0]
        return [("some-not", a, b), ("some-not", b, a)] if cited[0][0] == "no" else []
    first, second, (form, *names) = MOODS[rule]
    found: list[Term] = []
    for major in _readings(cited[0], first):
        for minor in _readings(cited[1], second):
            if major["M"] == minor["M"]:
                bound = major | minor
                found.append(make(form, *[bound[name] for name in names]))
    return found


def _readings(statement: Any, pattern: Pattern) -> list[dict[str, Any]]:
    """How a statement fits a pattern: no and some may be read both ways."""
    form, a, b = statement
    if form != pattern[0]:
        return []
    ways = [(a, b), (b, a)] if form in ("no", "some") else [(a, b)]
    return [{pattern[1]: x, pattern[2]: y} for x, y in ways]


def _absurd(a: Any, b: Any) -> Finding | None:
    """all A B with some-not A B, or no A B with some A B."""
    if CONTRARY.get(a[0]) == b[0] and a[1:] == b[1:]:
        return None
    return Finding("two statements that contradict each other", f"{show(a)} and {show(b)}")
