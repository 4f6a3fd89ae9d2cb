"""List programs: map, filter, fold, sort, reverse, take and drop, one after another.

    "Keep the numbers greater than 3, then add them up: [3, 40, 100]."

A program is drawn stage by stage against the list as it stands, so that a filter usually keeps some
numbers and drops others. The oracle does one step a stage and one for each number folded. Levels
grow in stages, in length of the list, and in what a stage may compute. Words for a stage name it
completely: no two stages share a phrase.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from regime3.lang.problem import Body, Problem, Step
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw
from regime3.tasks.family import LEVELS, Posed

VALUE_MAX = 9_999
"""No number in a trace is larger in size."""
TRIES_MAX = 1_000
"""Of drawing a program that keeps within the limits; about one in three does at the hardest."""
RARE = 16
"""One idle stage in so many stays, and one take or drop in so many reaches past the end."""

Stage = Term
Phrases = Sequence[str]
Drawn = tuple[Stage, Phrases]


# --------------------------------------------------------------------------- what a stage computes


def number(body: Term, x0: int, x1: int = 0) -> int:
    """The value of a body of map or fold."""
    if isinstance(body, int):
        return body
    if isinstance(body, str):
        return x0 if body == "x0" else x1
    values = [number(part, x0, x1) for part in body[1:]]
    match body[0]:
        case "add":
            return sum(values)
        case "sub":
            return values[0] - values[1]
        case "rem":
            return values[0] % values[1]
    product = 1
    for value in values:
        product *= value
    return product


def holds(condition: Term, x0: int) -> bool:
    """Whether a number passes the condition of a filter."""
    assert isinstance(condition, tuple)
    name, *parts = condition
    if name in ("not", "and", "or"):
        found = [holds(part, x0) for part in parts]
        return not found[0] if name == "not" else all(found) if name == "and" else any(found)
    left, right = (number(part, x0) for part in parts)
    return left < right if name == "lt" else left <= right if name == "le" else left == right


def after(stage: Stage, items: list[int]) -> list[int]:
    """The list after a stage that is no fold."""
    if stage == "sort":
        return sorted(items)
    if stage == "rev":
        return items[::-1]
    assert isinstance(stage, tuple)
    name, body = stage
    if name == "take":
        return items[:body]
    if name == "drop":
        return items[body:]
    if name == "map":
        return [number(body, item) for item in items]
    return [item for item in items if holds(body, item)]


def folded(stage: Stage, items: list[int]) -> list[int]:
    """The accumulator after each item of a fold."""
    assert isinstance(stage, tuple)
    _, body, total = stage
    totals = []
    for item in items:
        total = number(body, total, item)
        totals.append(total)
    return totals


# ------------------------------------------------------------------------ stages, drawn with words


def _take(draw: Draw, items: list[int]) -> Drawn:
    n = _cut(draw, items)
    return ("take", n), (f"keep only {_first(n)}", f"take {_first(n)}")


def _drop(draw: Draw, items: list[int]) -> Drawn:
    n = _cut(draw, items)
    return ("drop", n), (f"drop {_first(n)}", f"leave out {_first(n)}")


def _cut(draw: Draw, items: list[int]) -> int:
    return len(items) + draw.below(3) if draw.chance(1, RARE) else draw.between(1, len(items) - 1)


def _first(n: int) -> str:
    return f"the first {n}" if n > 1 else "the first one"


def _rev(draw: Draw, items: list[int]) -> Drawn:
    return "rev", ("reverse the order", "turn the list around")


def _sort(draw: Draw, items: list[int]) -> Drawn:
    return "sort", ("sort from smallest to largest", "put the numbers in increasing order")


def _compare(draw: Draw, items: list[int]) -> Drawn:
    """A filter by one bound, near one of the numbers."""
    n = draw.choice(items) + draw.between(-2, 2)
    condition, words = draw.choice(
        (
            (("lt", n, "x0"), (f"greater than {n}", f"above {n}")),
            (("lt", "x0", n), (f"less than {n}", f"below {n}")),
            (("le", n, "x0"), (f"not less than {n}", f"{n} or more")),
            (("le", "x0", n), (f"not greater than {n}", f"{n} or less")),
        )
    )
    return ("filter", condition), _keeping(words)


def _keeping(words: Phrases) -> Phrases:
    shapes = ("keep the numbers that are {}", "keep only what is {}")
    return [shape.format(word) for word in words for shape in shapes]


def _parity(draw: Draw, items: list[int]) -> Drawn:
    rest = draw.below(2)
    word = ("even", "odd")[rest]
    return (
        ("filter", ("eq", ("rem", "x0", 2), rest)),
        (f"keep the {word} numbers", f"keep only the numbers that are {word}"),
    )


def _multiples(draw: Draw, items: list[int]) -> Drawn:
    n = draw.between(3, 9)
    even = ("eq", ("rem", "x0", n), 0)
    if draw.chance(1, 2):
        return ("filter", even), (f"keep the multiples of {n}", f"keep what is divisible by {n}")
    return ("filter", ("not", even)), (
        f"remove the multiples of {n}",
        f"remove what is divisible by {n}",
    )


def _residue(draw: Draw, items: list[int]) -> Drawn:
    n = draw.between(3, 7)
    rest = draw.between(1, n - 1)
    condition = ("eq", ("rem", "x0", n), rest)
    return (
        ("filter", condition),
        (f"keep the numbers that are {rest} modulo {n}", f"keep what is {rest} modulo {n}"),
    )


def _range(draw: Draw, items: list[int]) -> Drawn:
    low, high = sorted(draw.several(items, 2))
    low, high = low - draw.between(0, 2), high + draw.between(1, 3)
    if draw.chance(1, 2):
        inside = ("and", ("lt", low, "x0"), ("lt", "x0", high))
        return ("filter", inside), _keeping((f"greater than {low} and less than {high}",))
    outside = ("or", ("lt", "x0", low), ("lt", high, "x0"))
    return ("filter", outside), _keeping((f"less than {low} or greater than {high}",))


def _map(body: Term, *phrases: str) -> Drawn:
    return ("map", body), phrases


def _shift(draw: Draw, items: list[int]) -> Drawn:
    n = draw.between(1, 9)
    return _map(("add", "x0", n), f"add {n} to each number", f"increase every number by {n}")


def _lower(draw: Draw, items: list[int]) -> Drawn:
    n = draw.between(2, 30)
    if draw.chance(1, 2):
        return _map(("sub", "x0", n), f"subtract {n} from each", f"lower every number by {n}")
    return _map(("sub", n, "x0"), f"subtract each from {n}", f"replace each x by {n} - x")


def _scale(draw: Draw, items: list[int]) -> Drawn:
    n = draw.between(2, 9)
    return _map(("mul", "x0", n), f"multiply each by {n}", f"make every number {n} times as large")


def _line(draw: Draw, items: list[int]) -> Drawn:
    n, m = draw.between(2, 9), draw.between(1, 20)
    if draw.chance(1, 2):
        body = ("add", ("mul", "x0", n), m)
        return _map(body, f"multiply each by {n} and add {m}", f"replace each x by {n}x + {m}")
    less = ("sub", ("mul", "x0", n), m)
    return _map(less, f"multiply each by {n} and subtract {m}", f"replace each x by {n}x - {m}")


def _reduce(draw: Draw, items: list[int]) -> Drawn:
    n = draw.between(5, 40)
    return _map(
        ("rem", "x0", n), f"reduce each number modulo {n}", f"replace each x by x modulo {n}"
    )


def _scramble(draw: Draw, items: list[int]) -> Drawn:
    n, m = draw.between(2, 9), draw.between(11, 97)
    if draw.chance(1, 2):
        body = ("rem", ("mul", "x0", n), m)
        return _map(body, f"multiply each by {n} and reduce it modulo {m}")
    k = draw.between(1, 20)
    shifted = ("rem", ("add", ("mul", "x0", n), k), m)
    return _map(shifted, f"multiply each by {n}, add {k} and reduce it modulo {m}")


def _square(draw: Draw, items: list[int]) -> Drawn:
    return _map(("mul", "x0", "x0"), "square each number", "replace each number by its square")


def _sum(draw: Draw, items: list[int]) -> Drawn:
    return ("fold", ("add", "x0", "x1"), 0), ("add them up", "find the sum")


def _count(draw: Draw, items: list[int]) -> Drawn:
    return ("fold", ("add", "x0", 1), 0), ("count them", "count what is left")


def _running(draw: Draw, start: int, body: Term, words: str) -> Drawn:
    """A fold told in full: a total, and what each number does to it."""
    return (
        ("fold", body, start),
        (
            f"start a total at {start} and, for each number in turn, {words}",
            f"go through the numbers with a total that starts at {start}: each time, {words}",
        ),
    )


def _sum_from(draw: Draw, items: list[int]) -> Drawn:
    start = draw.between(1, 50)
    if draw.chance(1, 2):
        return _running(draw, start, ("add", "x0", "x1"), "add the number to it")
    return _running(draw, start, ("sub", "x0", "x1"), "subtract the number from it")


def _alternate(draw: Draw, items: list[int]) -> Drawn:
    start = draw.between(0, 20)
    return _running(draw, start, ("sub", "x1", "x0"), "replace it by the number minus the total")


def _squares(draw: Draw, items: list[int]) -> Drawn:
    body = ("add", "x0", ("mul", "x1", "x1"))
    return ("fold", body, 0), ("add up their squares", "find the sum of their squares")


def _weigh(draw: Draw, items: list[int]) -> Drawn:
    n = draw.between(2, 9)
    body = ("add", "x0", ("mul", "x1", n))
    return _running(draw, 0, body, f"add {n} times the number to it")


def _product(draw: Draw, items: list[int]) -> Drawn:
    m = draw.between(11, 97)
    body = ("rem", ("mul", "x0", "x1"), m)
    return _running(draw, 1, body, f"multiply it by the number and reduce it modulo {m}")


def _horner(draw: Draw, items: list[int]) -> Drawn:
    n, m = draw.between(2, 9), draw.between(11, 97)
    body = ("rem", ("add", ("mul", "x0", n), "x1"), m)
    words = f"multiply it by {n}, add the number and reduce it modulo {m}"
    return _running(draw, draw.between(0, 9), body, words)


# -------------------------------------------------------------------------------------- the levels

Draws = Callable[[Draw, list[int]], Drawn]

CUTS: tuple[Draws, ...] = (_take, _drop, _rev)
EASY_MAPS: tuple[Draws, ...] = (_shift, _scale)
MAPS: tuple[Draws, ...] = (*EASY_MAPS, _lower, _line, _reduce)
HARD_MAPS: tuple[Draws, ...] = (*MAPS, _scramble, _scramble, _square)
EASY_FILTERS: tuple[Draws, ...] = (_compare, _compare, _parity)
FILTERS: tuple[Draws, ...] = (*EASY_FILTERS, _multiples, _residue, _range)
EASY_FOLDS: tuple[Draws, ...] = (_sum, _sum, _count)
FOLDS: tuple[Draws, ...] = (_sum, _count, _sum_from, _alternate, _squares, _weigh)
HARD_FOLDS: tuple[Draws, ...] = (*FOLDS, _product, _product, _horner, _horner)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a level draws from."""

    stages: tuple[int, int]
    """Least and most, the fold among them."""
    length: tuple[int, int]
    """Of the list at first."""
    plain: tuple[tuple[Draws, ...], ...]
    """Groups of stages that are no folds; a group is drawn first, then one of it."""
    folds: tuple[Draws, ...] = ()
    folded: tuple[int, int] = (0, 1)
    """In how many programs of how many the last stage is a fold."""
    least: int = 0
    """The smallest number of the list at first."""
    kept: int = 2
    """Every stage but the last leaves at least so many numbers."""


