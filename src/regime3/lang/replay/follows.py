"""Replay of `follows`: syllogisms whose classes all have members, line by line, or a counter-model.

    state = Follows(problem)
    state.play(("celarent", "l1", "l2", ("no", "c1", "c2")))     # None, or a Finding

Lines are the premises, then every step, right or wrong. After a wrong step the state is a pure
function of what was played, as everywhere (SPEC.md, section 5): if the cited lines fit the rule,
its result is believed and stands; else the line is empty, which nobody may cite.

Strategy 2 lets one line tell a step: what it is combined with and what comes of it is looked up,
not searched. And it lets a counter-model be told by classes: an element belongs to what it must.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from regime3.lang.canon import make
from regime3.lang.problem import Problem, Step
from regime3.lang.replay.finding import Finding, shown
from regime3.lang.signature import CONSTANTS_MAX, Slots
from regime3.lang.terms import Term

Pattern = tuple[str, str, str]

_FORESEEING: Final = 2
"""The first strategy that foresees anything here."""

MOODS: Final[dict[str, tuple[Pattern, Pattern, Pattern]]] = {
    "barbara": (("all", "M", "P"), ("all", "S", "M"), ("all", "S", "P")),
    "celarent": (("no", "M", "P"), ("all", "S", "M"), ("no", "S", "P")),
    "darii": (("all", "M", "P"), ("some", "S", "M"), ("some", "S", "P")),
    "ferio": (("no", "M", "P"), ("some", "S", "M"), ("some-not", "S", "P")),
    "baroco": (("all", "P", "M"), ("some-not", "S", "M"), ("some-not", "S", "P")),
    "bocardo": (("some-not", "M", "P"), ("all", "M", "S"), ("some-not", "S", "P")),
}
_MOODS_OF: Final[dict[tuple[str, str], list[tuple[str, bool]]]] = {}
"""By the forms of two statements: rules that may join them, and whether the first comes first."""
for _rule, (_first, _second, _) in MOODS.items():
    _MOODS_OF.setdefault((_first[0], _second[0]), []).append((_rule, True))
    _MOODS_OF.setdefault((_second[0], _first[0]), []).append((_rule, False))

CONTRARY: Final = {"all": "some-not", "no": "some"}
CONCLUSIONS_KEPT_MAX: Final = 1 << 14
"""Of the few statements that a handful of classes have, most are met again and again."""


class Follows:
    """Lines so far; an empty one is None."""

    def __init__(self, problem: Problem, strategy: int = 0) -> None:
        assert problem.goal is not None
        self._premises: tuple[Any, ...] = problem.premises
        self._goal: Term = problem.goal
        self._constants = problem.constants
        self._lines: list[Term | None] = list(problem.premises)
        self._foresees = strategy >= _FORESEEING
        self._closures: dict[tuple[str, ...], tuple[str, ...]] = {}

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then it has its line."""
        rule, *lines, result = step
        cited: list[Any] = [self._line(line) for line in lines]
        if None in cited:
            return self._empty("a line that holds", lines[cited.index(None)])
        if rule == "absurd":
            right: tuple[Term, ...] = (result,) if contradict(*cited) else ()
        else:
            right = conclusions(rule, *cited)
        if not right:
            return self._empty(_wanted(rule), shown(*cited))
        self._lines.append(result)
        return None if result in right else Finding(shown(right[0]), shown(result))

    def follow(self, step: Step) -> None:
        """Moves on."""
        self.play(step)

    def _empty(self, expected: str, found: str) -> Finding:
        self._lines.append(None)
        return Finding(expected, found)

    def _line(self, line: str) -> Term | None:
        number = int(line[1:])
        return self._lines[number - 1] if 1 <= number <= len(self._lines) else None

    # ------------------------------------------------------------ prediction and answer

    def expects(self) -> tuple[Slots, ...]:
        """A line, or a counter-model."""
        if not self._foresees:
            return ()
        return (("Line",), ("Model",)) if self._lines else (("Model",),)

    def bare(self, step: Any) -> tuple[Term, ...] | None:
        """The line that tells the step, or the classes that tell a counter-model."""
        if not self._foresees or step == ("qed", "yes"):
            return None
        if step[0] == "qed":
            return self._told_model(step[1])
        for line in step[1:-1]:
            if self.step_of((line,)) == step:
                return (line,)
        return None

    def step_of(self, results: tuple[Term, ...]) -> Step:
        """The step that a line tells, or the answer that a told counter-model is."""
        told: Any = results[0]
        if told.__class__ is tuple:
            return ("qed", ("counter", *[self._element(each) for each in told[1:]]))
        said = self._line(told)
        # Where nothing may be cited there is no right step: this one is refused like any other.
        return ("absurd", told, told, self._goal) if said is None else self._combined(told, said)

    def _element(self, told: Any) -> tuple[str, ...]:
        """The element told by a class, or by `(elem c …)`: with all the classes it must be in."""
        begin = (told,) if told.__class__ is str else told[1:]
        found = self._closures.get(begin)
        if found is None:
            classes = list(begin)
            for each in classes:
                for form, lower, upper in self._premises:
                    if form == "all" and lower == each and upper not in classes:
                        classes.append(upper)
            # One that names a class twice may grow too long to be written.
            closed = begin if len(classes) > CONSTANTS_MAX else classes
            found = self._closures[begin] = ("elem", *closed)
        return found

    def _told_model(self, answer: Any) -> tuple[Term, ...] | None:
        """The model with each element told by as few of its first classes as will do."""
        told: list[Term] = []
        for element in answer[1:]:
            counts = range(len(element))
            first = next((n for n in counts if self._element(element[: n + 1]) == element), None)
            if first is None:
                return None  # it leaves out a class that it must be in
            begin = element[: first + 1]
            if first == 1:
                told.append(begin[1])
            else:
                some = ("some", *begin[1:])
                is_pair = first == 2 and begin[1] != begin[2] and make(*some) == some
                told.append(some if is_pair else begin)
        return (("counter", *told),)

    def _combined(self, line: str, said: Any) -> Step:
        """The step that citing a line stands for: it reaches the goal, or is the best of those that
        say something new.

        Best is what goes on from the latest step; among premises, what says the most; then what
        cites the latest. Rules and readings come in the order of `MOODS`.
        """
        for rule in ("sub-all", "sub-no"):
            if self._goal in conclusions(rule, said):
                return (rule, line, self._goal)
        best: tuple[Any, ...] = ()
        given = len(self._premises)
        for number, other in enumerate(self._lines, start=1):
            cited = f"l{number}"
            if other is None or cited == line:
                continue
            if contradict(said, other) or contradict(other, said):
                pair = (line, cited) if contradict(said, other) else (cited, line)
                return ("absurd", *pair, self._goal)
            for step in _joined(line, said, cited, other):
                result = step[-1]
                if result not in self._lines:
                    strong = result[0] in ("all", "no")
                    key = (result == self._goal, max(number, given), strong, number)
                    if not best or key > best[0]:
                        best = (key, step)
        if best:
            return best[1]  # type: ignore[no-any-return]
        return next(_alone(line, said, self._lines), ("absurd", line, line, self._goal))

    def implied(self) -> Term | None:
        """yes once the goal stands on a line."""
        return "yes" if self._goal in self._lines else None

    def answer(self, term: Term) -> Finding | None:
        """What is wrong with this answer here, or None."""
        if term == "yes":
            return (
                None
                if self._goal in self._lines
                else Finding(f"{shown(self._goal)} on a line", "yes")
            )
        assert isinstance(term, tuple)
        elements = [set(element[1:]) for element in term[1:]]
        for number in range(self._constants):
            if not any(f"c{number}" in element for element in elements):
                return Finding(f"a member of c{number}", shown(term))
        for premise in self._premises:
            if not is_true(premise, elements):
                return Finding(f"{shown(premise)} true", shown(term))
        if is_true(self._goal, elements):
            return Finding(f"{shown(self._goal)} false", shown(term))
        return None


