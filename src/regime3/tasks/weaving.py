"""Weaving: premises from which a goal follows, drawn from the goal backwards.

    weave = Weave(draw, constants=5, negative=(1, 3))
    goal = implication(weave, 6, MIDDLE)         # weave.premises entail it, in about 6 steps

A *reason* is a way to support a literal by one rule: it adds a premise and supports what that
premise leaves open. A *goal* draws what is to be proved and supports it. Nothing here counts steps
exactly, or notices when reused constants open shortcuts or contradict each other: whoever poses a
problem looks at what came out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from regime3.lang.replay.inferences import denial
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw
from regime3.tasks.provers.entailment import constants_of


class Weave:
    """Premises on the way, and the constants that are left for new reasons."""

    def __init__(self, draw: Draw, constants: int, negative: tuple[int, int]) -> None:
        self.draw, self.negative = draw, negative
        self.constants = [f"c{number}" for number in range(constants)]
        self.unused = list(self.constants)
        draw.shuffle(self.unused)
        self.premises: list[Term] = []

    def literal(self, *near: Term) -> Term:
        """A constant or its negation; an unused one if there is any, and none that is near."""
        close = {leaf for term in near for leaf in constants_of(term)}
        found = self.unused.pop() if self.unused else ""
        if not found or found in close:
            found = self.draw.choice([each for each in self.constants if each not in close])
        return ("not", found) if self.draw.chance(*self.negative) else found

    def say(self, name: str, *arguments: Term) -> None:
        """Add a premise."""
        self.premises.append((name, *arguments))

    def support(self, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
        """Add premises from which the goal follows in about so many steps."""
        fitting = [reason for reason in reasons if COSTS.get(reason, 1) <= steps]
        if fitting:
            self.draw.choice(fitting)(self, goal, steps, reasons)
        else:
            self.premises.append(goal)

    def chain(self, start: Term, end: Term, links: int) -> None:
        """Add premises that lead from one literal to another in so many links."""
        for left in range(links, 0, -1):
            after = end if left == 1 else self.literal(start, end)
            self._link(start, after)
            start = after

    def _link(self, a: Term, b: Term) -> None:
        match self.draw.below(8):
            case 0:
                self.say("imp", denial(b), denial(a))
            case 1:
                self.say("or", denial(a), b)
            case 2:
                self.say("iff", a, b)
            case _:
                self.say("imp", a, b)


Reason = Callable[[Weave, Term, int, "Sequence[Reason]"], None]
"""Supports a goal in about so many steps; the reasons are for what it leaves open."""


def mp(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """If a then the goal; and a."""
    a = weave.literal(goal)
    weave.say("imp", a, goal)
    weave.support(a, steps - 1, reasons)


def mt(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """Where the goal is a negation; elsewhere mt comes with double negations, and mp is plainer."""
    if isinstance(goal, str):
        mp(weave, goal, steps, reasons)
        return
    a = next(constants_of(weave.literal(goal)))
    weave.say("imp", denial(goal), a)
    weave.support(denial(a), steps - 1, reasons)


def ds(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """The goal or a; and not a."""
    a = weave.literal(goal)
    weave.say("or", goal, a)
    weave.support(denial(a), steps - 1, reasons)


def part(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """The goal and something else, perhaps under a condition."""
    a = weave.literal(goal)
    if steps == 1:
        weave.say("and", goal, a)
    else:
        b = weave.literal(goal, a)
        weave.say("imp", b, ("and", goal, a))
        weave.support(b, steps - 2, reasons)


def equal(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """The goal if and only if a; and a."""
    a = weave.literal(goal)
    weave.say("iff", a, goal)
    weave.support(a, steps - 2, reasons)


def both(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """If a and b then the goal; and a; and b."""
    a = weave.literal(goal)
    b = weave.literal(goal, a)
    weave.say("imp", ("and", a, b), goal)
    first = weave.draw.between(0, steps - 2)
    weave.support(a, first, reasons)
    weave.support(b, steps - 2 - first, reasons)


def either(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """If a or b then the goal; and a."""
    a = weave.literal(goal)
    weave.say("imp", ("or", a, weave.literal(goal, a)), goal)
    weave.support(a, steps - 2, reasons)


def double(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """If a then not not the goal; and a."""
    a = weave.literal(goal)
    weave.say("imp", a, ("not", ("not", goal)))
    weave.support(a, steps - 2, reasons)


def hypothetical(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """If a's leading to b means the goal; and a leads to b."""
    a = weave.literal(goal)
    b = weave.literal(goal, a)
    weave.say("imp", ("imp", a, b), goal)
    weave.chain(a, b, max(2, min(4, steps - 3)))


