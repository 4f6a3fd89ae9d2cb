"""Natural deduction: rules exactly as specified and sound by truth tables; boxes and lines."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from typing import Any

import pytest

from regime3.lang import signature
from regime3.lang.canon import canonical
from regime3.lang.check import check, check_text
from regime3.lang.problem import problem_of, read_body, read_problem
from regime3.lang.replay.deduction import DEDUCTIONS
from regime3.lang.replay.entails import Entails
from tests.lang import judge
from tests.lang.corpus import lines
from tests.lang.generate import random_body, random_problem

CASES = [tuple(part.strip() for part in line.split(" | ")) for line in lines("entails.txt")]


def _said(problem: str, body: str) -> str:
    verdict = check_text(problem, body)
    if verdict.accepted:
        return "accepted"
    return f"{verdict.index}: {verdict.expected}; {verdict.found}"


@pytest.mark.parametrize(("problem", "body", "verdict"), CASES)
def test_the_verdict_on_a_body_is_the_one_in_the_data(
    problem: str, body: str, verdict: str
) -> None:
    assert _said(problem, body) == verdict
    posed = read_problem(problem)
    assert check(posed, read_body(posed, body)) == check_text(problem, body)


def test_the_data_has_each_rule_accepted_and_rejected() -> None:
    right: set[str] = set()
    wrong: set[str] = set()
    for problem, body, verdict in CASES:
        steps = read_body(read_problem(problem), body)
        if verdict == "accepted":
            right |= {step[0] for step in steps}
        else:
            wrong.add(steps[int(verdict.split(":")[0]) - 1][0])
    rules = set(signature.RULES["entails"]) | {"qed"}
    assert right == rules
    assert wrong == rules - {"assume"}


# ---------------------------------------------------- each rule against the specification's table


def _not(p: Any) -> Any:
    return ("not", p)


def _denies_just_one(o: Any, n: Any, r: Any) -> bool:
    if o[0] != "or":
        return False
    denied = [d for d in o[1:] if n == _not(d) or d == _not(n)]
    return len(denied) == 1 and canonical(("or", *[d for d in o[1:] if d not in denied])) == r


def _among(name: str, some: Any, all_of_them: Any) -> bool:
    def parts(p: Any) -> set[Any]:
        return set(p[1:]) if p[0] == name else {p}

    return parts(some) <= parts(all_of_them)


TABLE: dict[str, Any] = {
    "mp": lambda i, a, r: i == ("imp", a, r),
    "mt": lambda i, n, r: n[0] == r[0] == "not" and i == ("imp", r[1], n[1]),
    "and-i": lambda a, b, r: r == canonical(("and", a, b)),
    "ds": _denies_just_one,
    "iff-i": lambda i, j, r: (
        i[0] == "imp" and j == ("imp", i[2], i[1]) and r == canonical(("iff", i[1], i[2]))
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
        (iff c0 c1) (iff c0 (not c0)) (iff c0 c0)) false)"""
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
    assert found >= 5


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


def _proposed(rng: random.Random, stated: list[Any], open_lines: list[int]) -> Any:
    """A step that has a chance of being right: results are built from what it cites."""
    rule = rng.choice([*DEDUCTIONS, "assume", "imp-i", "raa", "bot", "imp-i"])
    if rule == "assume":
        return (rule, rng.choice(POOL))
    numbers = [rng.randrange(len(stated)) + 1 for _ in signature.RULES["entails"][rule].operands]
    if rule in ("imp-i", "raa") and open_lines and rng.random() < 0.9:
        numbers[0] = open_lines[-1]
    operands = [f"l{number}" for number in numbers]
    if rule == "bot":
        return (rule, *operands)
    cited = [stated[number - 1] for number in numbers]
    parts = [part for each in cited if isinstance(each, tuple) for part in each[1:]]
    near = [*cited, *parts, *map(_not, cited), *map(_not, parts)]
    a, b = cited[0], cited[-1]
    near += [canonical((name, a, b)) for name in ("and", "or", "imp", "iff")] * 2
    return (rule, *operands, rng.choice(near))


def _is_right(problem: Any, steps: list[Any]) -> bool:
    """Whether the last step is right after the others, which are."""
    state = Entails(problem)
    return [state.play(step) for step in steps][-1] is None


def random_proofs(proofs: int, seed: str = "0", steps_max: int = 16) -> Counter[str]:
    """Grow proofs by steps that the replay calls right, and judge each by truth tables.

    Returns how many right steps each rule had. `proofs` may be large: see the module's tests.
    """
    found: Counter[str] = Counter()
    for number in range(proofs):
        rng = random.Random(f"{seed}|{number}")
        premises = rng.sample(POOL[1:], rng.randint(0, 3))
        problem = problem_of(("entails", ("given", *premises), ("and", "c0", "c1")))
        steps: list[Any] = []
        stated = list(problem.premises)
        assumptions: list[tuple[int, Any]] = []
        for _ in range(120):
            step = (
                _proposed(rng, stated, [line for line, _ in assumptions])
                if stated
                else ("assume", rng.choice(POOL))
            )
            if not _is_right(problem, [*steps, step]):
                continue
            steps.append(step)
            stated.append(_statement(step))
            found[step[0]] += 1
            if step[0] == "assume":
                assumptions.append((len(stated), step[1]))
                continue
            if step[0] in ("imp-i", "raa"):
                assumptions.pop()
            grounds = [*premises, *[proposition for _, proposition in assumptions]]
            assert _follows(grounds, _statement(step)), (premises, steps)
            if len(steps) == steps_max:
                break
    return found