SHAPES = (
    Shape((1, 1), (3, 4), ((_take, _drop, _rev, _compare),)),
    Shape((1, 1), (3, 5), (CUTS, (_sort,), (_compare,), (_shift,))),
    Shape((1, 1), (3, 6), ((_sort,), EASY_FILTERS, EASY_MAPS), EASY_FOLDS, (1, 4)),
    Shape((2, 2), (4, 6), (CUTS, (_sort,), EASY_FILTERS, EASY_MAPS), EASY_FOLDS, (1, 3)),
    Shape((2, 2), (4, 7), (CUTS, (_sort,), FILTERS, MAPS), FOLDS, (1, 2)),
    Shape((2, 3), (5, 7), (CUTS, (_sort,), FILTERS, MAPS), FOLDS, (1, 2), -20),
    Shape((3, 3), (5, 8), (CUTS, (_sort,), FILTERS, MAPS), HARD_FOLDS, (1, 2), -20, 3),
    Shape((3, 4), (6, 9), (CUTS, (_sort,), FILTERS, HARD_MAPS), HARD_FOLDS, (2, 3), -50, 4),
    Shape((4, 4), (7, 10), (CUTS, (_sort,), FILTERS, HARD_MAPS), HARD_FOLDS, (3, 4), -50, 5),
    Shape((4, 5), (8, 12), (CUTS, (_sort,), FILTERS, HARD_MAPS), HARD_FOLDS, (5, 6), -99, 6),
)