def is_true(statement: Any, elements: list[set[str]]) -> bool:
    """Whether a statement is true of elements, each the set of its classes."""
    form, a, b = statement
    if form in ("all", "some-not"):
        outside = any(a in element and b not in element for element in elements)
        return outside is (form == "some-not")
    both = any(a in element and b in element for element in elements)
    return both is (form == "some")


# ---------------------------------------------------------------- rules


def contradict(a: Any, b: Any) -> bool:
    """Whether `a` is all or no, and `b` the some-not or some that it denies."""
    # no and some are sorted, so statements about the same classes name them in the same order.
    return CONTRARY.get(a[0]) == b[0] and bool(a[1:] == b[1:])


def _wanted(rule: str) -> str:
    """The premises of a rule, in words."""
    if rule in MOODS:
        return ", ".join(" ".join(pattern) for pattern in MOODS[rule][:2])
    return {"sub-all": "all A B", "sub-no": "no A B"}.get(rule, "all, some-not or no, some of A B")


@lru_cache(maxsize=CONCLUSIONS_KEPT_MAX)
def conclusions(rule: str, *cited: Any) -> tuple[Term, ...]:
    """What a rule other than absurd draws from statements; empty if they are not its premises."""
    if rule == "sub-all":
        return (make("some", *cited[0][1:]),) if cited[0][0] == "all" else ()
    if rule == "sub-no":
        form, a, b = cited[0]
        return (("some-not", a, b), ("some-not", b, a)) if form == "no" else ()
    first, second, (form, *names) = MOODS[rule]
    found: list[Term] = []
    for major in _readings(cited[0], first):
        for minor in _readings(cited[1], second):
            bound = major | minor
            # A statement never names one class twice: S and P differ, or nothing follows.
            if major["M"] == minor["M"] and bound["S"] != bound["P"]:
                found.append(make(form, *[bound[name] for name in names]))
    return tuple(found)


def _joined(line: str, said: Any, cited: str, other: Any) -> Iterator[Step]:
    """What the moods make of two lines, either one first."""
    if said[1] in other or said[2] in other:
        for rule, is_first in _MOODS_OF.get((said[0], other[0]), ()):
            pair = (said, other) if is_first else (other, said)
            for result in conclusions(rule, *pair):
                yield (rule, line, cited, result) if is_first else (rule, cited, line, result)


def _alone(line: str, said: Any, lines: list[Term | None]) -> Iterator[Step]:
    """What a line alone says that is new."""
    for rule in ("sub-all", "sub-no"):
        for result in conclusions(rule, said):
            if result not in lines:
                yield rule, line, result


def _readings(statement: Any, pattern: Pattern) -> list[dict[str, Any]]:
    """How a statement fits a pattern: no and some may be read both ways."""
    form, a, b = statement
    if form != pattern[0]:
        return []
    ways = [(a, b), (b, a)] if form in ("no", "some") else [(a, b)]
    return [{pattern[1]: x, pattern[2]: y} for x, y in ways]
