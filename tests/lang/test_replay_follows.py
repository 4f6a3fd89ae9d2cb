"""Syllogisms: rules exactly as specified, sound and complete by set models; lines and answers.

The judge knows no rule: a model is a set of kinds of element, a kind is a set of classes, and a
statement is the set of the models in which it is true.
"""

from __future__ import annotations

import random
from functools import cache
from itertools import combinations, permutations, product
from typing import Any

import pytest

from regime3.lang import signature
from regime3.lang.canon import canonical
from regime3.lang.check import check_text
from regime3.lang.problem import problem_of, read_problem, step_of_term
from regime3.lang.replay.follows import MOODS, Follows, conclusions, contradict
from regime3.lang.signature import CONSTANTS_MAX
from regime3.lang.terms import parse
from tests.lang import judge
from tests.lang.generate import random_body, random_problem

# ---------------------------------------------------------------------- the judge

FORMS = ("all", "no", "some", "some-not")


def _statements(classes: int) -> list[Any]:
    """All of them, canonical: 18 of three classes."""
    names = [f"c{number}" for number in range(classes)]
    return list(
        dict.fromkeys(canonical((form, *pair)) for form in FORMS for pair in permutations(names, 2))
    )


ALL = _statements(3)
KINDS = [frozenset(c for c in range(3) if bits >> c & 1) for bits in range(8)]
MODELS = [
    model
    for bits in range(1, 256)
    if set().union(*(model := [kind for i, kind in enumerate(KINDS) if bits >> i & 1])) == {0, 1, 2}
]
"""Sets of kinds in which each of three classes has a member."""


@cache
def _models(statement: Any) -> frozenset[int]:
    """In which models it is true."""
    a, b = int(statement[1][1:]), int(statement[2][1:])
    found = set()
    for number, model in enumerate(MODELS):
        a_and_b = any(a in kind and b in kind for kind in model)
        a_not_b = any(a in kind and b not in kind for kind in model)
        true = {"all": not a_not_b, "no": not a_and_b, "some": a_and_b, "some-not": a_not_b}
        if true[statement[0]]:
            found.add(number)
    return frozenset(found)


def _follows(premises: Any, conclusion: Any) -> bool:
    left = frozenset(range(len(MODELS)))
    return left.intersection(*map(_models, premises)) <= _models(conclusion)


# ---------------------------------------------------------------------- each rule

TABLE = """
barbara all M P, all S M ; all S P
celarent no M P, all S M ; no S P
darii all M P, some S M ; some S P
ferio no M P, some S M ; some-not S P
baroco all P M, some-not S M ; some-not S P
bocardo some-not M P, all M S ; some-not S P
sub-all all S P ; some S P
sub-no no S P ; some-not S P
sub-no no S P ; some-not P S
"""
"""The specification's, with S and P for A and B."""


def _instances() -> set[tuple[Any, ...]]:
    """Every rule with every three classes in it: rule, statements, conclusion."""
    found = set()
    for row in TABLE.strip().splitlines():
        rule, _, rest = row.partition(" ")
        for classes in permutations(("c0", "c1", "c2")):
            bound = dict(zip("SMP", classes, strict=True))
            parts = [part.split() for part in rest.replace(" ;", ",").split(", ")]
            statements = [canonical((form, bound[a], bound[b])) for form, a, b in parts]
            found.add((rule, *statements))
    for a, b in combinations(("c0", "c1", "c2"), 2):
        for result in ALL:
            found.add(("absurd", canonical(("no", a, b)), canonical(("some", a, b)), result))
            found.add(("absurd", ("all", a, b), ("some-not", a, b), result))
            found.add(("absurd", ("all", b, a), ("some-not", b, a), result))
    return found


INSTANCES = _instances()


def _state(*premises: Any) -> Follows:
    return Follows(problem_of(("follows", ("given", *premises), ("all", "c0", "c1"))))