def test_every_step_that_is_right_follows_from_premises_and_open_assumptions() -> None:
    found = random_proofs(120)
    assert all(found[rule] >= 10 for rule in ("mp", "imp-i", "raa", "bot", "and-i", "or-i", "efq"))
    assert found.total() > 1000


# ---------------------------------------------------------------------- lines and boxes


def _played(text: str, *steps: Any) -> tuple[Entails, list[bool]]:
    state = Entails(read_problem(text))
    return state, [state.play(step) is None for step in steps]


def test_premises_and_all_steps_count_as_lines() -> None:
    _, right = _played(
        "(entails (given c0 (imp c0 c1)) c1)",
        ("try", "true", "true"),  # l3
        ("val", "c0", "false"),  # l4, wrong
        ("efq", "l1", "c1"),  # l5, wrong
        ("mp", "l2", "l1", "c1"),  # l6
        ("dn", "l6", _not(_not("c1"))),  # l7
        ("dn", "l7", "c1"),
    )
    assert right == [True, False, False, True, True, True]


def test_lines_of_a_box_are_seen_in_boxes_within_and_not_after_it() -> None:
    state, right = _played(
        "(entails (given c0) c1)",
        ("assume", "c1"),  # l2
        ("assume", "c0"),  # l3
        ("and-i", "l2", "l3", ("and", "c0", "c1")),  # l4
        ("imp-i", "l3", "l4", ("imp", "c0", ("and", "c0", "c1"))),  # l5
        ("mp", "l5", "l1", ("and", "c0", "c1")),  # l6
        ("and-e", "l4", "c0"),  # l7: l4 is closed
        ("and-e", "l6", "c1"),  # l8
    )
    assert right == [True, True, True, True, True, False, True]
    assert state.implied() is None


@pytest.mark.parametrize(("line", "right"), [(39, True), (40, False)])
def test_a_body_may_have_40_lines_and_no_more(line: int, right: bool) -> None:
    steps = "(and-e l1 c0) " * line
    assert check_text("(entails (given c0) c0)", f"{steps}(qed yes)").accepted is right


def test_forty_lines_are_too_many_even_if_all_are_empty() -> None:
    verdict = check_text(
        "(entails (given c0) (not c0))", "(try true) " * 40 + "(qed (counter true))"
    )
    assert (verdict.index, verdict.expected) == (40, "a step")


def test_propositions_as_deep_as_may_be_are_judged() -> None:
    deep: Any = "c0"
    for _ in range(60):
        deep = ("not", deep)
    problem = problem_of(("entails", ("given", deep), ("not", "c0")))
    state = Entails(problem)
    assert state.play(("try", "true")) is None
    assert state.play(("val", deep, "true")) is None
    assert state.answer(("counter", "true")) is None


# ---------------------------------------------------------------------- wrong steps


@pytest.mark.parametrize(
    ("premises", "wrong", "cited"),
    [
        ("(imp c0 c1) c0", ("mp", "l1", "l2", "c2"), True),
        ("(imp c0 c1) c0", ("mp", "l2", "l1", "c2"), False),
        ("(imp c0 c1) c1", ("mp", "l1", "l2", "c2"), False),
        ("(imp c0 c1) (not c1)", ("mt", "l1", "l2", "c2"), True),
        ("(imp c0 c1) (not c0)", ("mt", "l1", "l2", "c2"), False),
        ("c0 c1", ("and-i", "l1", "l2", "c2"), True),
        ("(or c0 c1) (not c0)", ("ds", "l1", "l2", "c2"), True),
        ("(or c0 c1) c0", ("ds", "l1", "l2", "c2"), False),
        ("(imp c0 c1) (imp c1 c0)", ("iff-i", "l1", "l2", "c2"), True),
        ("(imp c0 c1) (imp c0 c1)", ("iff-i", "l1", "l2", "c2"), False),
        ("c0 c1", ("and-e", "l1", "c2"), True),
        ("c0 c1", ("or-i", "l1", "c2"), True),
        ("c0 c1", ("dn", "l1", "c2"), True),
        ("(iff c0 c1)", ("iff-e", "l1", "c2"), True),
        ("(imp c0 c1)", ("iff-e", "l1", "c2"), False),
        ("(and c0 c1)", ("efq", "l1", "c2"), False),
        ("(or c0 c1) (imp c0 c0) (imp c1 c0)", ("cases", "l1", "l2", "l3", "c2"), True),
        ("(or c0 c1) (imp c0 c0) (imp c1 c1)", ("cases", "l1", "l2", "l3", "c2"), False),
        ("c0 c1", ("imp-i", "l1", "l2", "c2"), False),
        ("c0 false c1", ("raa", "l1", "l2", "c2"), False),
    ],
)
def test_a_wrong_result_is_believed_where_the_operands_fit(
    premises: str, wrong: Any, cited: bool
) -> None:
    state = Entails(read_problem(f"(entails (given {premises}) (imp (and c0 c1) c2))"))
    line = f"l{len(state._premises) + 1}"
    assert state.play(wrong) is not None
    assert (state.play(("dn", line, _not(_not("c2")))) is None) is cited