def branch(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """Two cases; from one of them the goal follows at once."""
    a = weave.literal(goal)
    b = weave.literal(goal, a)
    links = weave.draw.between(1, max(1, min(3, steps - 3)))
    weave.chain(a, goal, links)
    weave.say("imp", b, goal)
    weave.support(("or", a, b), steps - links - 3, (mp,))


def absurd(weave: Weave, goal: Term, steps: int, reasons: Sequence[Reason]) -> None:
    """The goal's denial leads to a, and to not a."""
    a = weave.literal(goal)
    first = weave.draw.between(1, min(3, steps - 4))
    weave.chain(denial(goal), a, first)
    weave.chain(denial(goal), denial(a), max(1, min(3, steps - 3 - first)))


COSTS: dict[Reason, int] = {
    equal: 2, both: 2, either: 2, double: 3, hypothetical: 5, absurd: 5,
}  # fmt: skip
"""The fewest steps that each reason takes; 1 where nothing is said."""

# ------------------------------------------------------------------------------------------- goals

Goal = Callable[[Weave, int, Sequence[Reason]], Term]
"""Draws a goal and supports it in about so many steps."""


def literal(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """A constant or its negation."""
    goal = weave.literal()
    weave.support(goal, steps, reasons)
    return goal


def conjunction(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """Two literals, each with its reasons."""
    a = weave.literal()
    b = weave.literal(a)
    first = weave.draw.between(0, steps - 1)
    weave.support(a, first, reasons)
    weave.support(b, steps - 1 - first, reasons)
    return ("and", a, b)


def disjunction(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """One of two literals: one has reasons, or there are two cases."""
    a = weave.literal()
    b = weave.literal(a)
    if steps >= 7 and weave.draw.chance(1, 2):
        c = weave.literal(a, b)
        d = weave.literal(a, b, c)
        weave.say("or", c, d)
        weave.chain(c, a, steps // 4)
        weave.chain(d, b, steps // 4)
    else:
        weave.support(a, steps - 1, reasons)
    return ("or", a, b)


def implication(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """From a to b, perhaps over a place where something else is needed as well."""
    a = weave.literal()
    b = weave.literal(a)
    if steps < 6:
        weave.chain(a, b, steps - 2)
        return ("imp", a, b)
    c = weave.literal(a, b)
    d = weave.literal(a, b, c)
    first = weave.draw.between(1, 3)
    weave.chain(a, c, first)
    weave.say("imp", ("and", c, d), b)
    weave.support(d, steps - 4 - first, reasons)
    return ("imp", a, b)


def curried(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """An implication with two assumptions, one within the other, side by side or as cases."""
    a = weave.literal()
    b = weave.literal(a)
    c = weave.literal(a, b)
    d = weave.literal(a, b, c)
    match weave.draw.below(3):
        case 0:
            weave.say("imp", ("and", a, d), c)
            weave.chain(b, d, max(1, min(4, steps - 6)))
            return ("imp", a, ("imp", b, c))
        case 1:
            weave.say("imp", a, ("or", denial(d), c))
            weave.chain(b, d, max(1, min(4, steps - 6)))
            return ("imp", ("and", a, b), c)
    weave.chain(a, c, max(1, min(3, (steps - 6) // 2)))
    weave.chain(b, c, max(1, min(3, (steps - 6) // 2)))
    return ("imp", ("or", a, b), c)


def equivalence(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """Each of two literals leads to the other."""
    a = weave.literal()
    b = weave.literal(a)
    weave.chain(a, b, max(1, min(5, (steps - 5) // 2)))
    weave.chain(b, a, max(1, min(5, (steps - 5) // 2)))
    return ("iff", a, b)


def negation(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """Not both of two literals, or neither."""
    a = weave.literal()
    b = weave.literal(a)
    if weave.draw.chance(1, 2):
        weave.chain(a, denial(b), max(1, min(4, steps - 5)))
        return ("not", ("and", a, b))
    first = weave.draw.between(0, max(0, steps - 4))
    weave.support(denial(a), first, reasons)
    weave.support(denial(b), max(0, steps - 4 - first), reasons)
    return ("not", ("or", a, b))


def pair(weave: Weave, steps: int, reasons: Sequence[Reason]) -> Term:
    """Two goals at once."""
    kinds = weave.draw.several((implication, curried, negation, equivalence, disjunction), 2)
    return ("and", *[kind(weave, steps // 2, reasons) for kind in kinds])


# ------------------------------------------------------------------------------------------- menus

SIMPLE: tuple[Reason, ...] = (mp, mp, mt, ds, part)
MIDDLE: tuple[Reason, ...] = (mp, mt, ds, part, equal, both, either, branch)
HARD: tuple[Reason, ...] = (
    *MIDDLE, both, double, hypothetical, branch, branch, absurd, absurd,
)  # fmt: skip
BOXED: tuple[Reason, ...] = (both, both, part, hypothetical, branch, absurd)
