"""Entailment: the oracle agrees with truth tables, and proofs are found for whatever is posed."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from regime3.lang.check import check
from regime3.lang.problem import Body, Problem, problem_of, read_body, read_problem
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw
from regime3.tasks.families import entailment as family
from regime3.tasks.families.entailment import FAMILY, LINES_MAX, SHAPES

COUNT = 30
LEVELS = range(1, 11)


@cache
def solved(level: int) -> list[tuple[Problem, Body]]:
    """Problems of the level with the oracle's bodies."""
    terms = [FAMILY.draw(level, Draw(f"entailment {level} {i}")).term for i in range(COUNT)]
    problems = [problem_of(term) for term in terms]
    return [(problem, FAMILY.solve(problem)) for problem in problems]


def value(term: Any, values: Mapping[str, bool]) -> bool:
    """The truth of a proposition, by its meaning."""
    if isinstance(term, str):
        return values[term]
    parts = [value(part, values) for part in term[1:]]
    match term[0]:
        case "not":
            return not parts[0]
        case "and":
            return all(parts)
        case "or":
            return any(parts)
        case "imp":
            return parts[1] or not parts[0]
    return parts[0] == parts[1]


def rows(problem: Problem) -> Iterator[dict[str, bool]]:
    names = [f"c{number}" for number in range(problem.constants)]
    for values in itertools.product((True, False), repeat=len(names)):
        yield dict(zip(names, values, strict=True))


def counters(problem: Problem) -> list[dict[str, bool]]:
    """The rows that make the premises true and the goal false, in a textbook's order."""
    return [
        row
        for row in rows(problem)
        if all(value(premise, row) for premise in problem.premises) and not value(problem.goal, row)
    ]


def assert_right(problem: Problem, body: Body) -> None:
    verdict = check(problem, body)
    assert verdict.accepted, (problem.term, body, verdict)
    wrong = counters(problem)
    if wrong:
        answer = body[-1][1]
        assert answer[0] == "counter", problem.term
        assert [{"true": True, "false": False}[each] for each in answer[1:]] in [
            list(row.values()) for row in wrong
        ]
    else:
        assert body[-1] == ("qed", "yes"), problem.term


@pytest.mark.parametrize("level", LEVELS)
def test_the_oracle_agrees_with_a_truth_table(level: int) -> None:
    for problem, body in solved(level):
        assert_right(problem, body)


@pytest.mark.parametrize("level", LEVELS)
def test_a_proof_is_as_long_as_its_level_and_fits(level: int) -> None:
    least, most = SHAPES[level - 1].steps
    for problem, body in solved(level):
        assert len(problem.premises) + len(body) - 1 <= LINES_MAX
        if body[-1] == ("qed", "yes"):
            assert least <= len(body) - 1 <= most


def test_about_half_follow() -> None:
    answers = [body[-1] for level in LEVELS for _, body in solved(level)]
    share = answers.count(("qed", "yes")) / len(answers)
    assert 0.42 < share < 0.58


def leaves(term: Term) -> Iterator[str]:
    if isinstance(term, tuple):
        yield term[0]
        for part in term[1:]:
            yield from leaves(part)
    else:
        yield str(term)


@pytest.mark.parametrize("level", [1, 4, 8])
def test_exchanging_literals_keeps_every_word(level: int) -> None:
    shape, changed = SHAPES[level - 1], 0
    for number in range(40):
        draw = Draw(f"exchange {level} {number}")
        theory = family._woven(shape, draw)
        other = theory and family._exchanged(theory, draw, shape.constants)
        if theory and other:
            before, after = (Counter(leaves(("given", *each[0]))) for each in (theory, other))
            assert before == after and theory[1] == other[1]
            changed += 1
    assert changed >= 10


def test_every_rule_comes_up() -> None:
    rules = {step[0] for level in LEVELS for _, body in solved(level) for step in body}
    assert rules == {
        "assume", "mp", "mt", "and-i", "ds", "iff-i", "imp-i", "raa", "and-e", "or-i", "iff-e",
        "efq", "dn", "cases", "bot", "try", "val", "qed",
    }  # fmt: skip


