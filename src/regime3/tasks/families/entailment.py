"""Entailment: does a proposition follow from others? A proof in natural deduction, or values.

    1. if p then q   2. p or r   3. not r        Does it follow that q?

A problem is woven backwards: the goal is given reasons, these are given reasons, and so on; other
premises distract. The oracle's proof must then have the length of the level. A problem in which the
goal does not follow is made from one in which it does: literals of its premises change places until
the goal no longer follows. Both kinds have the same words in the same shapes, so that nothing but
reasoning tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from regime3.lang.canon import canonical
from regime3.lang.problem import Body, Problem, problem_of
from regime3.lang.replay.inferences import denial
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw
from regime3.tasks.family import LEVELS, Posed
from regime3.tasks.naming import Naming
from regime3.tasks.provers import entailment as prover
from regime3.tasks.provers.entailment import constants_of, is_literal
from regime3.tasks.provers.tables import Tables
from regime3.tasks.weaving import (
    BOXED,
    HARD,
    MIDDLE,
    SIMPLE,
    Goal,
    Reason,
    Weave,
    conjunction,
    curried,
    disjunction,
    equivalence,
    implication,
    literal,
    negation,
    pair,
)

TRIES_MAX = 2_000
"""Of weaving a problem that fits its level."""
EXCHANGES_MAX = 100
"""Of exchanging the literals of one."""
LINES_MAX = 39
"""Premises and steps: the last line may still be referred to from the line after it."""

# -------------------------------------------------------------------------------------- the levels


@dataclass(frozen=True, slots=True)
class Shape:
    """What a level draws from."""

    steps: tuple[int, int]
    """Least and most steps of the oracle's proof, without the answer."""
    constants: int
    distractors: tuple[int, int]
    reasons: tuple[Reason, ...]
    goals: tuple[Goal, ...]
    negative: tuple[int, int] = (1, 3)
    """How many literals of how many are negations."""
    clash: int = 0
    """In one of so many problems the premises may contradict each other; 0: in none."""
    aim: int = 0
    """Steps to weave for beyond these: the larger a weave, the more shortcuts it has."""


SHAPES = (
    Shape((1, 1), 4, (2, 2), SIMPLE, (literal,), negative=(1, 5)),
    Shape((1, 2), 5, (2, 2), SIMPLE, (literal,), negative=(1, 4)),
    Shape((2, 3), 5, (1, 2), MIDDLE, (literal, literal, conjunction, disjunction)),
    Shape((3, 4), 5, (1, 2), MIDDLE, (literal, conjunction, implication)),
    Shape((4, 6), 6, (1, 2), HARD, (literal, conjunction, disjunction, implication)),
    Shape(
        (5, 8), 6, (1, 2), HARD,
        (literal, disjunction, implication, implication, equivalence, negation), clash=24,
    ),
    Shape(
        (7, 10), 6, (1, 2), HARD,
        (literal, literal, disjunction, implication, equivalence, curried, negation),
        clash=24,
    ),
    Shape(
        (9, 13), 6, (1, 3), BOXED,
        (literal, disjunction, disjunction, curried, equivalence, negation, pair),
        clash=24, aim=2,
    ),
    Shape(
        (11, 16), 7, (1, 3), BOXED,
        (disjunction, curried, equivalence, negation, *[pair] * 3), clash=24, aim=3,
    ),
    Shape(
        (14, 22), 8, (1, 3), BOXED,
        (disjunction, negation, *[pair] * 6), clash=24, aim=3,
    ),
)  # fmt: skip

Theory = tuple[Sequence[Term], Term]
"""Canonical premises in the order of the prompt, and a goal."""