POINTLESS = {(name, name) for name in ("map", "filter", "sort", "rev", "take", "drop")}
POINTLESS.add(("rev", "sort"))
"""Stages that never follow each other."""

Program = tuple[list[Stage], list[str]]


def _program(shape: Shape, draw: Draw, items: list[int]) -> Program | None:
    """Stages and their words, or None if a list runs dry or a number too large on the way."""
    count = draw.between(*shape.stages)
    ends_in_fold = draw.chance(*shape.folded)
    stages: list[Stage] = []
    words: list[str] = []
    for left in range(count, 0, -1):
        menu = shape.folds if ends_in_fold and left == 1 else draw.choice(shape.plain)
        stage, phrases = draw.choice(menu)(draw, items)
        if stages and (_head(stages[-1]), _head(stage)) in POINTLESS:
            return None
        result = folded(stage, items) if _head(stage) == "fold" else after(stage, items)
        if any(abs(value) > VALUE_MAX for value in result) or _is_idle(stage, items, result, draw):
            return None
        if left > 1 and len(result) < shape.kept:
            return None
        stages.append(stage)
        words.append(draw.choice(phrases))
        items = result
    return stages, words


def _head(stage: Stage) -> str:
    return stage[0] if isinstance(stage, tuple) else str(stage)


def _is_idle(stage: Stage, items: list[int], result: list[int], draw: Draw) -> bool:
    """Whether a stage does next to nothing; a rare one may."""
    match _head(stage):
        case "filter":
            idle = len(result) in (0, len(items))
        case "sort" | "rev":
            idle = result == items
        case "fold":
            idle = 2 * len(set(result)) < len(result)
        case _:
            idle = False
    return idle and not draw.chance(1, RARE)


