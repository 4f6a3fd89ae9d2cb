"""Syllogisms: oracle and prover agree with every model there is, and every mood comes up."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache
from typing import Any

import pytest

from regime3.lang.canon import canonical
from regime3.lang.check import check
from regime3.lang.problem import Body, Problem, problem_of
from regime3.tasks.draw import Draw
from regime3.tasks.families import syllogisms as family
from regime3.tasks.families.syllogisms import FAMILY, KINDS, SHAPES
from regime3.tasks.provers import syllogisms as prover
from regime3.tasks.provers.syllogisms import Statement

COUNT = 40
LEVELS = range(1, 11)

MOODS = """
    1 AAA EAE AII EIO AAI EAO
    2 EAE AEE EIO AOO EAO AEO
    3 AAI IAI AII EAO OAO EIO
    4 AAI AEE IAI EAO EIO AEO
"""
"""The 24 valid moods by figure: major premise, minor premise, conclusion."""
FIGURES = {"1": ("MP", "SM"), "2": ("PM", "SM"), "3": ("MP", "MS"), "4": ("PM", "MS")}
VOWELS = {"A": "all", "E": "no", "I": "some", "O": "some-not"}


@cache
def drawn(level: int, count: int = COUNT) -> list[Problem]:
    terms = [FAMILY.draw(level, Draw(f"syllogisms {level} {i}")).term for i in range(count)]
    return [problem_of(term) for term in terms]


def statement(name: str, a: str, b: str) -> Statement:
    made = canonical((name, a, b))
    assert isinstance(made, tuple)
    return made


def statements(count: int) -> list[Statement]:
    """All about so many classes."""
    pairs = itertools.permutations([f"c{number}" for number in range(count)], 2)
    return list(dict.fromkeys(statement(name, *pair) for pair in pairs for name in KINDS))


class Models:
    """All models of so many classes at once: a model is which kinds of things there are.

    A kind of thing is a set of classes, a model a set of kinds; a table has one bit a model.
    """

    def __init__(self, count: int) -> None:
        self.kinds = range(1 << count)
        self.everywhere = (1 << (1 << len(self.kinds))) - 1
        self.inhabited = self.everywhere
        for number in range(count):
            self.inhabited &= self.exists({number}, set())

    def exists(self, inside: set[int], outside: set[int]) -> int:
        """Where there is a thing in all classes of one set and in none of the other."""
        found = 0
        for kind in self.kinds:
            if all(kind >> n & 1 for n in inside) and not any(kind >> n & 1 for n in outside):
                width = 1 << kind
                found |= self.everywhere // ((1 << 2 * width) - 1) * ((1 << width) - 1) << width
        return found

    def of(self, each: Statement) -> int:
        """Where the statement is true."""
        name, a, b = each[0], int(each[1][1:]), int(each[2][1:])
        match name:
            case "all":
                return self.everywhere & ~self.exists({a}, {b})
            case "no":
                return self.everywhere & ~self.exists({a, b}, set())
            case "some":
                return self.exists({a, b}, set())
        return self.exists({a}, {b})


def entailed(tables: dict[Statement, int], start: int, premises: Any, goal: Statement) -> bool:
    for premise in premises:
        start &= tables[premise]
    return start & ~tables[goal] == 0


def is_true(each: Statement, elements: list[set[str]]) -> bool:
    name, a, b = each
    both = any(a in element and b in element for element in elements)
    apart = any(a in element and b not in element for element in elements)
    return {"all": not apart, "no": not both, "some": both, "some-not": apart}[name]


def assert_right(problem: Problem, body: Body) -> None:
    """The checker accepts it; a counter-model is looked at without the checker as well."""
    verdict = check(problem, body)
    assert verdict.accepted, (problem.term, body, verdict)
    answer = body[-1][1]
    if answer != "yes":
        elements = [set(element[1:]) for element in answer[1:]]
        assert set().union(*elements) == {f"c{number}" for number in range(problem.constants)}
        assert all(is_true(premise, elements) for premise in problem.premises)
        assert not is_true(problem.goal, elements)


def test_it_agrees_with_every_model_of_three_classes() -> None:
    models = Models(3)
    all_of_them = statements(3)
    tables = {each: models.of(each) for each in all_of_them}
    assert len(all_of_them) == 18
    for count in (1, 2):
        for premises in itertools.combinations(all_of_them, count):
            for goal in all_of_them:
                true = entailed(tables, models.inhabited, premises, goal)
                assert (prover.proof(premises, goal) is not None) == true, (premises, goal)
                assert (prover.counter_model(premises, goal) is None) == true, (premises, goal)


def test_it_agrees_with_every_model_of_four_classes() -> None:
    models = Models(4)
    all_of_them = statements(4)
    tables = {each: models.of(each) for each in all_of_them}
    found: Counter[bool] = Counter()
    for number in range(400):
        draw = Draw(f"four {number}")
        premises = draw.several(all_of_them, draw.between(2, 5))
        goal = draw.choice(all_of_them)
        true = entailed(tables, models.inhabited, premises, goal)
        assert (prover.proof(premises, goal) is not None) == true, (premises, goal)
        assert (prover.counter_model(premises, goal) is None) == true, (premises, goal)
        found[true] += 1
    assert min(found[True], found[False]) > 50


@pytest.mark.parametrize("level", LEVELS)
def test_the_oracle_is_right(level: int) -> None:
    for problem in drawn(level):
        body = FAMILY.solve(problem)
        assert_right(problem, body)
        least, most = SHAPES[level - 1].steps
        assert body[-1] != ("qed", "yes") or least <= len(body) - 1 <= most
        assert len(problem.premises) + len(body) - 1 <= 39


def moods() -> dict[str, tuple[tuple[Statement, Statement], Statement]]:
    terms = {"S": "c0", "M": "c1", "P": "c2"}
    found = {}
    for row in MOODS.split("\n"):
        for mood in row.split()[1:]:
            major, minor = FIGURES[row.split()[0]]
            first = statement(VOWELS[mood[0]], terms[major[0]], terms[major[1]])
            second = statement(VOWELS[mood[1]], terms[minor[0]], terms[minor[1]])
            goal = statement(VOWELS[mood[2]], "c0", "c2")
            found[f"{mood}-{row.split()[0]}"] = ((first, second), goal)
    return found


def test_there_are_twenty_four_moods() -> None:
    assert len(moods()) == 24


@pytest.mark.parametrize("mood", moods())
def test_a_valid_mood_is_proved(mood: str) -> None:
    premises, goal = moods()[mood]
    problem = problem_of(("follows", ("given", *premises), goal))
    body = FAMILY.solve(problem)
    assert body[-1] == ("qed", "yes")
    assert len(body) - 1 == (2 if is_existential(premises, goal) else 1)
    assert_right(problem, body)


def is_existential(premises: Any, goal: Statement) -> bool:
    """A particular conclusion from universal premises: it needs a class to have a member."""
    return goal[0] in ("some", "some-not") and all(each[0] in ("all", "no") for each in premises)


def renamings(premises: Any, goal: Statement) -> set[Any]:
    """What is the same but for names and the order of premises."""
    names = sorted({name for each in (*premises, goal) for name in each[1:]})
    found = set()
    for order in itertools.permutations(range(len(names))):
        new = {name: f"c{place}" for name, place in zip(names, order, strict=True)}
        renamed = [statement(each[0], new[each[1]], new[each[2]]) for each in (*premises, goal)]
        found.add((frozenset(renamed[:-1]), renamed[-1]))
    return found


def test_every_mood_comes_up_in_the_first_levels() -> None:
    wanted = {mood: renamings(*premises_goal) for mood, premises_goal in moods().items()}
    seen: Counter[str] = Counter()
    for problem in [each for level in (1, 2, 3) for each in drawn(level, 250)]:
        body = FAMILY.solve(problem)
        leaves = used_premises(problem, body)
        if body[-1] == ("qed", "yes") and len(leaves) == 2:
            found = next(iter(renamings(leaves, problem.goal)))  # type: ignore[arg-type]
            seen.update(mood for mood, same in wanted.items() if found in same)
    assert set(seen) == set(wanted), set(wanted) - set(seen)


def used_premises(problem: Problem, body: Body) -> list[Any]:
    lines = {
        each for step in body[:-1] for each in step if isinstance(each, str) and each[0] == "l"
    }
    numbered = {f"l{number + 1}": each for number, each in enumerate(problem.premises)}
    return [each for line, each in numbered.items() if line in lines]


def test_every_rule_comes_up() -> None:
    steps = [FAMILY.solve(problem) for level in (2, 5, 8, 9, 10) for problem in drawn(level)]
    rules = {step[0] for body in steps for step in body}
    assert rules == {
        "barbara", "celarent", "darii", "ferio", "baroco", "bocardo",
        "absurd", "sub-all", "sub-no", "qed",
    }  # fmt: skip


def test_contradictory_premises_prove_anything_by_absurd() -> None:
    premises = [("all", "c0", "c1"), ("no", "c0", "c1")]
    steps = prover.proof(premises, ("all", "c2", "c3"))
    assert steps is not None
    assert [step[0] for step in steps] == ["sub-all", "absurd"]


def test_about_half_follow() -> None:
    answers = [FAMILY.solve(problem)[-1] for level in LEVELS for problem in drawn(level)]
    share = answers.count(("qed", "yes")) / len(answers)
    assert 0.42 < share < 0.58


def test_dealing_again_keeps_kinds_and_pairs() -> None:
    for number in range(200):
        draw = Draw(f"deal {number}")
        entailed_one = family._entailed(SHAPES[3], draw)
        dealt = entailed_one and family._dealt_again(*entailed_one, draw)
        if entailed_one and dealt:
            for part in (lambda each: each[0], lambda each: frozenset(each[1:])):
                before, after = (Counter(map(part, theory[0])) for theory in (entailed_one, dealt))
                assert before == after
            assert entailed_one[1] == dealt[1]
            assert prover.counter_model(*dealt) is not None


@pytest.mark.parametrize("level", [1, 5, 10])
def test_the_prompt_says_that_classes_have_members(level: int) -> None:
    for number in range(COUNT):
        prompt = FAMILY.draw(level, Draw(f"import {number}")).prompt
        assert "member" in prompt or "None of these classes is empty" in prompt
        premises = len(problem_of(FAMILY.draw(level, Draw(f"import {number}")).term).premises)
        assert f"\n{premises}. " in f"\n{prompt}" and f"\n{premises + 1}. " not in prompt
