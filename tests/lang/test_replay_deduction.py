"""The rules of natural deduction: exactly as specified, and sound by truth tables.

Every rule is tried on every pair of many propositions, against the specification's table written
once more here; and random proofs with boxes are judged line by line from their meaning.
"""

from __future__ import annotations

import random
from collections import Counter
from copy import copy
from functools import cache
from itertools import product
from typing import Any

import pytest

from regime3.lang import signature
from regime3.lang.canon import canonical
from regime3.lang.problem import problem_of, read_problem
from regime3.lang.replay.deduction import DEDUCTIONS
from regime3.lang.replay.entails import Entails
from regime3.lang.terms import size
from tests.lang import judge

# ---------------------------------------------------- each rule against the specification's table


_canonical = cache(canonical)


def _not(p: Any) -> Any:
    return ("not", p)


def _denies_just_one(o: Any, n: Any, r: Any) -> bool:
    if o[0] != "or":
        return False
    denied = [d for d in o[1:] if n == _not(d) or d == _not(n)]
    return len(denied) == 1 and _canonical(("or", *[d for d in o[1:] if d not in denied])) == r


def _among(name: str, some: Any, all_of_them: Any) -> bool:
    def parts(p: Any) -> set[Any]:
        return set(p[1:]) if p[0] == name else {p}

    return parts(some) <= parts(all_of_them)


TABLE: dict[str, Any] = {
    "mp": lambda i, a, r: i == ("imp", a, r),
    "mt": lambda i, n, r: n[0] == r[0] == "not" and i == ("imp", r[1], n[1]),
    "and-i": lambda a, b, r: r == _canonical(("and", a, b)),
    "ds": _denies_just_one,
    "iff-i": lambda i, j, r: (
        i[0] == "imp" and j == ("imp", i[2], i[1]) and r == _canonical(("iff", i[1], i[2]))
    ),
    "bot": lambda a, n, r: n == _not(a),
    "and-e": lambda p, r: _among("and", r, p),
    "or-i": lambda p, r: r[0] == "or" and _among("or", p, r),
    "iff-e": lambda p, r: r[0] == "imp" and p in (("iff", r[1], r[2]), ("iff", r[2], r[1])),
    "efq": lambda p, r: p == "false",
    "dn": lambda p, r: r == _not(_not(p)) or p == _not(_not(r)),
}
"""Rules without boxes, written as the specification writes them; cases stands below."""

POOL: list[Any] = list(
    read_problem(
        """(entails (given false c0 c1 (not c0) (not c1) (not (not c0)) (not (not c1))
        (not (and c0 c1)) (and c0 c1) (and c0 c1 (not c0)) (and c0 (not c0)) (or c0 c1)
        (or c0 (not c1)) (or c0 (not (not c0))) (or c0 c1 (not c0)) (imp c0 c1) (imp c1 c0)
        (imp c0 (not c1)) (imp (not c0) c1) (imp c1 false) (imp (and c0 c1) c0) (imp c0 c0)
        (imp c1 c1) (iff c0 c1) (iff c0 (not c0)) (iff c0 c0) (iff c1 c1)) false)"""
    ).premises
)
"""Propositions of two constants that rules can link in many ways."""


def _worlds(*propositions: Any, constants: int = 2) -> set[tuple[bool, ...]]:
    """Where all of them hold."""
    return {
        world
        for world in product((False, True), repeat=constants)
        if all(judge.holds(each, world) for each in propositions)
    }


def _follows(premises: Any, conclusion: Any, constants: int = 2) -> bool:
    return _worlds(*premises, constants=constants) <= _worlds(conclusion, constants=constants)


def _state(*premises: Any) -> Entails:
    return Entails(problem_of(("entails", ("given", *premises, "c0", "c1"), "c0")))


@pytest.mark.parametrize(
    "rule", [rule for rule in TABLE if len(signature.RULES["entails"][rule].operands) == 2]
)
def test_a_rule_of_two_lines_is_right_just_where_the_table_says(rule: str) -> None:
    found = 0
    for a, b in product(POOL, repeat=2):
        state = _state(a, b)
        for result in ["false"] if rule == "bot" else POOL:
            step = (rule, "l1", "l2") if rule == "bot" else (rule, "l1", "l2", result)
            right = state.play(step) is None
            assert right == bool(TABLE[rule](a, b, result)), (rule, a, b, result)
            if right:
                found += 1
                assert _follows([a, b], result)
    assert found >= 4


@pytest.mark.parametrize("rule", ["and-e", "or-i", "iff-e", "efq", "dn"])
def test_a_rule_of_one_line_is_right_just_where_the_table_says(rule: str) -> None:
    found = 0
    for a, result in product(POOL, repeat=2):
        right = _state(a).play((rule, "l1", result)) is None
        assert right == bool(TABLE[rule](a, result)), (rule, a, result)
        if right:
            found += 1
            assert _follows([a], result)
    assert found >= 4