# -------------------------------------------------------------------------------------- in English


def _prompt(draw: Draw, items: list[int], words: list[str]) -> str:
    numbers = ", ".join(map(str, items))
    first, rest = words[0], words[1:]
    chain = ", then ".join(words)
    sentences = " ".join(f"{_capital(each)}." for each in [first, *[f"then {x}" for x in rest]])
    return draw.choice(
        (
            f"{_capital(chain)}: [{numbers}].",
            f"Start with the list {numbers}. {sentences} What is the result?",
            f"Here is a list: [{numbers}]. {sentences} What do you get?",
            f"What do you get from [{numbers}] if you {chain}?",
        )
    )


def _capital(words: str) -> str:
    return words[0].upper() + words[1:]


class Lists:
    """The family of list programs."""

    name = "lists"
    title = "list programs"
    kinds = ("run",)
    levels = LEVELS

    def draw(self, level: int, draw: Draw) -> Posed:
        """A program and a list."""
        shape = SHAPES[level - 1]
        for _ in range(TRIES_MAX):
            length = draw.between(*shape.length)
            items = [draw.between(shape.least, 99) for _ in range(length)]
            program = _program(shape, draw, items)
            if program:
                stages, words = program
                term = ("run", ("pipe", *stages), ("list", *items))
                return Posed(term, _prompt(draw, items, words))
        raise AssertionError(f"no list program of level {level} in {TRIES_MAX} tries")

    def solve(self, problem: Problem) -> Body:
        """One step a stage, and one for each number that a fold takes."""
        pipe: Any
        _, pipe, (_, *items) = problem.term
        steps: list[Step] = []
        answer: Term = ("list", *items)
        for stage in pipe[1:]:
            if _head(stage) == "fold":
                totals = folded(stage, items)
                steps += [("l-fold", *pair) for pair in zip(items, totals, strict=True)]
                answer = totals[-1] if totals else stage[2]
            else:
                items = after(stage, items)
                answer = ("list", *items)
                steps.append((f"l-{_head(stage)}", answer))
        return (*steps, ("qed", answer))


FAMILY = Lists()