@pytest.mark.parametrize("rule", list(signature.RULES["follows"]))
def test_a_rule_is_right_just_where_the_table_says_and_what_it_says_follows(rule: str) -> None:
    count = len(signature.RULES["follows"][rule].operands)
    found = 0
    for premises in product(ALL, repeat=count):
        state = _state(*premises, ("some", "c0", "c1"), ("some", "c1", "c2"))
        operands = ("l1", "l2")[:count]
        for result in ALL:
            right = state.play((rule, *operands, result)) is None
            assert right == ((rule, *premises, result) in INSTANCES), (rule, premises, result)
            if right:
                found += 1
                assert _follows(premises, result)
    assert found >= 6


# ---------------------------------------------------------------------- completeness


FIGURES = ((("M", "P"), ("S", "M")), (("P", "M"), ("S", "M")), (("M", "P"), ("M", "S")),
           (("P", "M"), ("M", "S")))  # fmt: skip


def _moods() -> list[tuple[Any, Any, Any]]:
    """All 256 forms of a syllogism: major premise, minor premise, conclusion of S and P."""
    bound = {"S": "c0", "M": "c1", "P": "c2"}
    return [
        tuple(
            canonical((form, bound[a], bound[b]))
            for form, (a, b) in zip(forms, (*figure, ("S", "P")), strict=True)
        )
        for figure in FIGURES
        for forms in product(FORMS, repeat=3)
    ]  # type: ignore[misc]


def _right_steps(problem: Any, played: list[Any], results: list[Any]) -> list[Any]:
    """Every step that is right after those played, by trying all of them."""
    known = len(problem.premises) + len(played)
    found = []
    for name, rule in signature.RULES["follows"].items():
        for operands in permutations(range(1, known + 1), len(rule.operands)):
            for result in results:
                step = (name, *[f"l{line}" for line in operands], result)
                state = Follows(problem)
                for each in played:
                    state.play(each)
                if state.play(step) is None:
                    found.append(step)
    return found


def _steps_needed(major: Any, minor: Any, goal: Any) -> int | None:
    """How many steps prove the mood, if one or two do."""
    problem = problem_of(("follows", ("given", major, minor), goal))
    if _right_steps(problem, [], [goal]):
        return 1
    for first in _right_steps(problem, [], ALL):
        if _right_steps(problem, [first], [goal]):
            return 2
    return None


def test_just_the_24_valid_moods_are_proved_in_two_steps_or_fewer() -> None:
    valid = {mood for mood in _moods() if _follows(mood[:2], mood[2])}
    proved = {mood: _steps_needed(*mood) for mood in set(_moods())}
    # As no and some commute, moods of several figures are one here: count their names instead.
    assert sum(_follows(mood[:2], mood[2]) for mood in _moods()) == 24
    assert {mood for mood, steps in proved.items() if steps} == valid
    assert {proved[mood] for mood in valid} == {1, 2}


def _closure(premises: Any, classes: int) -> set[Any]:
    """All that the rules prove, in any number of steps."""
    known: set[Any] = set()
    waiting = list(premises)
    while waiting:
        new = waiting.pop()
        if new in known:
            continue
        known.add(new)
        waiting += [*conclusions("sub-all", new), *conclusions("sub-no", new)]
        for old in known:
            if contradict(new, old) or contradict(old, new):
                return set(_statements(classes))
            for mood in MOODS:
                waiting += [*conclusions(mood, new, old), *conclusions(mood, old, new)]
    return known


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_the_rules_prove_all_that_follows_of_three_classes(count: int) -> None:
    for premises in combinations(ALL, count):
        proved = _closure(premises, 3)
        for goal in ALL:
            assert (goal in proved) is _follows(premises, goal), (premises, goal)


def incomplete(sets: int, classes: int, seed: str = "0") -> list[Any]:
    """Premises of many classes of which the rules do not prove just what follows."""
    statements = _statements(classes)
    found = []
    for number in range(sets):
        rng = random.Random(f"{seed}|{number}")
        premises = tuple(rng.sample(statements, rng.randint(2, 6)))
        proved = _closure(premises, classes)
        found += [
            (premises, goal)
            for goal in statements
            if (goal in proved) is not judge.syllogism_follows(premises, goal, classes)
        ]
    return found


