"""Syllogisms: does a statement about classes follow from others, every class having a member?

    1. No poets are bakers.  2. All clerks are poets.  Does it follow that no clerks are bakers?

The heart of a problem is a chain, grown backwards from the goal by the rules themselves, so every
mood occurs, with and without existential import; other premises distract. A problem in which the
goal does not follow is made from one in which it does, by dealing its words out again: the same
kinds of statements about the same pairs of classes, in another order and direction. So counting
words tells nothing about the answer. Levels grow in the steps of the shortest proof.
"""

from __future__ import annotations

from dataclasses import dataclass

from regime3.lang.canon import canonical
from regime3.lang.problem import Body, Problem
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw
from regime3.tasks.family import LEVELS, Posed
from regime3.tasks.naming import Naming
from regime3.tasks.provers import syllogisms as prover
from regime3.tasks.provers.syllogisms import Statement

TRIES_MAX = 500
"""Of drawing a problem that fits its level."""
DEALS_MAX = 60
"""Of dealing the words of one out again, and of finding a premise that distracts."""
KINDS = ("all", "no", "some", "some-not")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a level draws from."""

    steps: tuple[int, int]
    """Least and most steps of the shortest proof, without the answer."""
    distractors: tuple[int, int]
    classes: int
    """How many classes there are, at most 12."""
    clash: int = 0
    """In one of so many problems the premises may contradict each other; 0: in none."""


SHAPES = (
    Shape((1, 1), (2, 2), 5),
    Shape((1, 2), (2, 2), 5),
    Shape((2, 2), (2, 3), 6),
    Shape((2, 3), (2, 3), 6),
    Shape((3, 4), (2, 3), 7, 16),
    Shape((4, 5), (2, 3), 8, 16),
    Shape((5, 6), (2, 4), 9, 16),
    Shape((6, 7), (2, 4), 10, 16),
    Shape((7, 9), (2, 5), 11, 16),
    Shape((8, 11), (3, 6), 12, 16),
)

# ------------------------------------------------------------------------------------ the problems


class _Chain:
    """Premises grown backwards from a goal: each turn, one gives way to what implies it."""

    def __init__(self, draw: Draw, goal: Statement, fresh: list[str]) -> None:
        self.draw, self.fresh = draw, fresh
        self.premises = [goal]

    def grow(self, turns: int) -> None:
        """Apply `turns` rules backwards, as long as there are classes left."""
        for _ in range(turns):
            place = self.draw.below(len(self.premises))
            self.premises[place : place + 1] = self._reasons(self.premises[place])

    def _reasons(self, statement: Statement) -> list[Statement]:
        name, s, p = statement
        if name in ("no", "some") and self.draw.chance(1, 2):
            s, p = p, s
        if name in ("some", "some-not") and self.draw.chance(1, 4 if self.fresh else 1):
            if name == "some":
                return [("all", s, p)]
            return [("no", s, p)]
        if not self.fresh:
            return [statement]
        m = self.fresh.pop()
        if name == "all":
            return [("all", m, p), ("all", s, m)]
        if name == "no":
            return [("no", m, p), ("all", s, m)]
        if name == "some":
            return [("all", m, p), ("some", s, m)]
        return self.draw.choice(
            (
                [("no", m, p), ("some", s, m)],
                [("all", p, m), ("some-not", s, m)],
                [("some-not", m, p), ("all", m, s)],
            )
        )


def _statement(draw: Draw, classes: list[str]) -> Statement:
    a, b = draw.several(classes, 2)
    return (draw.choice(KINDS), a, b)


def _entailed(shape: Shape, draw: Draw) -> tuple[list[Statement], Statement] | None:
    """Premises in random order and a goal that follows from them in the level's steps."""
    classes = [f"c{number}" for number in range(shape.classes)]
    draw.shuffle(classes)
    goal = _statement(draw, classes[:2])
    chain = _Chain(draw, goal, classes[2:])
    if shape.clash and draw.chance(1, shape.clash):
        chain.premises.append(prover.denial(goal))
        goal = _statement(draw, classes)
    chain.grow(draw.between(*shape.steps))
    premises = [_canonical(premise) for premise in chain.premises]
    for _ in range(draw.between(*shape.distractors)):
        _distract(premises, classes, draw)
    draw.shuffle(premises)
    goal = _canonical(goal)
    if not _sound(premises, goal):
        return None
    steps = prover.proof(premises, goal)
    least, most = shape.steps
    return (premises, goal) if steps is not None and least <= len(steps) <= most else None