def test_levels_begin_with_one_rule_and_end_with_boxes() -> None:
    proofs = [body for _, body in solved(1) if body[-1] == ("qed", "yes")]
    assert {step[0] for body in proofs for step in body[:-1]} <= {"mp", "mt", "ds", "and-e"}
    boxes = [sum(step[0] == "assume" for step in body) for _, body in solved(10)]
    assert sum(boxes) / len(boxes) >= 1


def proposition(draw: Draw, constants: int, depth: int) -> Term:
    """Any proposition at all, not only of the shapes that the family poses."""
    if depth == 0 or draw.chance(1, 5):
        return f"c{draw.below(constants)}"
    name = draw.choice(("not", "and", "or", "imp", "iff"))
    count = 1 if name == "not" else draw.choice((2, 2, 3)) if name in ("and", "or") else 2
    return (name, *[proposition(draw, constants, depth - 1) for _ in range(count)])


def test_it_solves_problems_that_the_family_never_poses() -> None:
    # A problem uses all its constants; this premise does, and says nothing.
    idle = ("or", "c0", "c1", "c2", ("not", "c0"))
    follows = 0
    for number in range(150):
        draw = Draw(f"any {number}")
        premises = [proposition(draw, 3, 2) for _ in range(draw.between(1, 4))]
        goal = proposition(draw, 3, 2)
        problem = problem_of(("entails", ("given", *premises, idle), goal))
        assert_right(problem, FAMILY.solve(problem))
        follows += not counters(problem)
    assert 30 < follows < 120


def test_a_refutation_forces_what_it_can_and_looks_at_the_rest() -> None:
    problem = read_problem("(entails (given (imp c0 c1) (or c1 c2) (imp c2 c3)) c3)")
    text = """
        (assume (not c3)) (mt l3 l4 (not c2)) (ds l2 l5 c1)
        (try true true false false) (val (imp c0 c1) true) (val c3 false)
        (qed (counter true true false false))
    """
    body = FAMILY.solve(problem)
    assert body == read_body(problem, text)
    assert check(problem, body).accepted


@pytest.mark.parametrize(
    "premises, goal, rules",
    [
        ("(imp c0 c1) c0", "c1", "mp"),
        ("(imp c0 c1) (not c1)", "(not c0)", "mt"),
        ("(or c0 c1) (not c0)", "c1", "ds"),
        ("(or (not c0) c1) c0", "c1", "ds"),
        ("(and c0 c1)", "c1", "and-e"),
        ("(iff c0 c1) c1", "c0", "iff-e mp"),
        ("(or c0 c1) (imp c0 c2) (imp c1 c2)", "c2", "cases"),
        ("(imp c0 c1) (imp c1 c2)", "(imp c0 c2)", "assume mp mp imp-i"),
        ("(imp c0 c1) (imp c0 (not c1))", "(not c0)", "assume mp mp bot raa"),
        ("(imp (not c0) c1) (imp (not c0) (not c1))", "c0", "assume mp mp bot raa"),
        ("(imp c0 c1) (imp c1 c0)", "(iff c0 c1)", "iff-i"),
        ("c0 (not c0)", "c1", "bot efq"),
        ("c0", "(not (not c0))", "dn"),
        ("c0 c1 (imp (and c0 c1 c2) c3) c2", "c3", "and-i and-i mp"),
        ("c0", "(imp c1 c0)", "assume imp-i"),
        ("(or c0 c1 c2) (not c1)", "(or c0 c2)", "ds"),
        ("", "(or c0 (not c0))", "assume assume or-i bot raa or-i bot raa"),
    ],
)
def test_a_textbook_proof_is_found(premises: str, goal: str, rules: str) -> None:
    problem = read_problem(f"(entails (given {premises}) {goal})")
    body = FAMILY.solve(problem)
    assert [step[0] for step in body] == [*rules.split(), "qed"]
    assert check(problem, body).accepted


@pytest.mark.parametrize("level", [1, 5, 10])
def test_premises_are_numbered_as_lines(level: int) -> None:
    for number in range(COUNT):
        posed = FAMILY.draw(level, Draw(f"numbers {number}"))
        count = len(problem_of(posed.term).premises)
        for line in range(1, count + 1):
            assert f"\n{line}. " in f"\n{posed.prompt}"
        assert f"\n{count + 1}. " not in posed.prompt