def test_cases_is_right_just_where_the_table_says() -> None:
    found = 0
    implications = [each for each in POOL if each[0] == "imp"]
    others = ["c0", ("iff", "c0", "c1")]
    for o, i, j in product(
        [p for p in POOL if p[0] in ("or", "and")], *[implications + others] * 2
    ):
        state = _state(o, i, j)
        for result in POOL:
            right = state.play(("cases", "l1", "l2", "l3", result)) is None
            wanted = False
            if o[0] == "or" and len(o) == 3:
                wanted = {i, j} == {("imp", o[1], result), ("imp", o[2], result)}
            assert right == wanted, (o, i, j, result)
            if right:
                found += 1
                assert _follows([o, i, j], result)
    assert found >= 4


# ---------------------------------------------------------------------- boxes, by random proofs


def _statement(step: Any) -> Any:
    return "false" if step[0] == "bot" else step[-1]


def _proposed(rng: random.Random, stated: list[Any], open_lines: list[int]) -> list[Any]:
    """A rule on lines that match, with all the results that such a step might have."""
    if rng.random() < 0.03 and len(open_lines) < OPEN_MAX:
        useful = [part for each in stated if isinstance(each, tuple) for part in each[1:]]
        return [("assume", rng.choice([*POOL, *useful, *map(_not, useful)]))]
    rule = rng.choice([*DEDUCTIONS, "mp", "mt", "ds", "bot", "raa"])
    numbers = [rng.randrange(len(stated)) + 1 for _ in signature.RULES["entails"][rule].operands]
    if rule in CLOSING and open_lines and rng.random() < 0.9:
        numbers[0] = open_lines[-1]
    a = stated[numbers[0] - 1]
    parts = list(a[1:]) if isinstance(a, tuple) else []
    wanted = [_not(a), *map(_not, parts), *parts, "false"]
    matching = [number for number, each in enumerate(stated, start=1) if each in wanted]
    if len(numbers) > 1 and matching and rng.random() < 0.7:
        numbers[1] = rng.choice(matching)
    operands = [f"l{number}" for number in numbers]
    if rule == "bot":
        return [(rule, *operands)]
    b = stated[numbers[-1] - 1]
    made = [_canonical((name, a, b)) for name in ("and", "or", "imp", "iff")]
    near = [a, b, *parts, *made, _not(a), _not(_not(a)), *map(_not, parts)]
    rng.shuffle(near)
    return [(rule, *operands, result) for result in near if size(result) <= SIZE_MAX]


def _clone(state: Entails) -> Entails:
    """The same state, to try a step on."""
    other = copy(state)
    other._lines, other._boxes = list(state._lines), list(state._boxes)
    return other


CLOSING = ("imp-i", "raa")
OPEN_MAX = 3
SIZE_MAX = 9
"""Nodes of a result, or and-i and dn would only make longer and longer ones."""
PROPOSALS = 150
"""Rules and lines that are tried for one proof."""


def _next(rng: random.Random, state: Entails, stated: list[Any], open_lines: list[int]) -> Any:
    """A right step and the state after it; None if what was proposed is wrong or states old news.

    Steps that repeat a line are always at hand, and would fill every proof.
    """
    for step in _proposed(rng, stated, open_lines):
        if _statement(step) not in stated or step[0] in (*CLOSING, "bot"):
            tried = _clone(state)
            if tried.play(step) is None:
                return step, tried
    return None


def random_proofs(proofs: int, seed: str = "0", steps_max: int = 30) -> Counter[str]:
    """Grow proofs by steps that the replay calls right, and judge each by truth tables.

    Returns how many right steps each rule had; `proofs` may be large.
    """
    found: Counter[str] = Counter()
    for number in range(proofs):
        rng = random.Random(f"{seed}|{number}")
        premises = rng.sample(POOL, rng.randint(2, 5))
        problem = problem_of(("entails", ("given", *premises), ("and", "c0", "c1")))
        state, stated = Entails(problem), list(problem.premises)
        grounds: list[tuple[int, Any]] = [(0, premise) for premise in premises]
        for _ in range(PROPOSALS):
            right = _next(rng, state, stated, [line for line, _ in grounds if line])
            if right is None:
                continue
            step, state = right
            stated.append(_statement(step))
            found[step[0]] += 1
            if step[0] == "assume":
                grounds.append((len(stated), step[1]))
            elif step[0] in CLOSING:
                grounds.pop()
            judged = _follows([proposition for _, proposition in grounds], stated[-1])
            assert judged, (premises, stated, step)
            if len(stated) == steps_max:
                break
    return found


def test_every_step_that_is_right_follows_from_premises_and_open_assumptions() -> None:
    found = random_proofs(30)
    assert found.total() > 250, found
    assert found["imp-i"] >= 20 and found["raa"] >= 5, "boxes are what this test is for"