def _distract(premises: list[Statement], classes: list[str], draw: Draw) -> None:
    """Add a premise about a class that is spoken of and any other; no new contradiction."""
    contradictory = prover.model(premises) is None
    for _ in range(DEALS_MAX):
        here = draw.choice(prover.classes(premises))
        there = draw.choice([each for each in classes if each != here])
        premise = _canonical((draw.choice(KINDS), *draw.several((here, there), 2)))
        if contradictory or prover.model([*premises, premise]) is not None:
            premises.append(premise)
            return


def _canonical(statement: Statement) -> Statement:
    found = canonical(statement)
    assert isinstance(found, tuple)
    return found


def _sound(premises: list[Statement], goal: Statement) -> bool:
    """No statement twice, and the goal is no premise."""
    return len(set(premises)) == len(premises) and goal not in premises


def _dealt_again(
    premises: list[Statement], goal: Statement, draw: Draw
) -> tuple[list[Statement], Statement] | None:
    """The same kinds about the same pairs, dealt out again until the goal does not follow."""
    kinds = [premise[0] for premise in premises]
    for _ in range(DEALS_MAX):
        draw.shuffle(kinds)
        dealt = [
            _canonical((kind, *draw.several(premise[1:], 2)))
            for kind, premise in zip(kinds, premises, strict=True)
        ]
        if _sound(dealt, goal) and prover.counter_model(dealt, goal) is not None:
            return dealt, goal
    return None


# -------------------------------------------------------------------------------------- in English

LETTERS = tuple("ABCDEFGHIJKL")
NOUNS = (
    "baker", "barber", "builder", "butcher", "captain", "clerk", "cook", "dancer", "dentist",
    "doctor", "driver", "farmer", "fisher", "gardener", "hunter", "lawyer", "lecturer", "nurse",
    "painter", "pilot", "poet", "potter", "priest", "reader", "runner", "sailor", "singer",
    "soldier", "student", "tailor", "teacher", "vegetarian", "waiter", "weaver", "writer",
)  # fmt: skip

MANY = {
    "all": "all {} are {}",
    "no": "no {} are {}",
    "some": "some {} are {}",
    "some-not": "some {} are not {}",
}
ONE = {
    "all": "every {} is a {}",
    "no": "no {} is a {}",
    "some": "at least one {} is a {}",
    "some-not": "at least one {} is not a {}",
}

FRAMES = (
    "{premises}\nDoes it follow that {goal}? Every class has at least one member.",
    "None of these classes is empty.\n{premises}\nMust it be true that {goal}?",
    "Suppose:\n{premises}\nGiven that every class has a member, does it follow that {goal}?",
    "Each class has members.\n{premises}\nProve that {goal}, or show that it need not be so.",
)


def _posed(premises: list[Statement], goal: Statement, draw: Draw) -> Posed:
    """The problem in words; its classes are numbered as the words name them."""
    words, pool = MANY, LETTERS
    if draw.chance(1, 2):
        pool = tuple(draw.several(NOUNS, len(LETTERS)))
        words = draw.choice((MANY, ONE))
    if words is MANY and pool is not LETTERS:
        pool = tuple(f"{noun}s" for noun in pool)
    naming = Naming(pool)

    def said(statement: Statement) -> str:
        name, a, b = statement
        if name in ("no", "some") and draw.chance(1, 2):
            a, b = b, a
        return words[name].format(naming(a), naming(b))

    lines = [f"{i + 1}. {_sentence(said(premise))}" for i, premise in enumerate(premises)]
    prompt = draw.choice(FRAMES).format(premises="\n".join(lines), goal=said(goal))
    term = ("follows", ("given", *premises), goal)
    renamed = naming.renamed(term)
    assert isinstance(renamed, tuple)
    return Posed(renamed, prompt, naming.names)


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


class Syllogisms:
    """The family of syllogisms and chains of them."""

    name = "syllogisms"
    title = "syllogisms"
    kinds = ("follows",)
    levels = LEVELS

    def draw(self, level: int, draw: Draw) -> Posed:
        """A problem whose goal follows in half of the cases."""
        follows = draw.chance(1, 2)
        for _ in range(TRIES_MAX):
            found = _entailed(SHAPES[level - 1], draw)
            if found and not follows:
                found = _dealt_again(*found, draw)
            if found:
                return _posed(*found, draw)
        raise AssertionError(f"no syllogism of level {level} in {TRIES_MAX} tries")

    def solve(self, problem: Problem) -> Body:
        """A shortest proof, or else a counter-model and nothing before it."""
        premises = [each for each in problem.premises if isinstance(each, tuple)]
        assert isinstance(problem.goal, tuple)
        elements = prover.counter_model(premises, problem.goal)
        if elements is None:
            steps = prover.proof(premises, problem.goal)
            assert steps is not None, "the rules are complete"
            return (*steps, ("qed", "yes"))
        counter: list[Term] = [("elem", *element) for element in elements]
        return (("qed", ("counter", *counter)),)


FAMILY = Syllogisms()