def test_the_rules_prove_all_that_follows_of_four_classes() -> None:
    assert incomplete(60, 4) == []


# ---------------------------------------------------------------------- answers


def test_counter_models_are_the_models_of_the_premises_without_the_goal() -> None:
    rng = random.Random("models")
    for _ in range(12):
        *premises, goal = rng.sample(ALL, 3)
        problem = problem_of(("follows", ("given", *premises, ("some", "c0", "c1")), goal))
        if problem.constants < 3:
            continue
        state = Follows(problem)
        for number, model in enumerate(MODELS):
            elements = [("elem", *[f"c{c}" for c in sorted(kind)]) for kind in model]
            refuted = all(number in _models(each) for each in problem.premises)
            refuted = refuted and number not in _models(goal)
            assert (state.answer(("counter", *elements)) is None) is refuted


def test_every_class_needs_a_member() -> None:
    problem = read_problem("(follows (given (all c0 c1)) (some c0 c2))")
    state = Follows(problem)
    assert state.answer(("counter", ("elem", "c0", "c1"), ("elem", "c2"))) is None
    for element in (("elem", "c2"), ("elem", "c0", "c1")):
        finding = state.answer(("counter", element))
        assert finding is not None and finding.expected.startswith("a member of c")


@pytest.mark.parametrize(("elements", "accepted"), [(32, True), (33, False)])
def test_a_counter_model_may_have_32_elements(elements: int, accepted: bool) -> None:
    model = "(elem c0) " * (elements - 1) + "(elem c1)"
    assert check_text("(follows (given) (some c0 c1))", f"(qed (counter {model}))").accepted is (
        accepted
    )


# ---------------------------------------------------------------------- wrong steps and lines


@pytest.mark.parametrize(
    ("wrong", "believed"),
    [
        (("barbara", "l1", "l2", ("some", "c0", "c3")), True),
        (("barbara", "l2", "l1", ("some", "c0", "c3")), False),
        (("barbara", "l1", "l3", ("some", "c0", "c3")), False),
        (("sub-all", "l1", ("some", "c0", "c3")), True),
        (("sub-all", "l3", ("some", "c0", "c3")), False),
        (("sub-no", "l3", ("some", "c0", "c3")), True),
        (("sub-no", "l1", ("some", "c0", "c3")), False),
        (("absurd", "l1", "l3", ("some", "c0", "c3")), False),
    ],
)
def test_a_wrong_result_is_believed_where_the_cited_lines_fit(wrong: Any, believed: bool) -> None:
    problem = read_problem("(follows (given (all c0 c1) (all c2 c0) (no c1 c3)) (some c0 c3))")
    state = Follows(problem)
    assert state.play(wrong) is not None
    assert (state.implied() == "yes") is believed
    assert (state.answer("yes") is None) is believed
    assert (state.play(("darii", "l1", "l4", ("some", "c1", "c3"))) is None) is believed


def test_a_wrong_step_still_is_a_line() -> None:
    state = Follows(read_problem("(follows (given (all c0 c1) (all c2 c0)) (some c2 c1))"))
    assert state.play(("sub-no", "l1", ("some", "c1", "c2"))) is not None  # l3, empty
    assert state.play(("barbara", "l1", "l2", ("all", "c2", "c1"))) is None  # l4
    assert state.play(("sub-all", "l3", ("some", "c1", "c2"))) is not None  # l5, empty
    assert state.play(("sub-all", "l4", ("some", "c1", "c2"))) is None
    assert state.implied() == "yes"


@pytest.mark.parametrize("line", ["l0", "l3", "l9", f"l{10**30}"])
def test_a_line_that_is_not_there_is_a_finding(line: str) -> None:
    state = Follows(read_problem("(follows (given (all c0 c1) (all c2 c0)) (some c2 c1))"))
    finding = state.play(("barbara", "l1", line, ("all", "c2", "c1")))
    assert finding is not None
    assert (finding.expected, finding.found) == ("a line that holds", line)