def test_a_goal_that_is_believed_is_implied() -> None:
    state, right = _played("(entails (given (imp c0 c1) c0) c2)", ("mp", "l1", "l2", "c2"))
    assert right == [False]
    assert state.implied() == "yes"
    assert state.answer("yes") is None
    state, right = _played("(entails (given (imp c0 c1) c0) c2)", ("mp", "l2", "l1", "c2"))
    assert right == [False]
    assert state.implied() is None


@pytest.mark.parametrize(
    ("step", "closes"),
    [
        (("imp-i", "l3", "l4", "c0"), True),
        (("imp-i", "l4", "l3", ("imp", "c1", "c0")), False),
        (("imp-i", "l3", "l9", "c0"), False),
        (("raa", "l3", "l5", "c0"), True),
        (("raa", "l3", "l4", ("not", "c0")), False),
    ],
)
def test_a_wrong_step_closes_its_box_just_where_its_operands_fit(step: Any, closes: bool) -> None:
    state, right = _played(
        "(entails (given (imp c0 c1) (not c1)) c0)",
        ("assume", "c0"),
        ("mp", "l1", "l3", "c1"),
        ("bot", "l4", "l2"),
    )
    assert right == [True] * 3
    assert state.play(step) is not None
    assert (state.implied() == "yes") is closes
    again = state.play(("mp", "l1", "l3", "c1"))
    assert (again is None) is not closes


def test_a_try_of_the_wrong_length_tries_nothing() -> None:
    state, right = _played(
        "(entails (given (or c0 c1)) c0)", ("try", "true"), ("val", "c0", "true")
    )
    assert right == [False, False]
    assert state.implied() is None
    assert state.play(("try", "false", "true")) is None
    assert state.play(("try", "true", "true", "true")) is not None
    assert state.play(("val", "c0", "false")) is None
    assert state.implied() == ("counter", "false", "true")


def test_a_wrong_value_leaves_what_is_tried() -> None:
    state, right = _played(
        "(entails (given (or c0 c1)) c0)", ("try", "false", "true"), ("val", "c0", "true")
    )
    assert right == [True, False]
    assert state.implied() == ("counter", "false", "true")
    assert state.answer(("counter", "false", "true")) is None


@pytest.mark.parametrize("line", ["l0", "l3", "l4", "l41", f"l{10**30}"])
def test_a_line_that_is_not_there_is_a_finding(line: str) -> None:
    state = Entails(read_problem("(entails (given c0 (imp c0 c1)) c1)"))
    finding = state.play(("mp", "l2", line, "c1"))
    assert finding is not None
    assert (finding.expected, finding.found) == ("a line that holds here", line)


def test_no_typed_step_makes_the_replay_raise() -> None:
    findings = 0
    for seed in range(150):
        rng = random.Random(f"typed|{seed}")
        problem = random_problem(rng, "entails")
        body = random_body(rng, problem, 30)
        state = Entails(problem)
        for step in body[:-1]:
            findings += state.play(step) is not None
        findings += state.answer(body[-1][1]) is not None
        implied = state.implied()
        assert implied is None or implied == "yes" or len(implied) == problem.constants + 1
    assert findings > 300


# ---------------------------------------------------------------------- counter-models


@pytest.mark.parametrize("seed", range(20))
def test_counter_models_are_those_of_the_truth_table(seed: int) -> None:
    rng = random.Random(f"counter|{seed}")
    problem = random_problem(rng, "entails")
    if problem.constants > 5:
        problem = problem_of(("entails", ("given", *rng.sample(POOL, 3), "c1"), "c0"))
    state = Entails(problem)
    for world in product((False, True), repeat=problem.constants):
        premises = all(judge.holds(each, world) for each in problem.premises)
        refuted = premises and not judge.holds(problem.goal, world)
        values = ["true" if each else "false" for each in world]
        assert (state.answer(("counter", *values)) is None) is refuted


@pytest.mark.parametrize("strategy", [0, 1, 2])
def test_nothing_is_foreseen(strategy: int) -> None:
    state = Entails(read_problem("(entails (given (or c0 c1) c0) (not c1))"), strategy)
    for step in [("try", "true", "true"), ("val", _not("c1"), "false")]:
        assert state.expects() is None
        assert state.bare(step) is None
        assert state.play(step) is None