def _woven(shape: Shape, draw: Draw) -> Theory | None:
    """Premises and a goal that follows from them in about as many steps as the level has."""
    weave = Weave(draw, shape.constants, shape.negative)
    steps = draw.between(*shape.steps) + shape.aim
    clash = shape.clash > 0 and draw.chance(1, shape.clash)
    if clash:
        enemy = literal(weave, steps // 2, shape.reasons)
        weave.support(denial(enemy), steps // 2, shape.reasons)
        goal = weave.literal(enemy)
    else:
        goal = draw.choice(shape.goals)(weave, steps, shape.reasons)
    for _ in range(draw.between(*shape.distractors)):
        a = weave.literal()
        weave.say(draw.choice(("imp", "imp", "or", "or", "and", "iff")), a, weave.literal(a))
    draw.shuffle(weave.premises)
    theory = [canonical(premise) for premise in weave.premises], canonical(goal)
    tables = Tables(shape.constants)
    if not _is_clean(theory) or (tables.all_of(theory[0]) == 0) != clash:
        return None
    return theory if _follows(theory, tables) else None


def _fits(shape: Shape, body: Body | None, premises: int) -> bool:
    """Whether a proof is as long as the level's are; a refutation need only fit into the lines."""
    if body is None or premises + len(body) - 1 > LINES_MAX:
        return False
    least, most = shape.steps
    return body[-1] != ("qed", "yes") or least <= len(body) - 1 <= most


def _follows(theory: Theory, tables: Tables) -> bool:
    premises, goal = theory
    return tables.all_of(premises) & ~tables.of(goal) == 0


def _is_clean(theory: Theory) -> bool:
    """No proposition twice, and no premise that speaks of a constant twice."""
    premises, goal = theory
    return len({*premises, goal}) == len(premises) + 1 and not any(map(_repeats, premises))


def _repeats(premise: Term) -> bool:
    found = list(constants_of(premise))
    return len(set(found)) < len(found)


# ------------------------------------------------------------------------- goals that do not follow


def _exchanged(theory: Theory, draw: Draw, constants: int) -> Theory | None:
    """The same shapes with literals that have changed places, so that the goal does not follow."""
    premises, goal = theory
    tables = Tables(constants)
    literals = [each for premise in premises for each in _literals(premise)]
    for _ in range(EXCHANGES_MAX):
        dealt = literals.copy()
        for _ in range(draw.between(1, 3)):
            a, b = draw.below(len(dealt)), draw.below(len(dealt))
            dealt[a], dealt[b] = dealt[b], dealt[a]
        source = iter(dealt)
        refilled = [_refilled(premise, source) for premise in premises]
        # Before they are canonical: (and c0 c0) would shrink to c0, and with it the premise.
        if any(_repeats(premise) for premise in refilled):
            continue
        changed = [canonical(premise) for premise in refilled], goal
        if _is_clean(changed) and not _follows(changed, tables):
            return changed
    return None


def _literals(term: Term) -> Iterator[Term]:
    if is_literal(term) or not isinstance(term, tuple):
        yield term
    else:
        for part in term[1:]:
            yield from _literals(part)


def _refilled(term: Term, literals: Iterator[Term]) -> Term:
    """The term with its literals replaced, from left to right."""
    if is_literal(term) or not isinstance(term, tuple):
        return next(literals)
    return (term[0], *[_refilled(part, literals) for part in term[1:]])


# -------------------------------------------------------------------------------------- in English

LETTERS = tuple("pqrstuvwxyz")
SENTENCES = (
    "it rains", "the dog barks", "the door is open", "the light is on", "Ann sings", "Bob sleeps",
    "the train is late", "the shop is closed", "the cat hides", "Carl is at home", "the bell rings",
    "the road is wet", "Dora reads", "the kettle boils", "the garden is green", "the bus is full",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How connectives are written."""

    forms: dict[str, tuple[str, ...]]
    """Templates of `not imp iff`, and the words between the parts of `and or`."""
    loose: tuple[str, ...] = ("not", "imp", "iff", "and", "or")
    """Within these a negated constant needs no brackets."""


WORDS = Style(
    {
        "not": ("not {}",),
        "imp": ("if {} then {}", "if {} then {}", "{} implies {}"),
        "iff": ("{} if and only if {}",),
        "and": (" and ",),
        "or": (" or ",),
    }
)
SYMBOLS = Style(
    {
        "not": ("~{}",),
        "imp": ("{} -> {}",),
        "iff": ("{} <-> {}",),
        "and": (" & ",),
        "or": (" | ",),
    }
)
PLAIN = Style(
    {
        "not": ("it is not true that {}",),
        "imp": ("if {} then {}",),
        "iff": ("{} if and only if {}",),
        "and": (" and ",),
        "or": (" or ",),
    },
    loose=("imp",),
)
PLAIN_DEPTH_MAX = 3
"""Of a proposition in whole sentences: deeper ones are hard to read without letters."""
STYLES = (WORDS, WORDS, SYMBOLS, PLAIN)

FRAMES = (
    "{premises}\nDoes it follow that {goal}?",
    "Suppose:\n{premises}\nMust it then be true that {goal}?",
    "Premises:\n{premises}\nProve that {goal}, or give values for which it fails.",
    "Given\n{premises}\ndecide whether it follows that {goal}.",
)


def said(term: Any, style: Style, naming: Naming, draw: Draw) -> str:
    """A proposition in words; its constants are named from left to right."""
    if isinstance(term, str):
        return naming(term)
    name = term[0]
    pieces = list(term[1:])
    if name in ("and", "or", "iff"):
        draw.shuffle(pieces)
    written = [
        said(piece, style, naming, draw)
        if isinstance(piece, str) or (name in style.loose and is_literal(piece))
        else f"({said(piece, style, naming, draw)})"
        for piece in pieces
    ]
    form = draw.choice(style.forms[name])
    return form.join(written) if name in ("and", "or") else form.format(*written)


def _depth(term: Term) -> int:
    return 1 + max(map(_depth, term[1:])) if isinstance(term, tuple) else 0


def _posed(theory: Theory, draw: Draw) -> Posed:
    """The problem in words; its constants are numbered as the words name them."""
    premises, goal = theory
    style = draw.choice(STYLES)
    if style is PLAIN and any(_depth(each) > PLAIN_DEPTH_MAX for each in (*premises, goal)):
        style = WORDS
    naming = Naming(tuple(draw.several(SENTENCES, 12)) if style is PLAIN else LETTERS)
    lines = [f"{i + 1}. {said(premise, style, naming, draw)}" for i, premise in enumerate(premises)]
    asked = said(goal, style, naming, draw)
    prompt = draw.choice(FRAMES).format(premises="\n".join(lines), goal=asked)
    term = ("entails", ("given", *premises), goal)
    renamed = naming.renamed(term)
    assert isinstance(renamed, tuple)
    return Posed(renamed, prompt, naming.names)


class Entailment:
    """The family of entailments between propositions."""

    name = "entailment"
    title = "propositional entailment"
    kinds = ("entails",)
    levels = LEVELS

    def draw(self, level: int, draw: Draw) -> Posed:
        """A problem whose goal follows in half of the cases."""
        shape = SHAPES[level - 1]
        follows = draw.chance(1, 2)
        for _ in range(TRIES_MAX):
            theory = _woven(shape, draw)
            if theory and not follows:
                body = _body(*theory, shape.constants)
                fits = _fits(shape, body, len(theory[0]))
                theory = _exchanged(theory, draw, shape.constants) if fits else None
            if theory:
                # Once more with the constants of the prompt: another order, perhaps another proof.
                posed = _posed(theory, draw)
                problem = problem_of(posed.term)
                body = _body(problem.premises, problem.goal, problem.constants)
                if _fits(shape, body, len(problem.premises)):
                    return posed
        raise AssertionError(f"no entailment of level {level} in {TRIES_MAX} tries")

    def solve(self, problem: Problem) -> Body:
        """A proof, or else what is forced, values, and a look at what they make of the problem."""
        body = _body(problem.premises, problem.goal, problem.constants)
        assert body is not None, "no proof found: such a problem is never posed"
        return body


def _body(premises: Sequence[Term], goal: Term | None, constants: int) -> Body | None:
    assert goal is not None
    tables = Tables(constants)
    if _follows((premises, goal), tables):
        steps = prover.proof(premises, goal, tables)
        return None if steps is None else (*steps, ("qed", "yes"))
    steps = prover.refutation(premises, goal, tables)
    values = next(step[1:] for step in steps if step[0] == "try")
    return (*steps, ("qed", ("counter", *values)))


FAMILY = Entailment()