def test_no_typed_step_makes_the_replay_raise() -> None:
    findings = 0
    for seed in range(60):
        rng = random.Random(f"typed|{seed}")
        problem = random_problem(rng, "follows")
        body = random_body(rng, problem, 30)
        state = Follows(problem, 2)
        for step in body[:-1]:
            told = state.bare(step)
            assert told is None or state.step_of(told) == step
            findings += state.play(step) is not None
        told = state.bare(body[-1])
        assert told is None or state.step_of(told) == body[-1]
        findings += state.answer(body[-1][1]) is not None
    assert findings > 120


# ---------------------------------------------------------------------- what tells a step


@pytest.mark.parametrize(
    ("premises", "goal", "line", "told"),
    [
        ("(all c0 c1)", "(some c0 c1)", "l1", "(sub-all l1 (some c0 c1))"),
        ("(no c0 c1)", "(some-not c0 c1)", "l1", "(sub-no l1 (some-not c0 c1))"),
        ("(no c0 c1)", "(some-not c1 c0)", "l1", "(sub-no l1 (some-not c1 c0))"),
        ("(all c0 c1) (some-not c0 c1)", "(some c0 c1)", "l1", "(sub-all l1 (some c0 c1))"),
        ("(all c0 c1) (some-not c0 c1)", "(all c2 c3)", "l1", "(absurd l1 l2 (all c2 c3))"),
        ("(all c0 c1) (some-not c0 c1)", "(all c2 c3)", "l2", "(absurd l1 l2 (all c2 c3))"),
        ("(some c0 c1) (no c0 c1) (no c0 c1)", "(all c2 c3)", "l1", "(absurd l2 l1 (all c2 c3))"),
        ("(all c0 c1) (all c1 c2)", "(all c0 c2)", "l1", "(barbara l2 l1 (all c0 c2))"),
        ("(all c0 c1) (all c1 c2)", "(all c0 c2)", "l2", "(barbara l2 l1 (all c0 c2))"),
        ("(all c0 c1) (all c1 c2) (all c1 c3)", "(all c0 c2)", "l1",
         "(barbara l2 l1 (all c0 c2))"),
        ("(all c0 c1) (all c1 c2) (all c1 c3)", "(all c0 c4)", "l1",
         "(barbara l3 l1 (all c0 c3))"),
        ("(all c0 c1) (all c1 c2) (some c0 c3)", "(all c3 c4)", "l1",
         "(barbara l2 l1 (all c0 c2))"),
        ("(some c0 c1) (no c1 c2) (all c1 c3)", "(all c3 c4)", "l1",
         "(darii l3 l1 (some c0 c3))"),
        ("(all c0 c1)", "(all c1 c0)", "l1", "(sub-all l1 (some c0 c1))"),
        ("(no c0 c1)", "(all c1 c0)", "l1", "(sub-no l1 (some-not c0 c1))"),
        ("(no c0 c1) (some-not c0 c1)", "(all c1 c0)", "l1", "(sub-no l1 (some-not c1 c0))"),
        ("(some c0 c1)", "(all c1 c0)", "l1", "(absurd l1 l1 (all c1 c0))"),
        ("(all c0 c1) (some c0 c1)", "(all c1 c0)", "l1", "(absurd l1 l1 (all c1 c0))"),
    ],
)  # fmt: skip
def test_a_line_tells_the_step_that_the_list_says(
    premises: str, goal: str, line: str, told: str
) -> None:
    state = Follows(read_problem(f"(follows (given {premises}) {goal})"), 2)
    step = canonical(parse(told))
    assert state.step_of((line,)) == step
    again = state.bare(step)
    assert again is not None and state.step_of(again) == step


def test_the_latest_line_that_is_no_premise_goes_before_what_says_more() -> None:
    text = "(follows (given (all c0 c1) (all c1 c2) (some c0 c3) (all c3 c4)) (all c2 c4))"
    state = Follows(read_problem(text), 2)
    assert state.step_of(("l1",))[0] == "barbara"
    state.play(("sub-all", "l2", ("some", "c1", "c2")))  # l5
    state.play(("darii", "l4", "l3", ("some", "c0", "c4")))  # l6
    assert state.step_of(("l1",)) == ("darii", "l1", "l6", ("some", "c1", "c4"))


def test_an_empty_line_tells_a_step_that_is_refused() -> None:
    state = Follows(read_problem("(follows (given (all c0 c1)) (all c1 c0))"), 2)
    assert state.play(("sub-no", "l1", ("some-not", "c0", "c1"))) is not None
    step = ("absurd", "l2", "l2", ("all", "c1", "c0"))
    assert state.step_of(("l2",)) == step
    assert state.bare(step) == ("l2",)
    assert state.play(step) is not None


def test_without_lines_only_a_model_is_told() -> None:
    state = Follows(read_problem("(follows (given) (some c0 c1))"), 2)
    assert state.expects() == (("Model",),)
    assert state.bare(("qed", "yes")) is None


def _elem(classes: str) -> Any:
    return ("elem", *classes.split())


CLASSES = "(follows (given (all c0 c1) (all c1 c2) (all c3 c2) (some c4 c5)) (all c2 c0))"


@pytest.mark.parametrize(
    ("witness", "element"),
    [
        ("c2", "c2"),
        ("c0", "c0 c1 c2"),
        ("c3", "c3 c2"),
        (("some", "c4", "c5"), "c4 c5"),
        (("some", "c0", "c3"), "c0 c3 c1 c2"),
        (_elem("c3 c0"), "c3 c0 c2 c1"),
        (_elem("c5 c4"), "c5 c4"),
        (_elem("c2 c1"), "c2 c1"),
        (("some", "c0", "c2"), "c0 c2 c1"),
        (_elem("c2 c4 c5"), "c2 c4 c5"),
        (_elem("c2 c4 c0"), "c2 c4 c0 c1"),
        (_elem("c0 c2 c1 c3"), "c0 c2 c1 c3"),
        (_elem(""), ""),
        (_elem("c2 c2"), "c2 c2"),
        (_elem("c2 c4 c2"), "c2 c4 c2"),
        (_elem("c0 c0"), "c0 c0 c1 c2"),
    ],
)
def test_a_model_is_told_by_as_few_classes_as_will_do(witness: Any, element: str) -> None:
    state = Follows(read_problem(CLASSES), 2)
    answer = ("qed", ("counter", _elem(element), _elem("c2")))
    told = (("counter", witness, "c2"),)
    assert state.step_of(told) == answer
    assert state.bare(answer) == told


@pytest.mark.parametrize("element", ["c0", "c0 c1", "c2 c0", "c1 c0", "c4 c0 c2", "c0 c1 c1"])
def test_a_model_with_an_element_that_leaves_out_a_class_is_spelled(element: str) -> None:
    state = Follows(read_problem(CLASSES), 2)
    assert state.bare(("qed", ("counter", _elem("c2"), _elem(element)))) is None


def test_a_model_without_elements_is_told_too() -> None:
    state = Follows(read_problem(CLASSES), 2)
    assert state.bare(("qed", ("counter",))) == (("counter",),)
    assert state.step_of((("counter",),)) == ("qed", ("counter",))


def test_an_element_told_by_many_classes_has_no_more_than_can_be_written() -> None:
    chain = [("all", f"c{n}", f"c{n + 1}") for n in range(CONSTANTS_MAX - 1)]
    problem = problem_of(("follows", ("given", *chain), ("all", "c11", "c0")))
    state = Follows(problem, 2)
    every = tuple(f"c{n}" for n in range(CONSTANTS_MAX))
    assert state.step_of((("counter", "c0"),)) == ("qed", ("counter", ("elem", *every)))
    assert state.bare(("qed", ("counter", ("elem", *every)))) == (("counter", "c0"),)
    for begin in (("elem", "c0", "c0"), ("elem", *["c3"] * 12)):
        answer = state.step_of((("counter", begin),))
        assert answer == ("qed", ("counter", begin)), "with more classes it could not be written"
        assert step_of_term(problem, answer, 0) == answer
        told = state.bare(answer)
        assert told is not None and state.step_of(told) == answer
