"""Numbers: the oracles agree with Python's gcd, pow and products."""

from __future__ import annotations

from collections import Counter
from math import gcd, prod

import pytest

from regime3 import tasks
from regime3.lang.check import check
from regime3.lang.problem import Problem, problem_of
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw
from regime3.tasks.expressions import evaluate
from regime3.tasks.families.numbers import EUCLID, FACTORS, FAMILY, least_factor

COUNT = 60


def drawn(level: int, count: int = COUNT) -> list[Problem]:
    terms = [FAMILY.draw(level, Draw(f"numbers {level} {i}")).term for i in range(count)]
    return [problem_of(term) for term in terms]


def remainder(term: Term, n: int) -> int:
    """By Python, from the inside out."""
    if isinstance(term, int):
        return term % n
    assert isinstance(term, tuple)
    if term[0] == "pow":
        return pow(remainder(term[1], n), term[2], n)
    first, *rest = [remainder(each, n) for each in term[1:]]
    for each in rest:
        first = {"add": first + each, "sub": first - each, "mul": first * each}[term[0]]
    return first % n


def is_prime(n: int) -> bool:
    return n > 1 and all(n % trial for trial in range(2, int(n**0.5) + 1))


@pytest.mark.parametrize("level", range(1, 11))
def test_the_answer_is_pythons(level: int) -> None:
    for problem in drawn(level):
        answer = FAMILY.solve(problem)[-1][1]
        match problem.term:
            case ("gcd", a, b):
                assert answer == gcd(a, b)
            case ("mod", term, n):
                assert answer == remainder(term, n)
            case ("factor", m):
                assert prod(answer[1:]) == m
                assert list(answer[1:]) == sorted(answer[1:])
                assert all(map(is_prime, answer[1:]))


@pytest.mark.parametrize("level", range(1, 11))
def test_all_three_kinds_come_up(level: int) -> None:
    found = Counter(problem.kind for problem in drawn(level, 100))
    assert set(found) == {"gcd", "mod", "factor"}
    assert found["factor"] <= 50


@pytest.mark.parametrize("level", range(1, 11))
def test_numbers_keep_to_their_level(level: int) -> None:
    for problem in drawn(level):
        if problem.kind == "gcd":
            assert max(problem.term[1:]) <= EUCLID[level].number_max
        if problem.kind == "factor":
            assert problem.term[1] <= FACTORS[level].product_max


def test_euclid_takes_more_divisions_from_level_to_level() -> None:
    def mean(level: int) -> float:
        pairs = [each for each in drawn(level, 120) if each.kind == "gcd"]
        steps = [step for each in pairs for step in FAMILY.solve(each) if step[0] == "r-divmod"]
        return len(steps) / len(pairs)

    means = [mean(level) for level in (1, 3, 5, 7, 9, 10)]
    assert means == sorted(means)
    assert means[0] < 2 and means[-1] > 8


def test_the_worked_example_is_the_oracles() -> None:
    steps, answer = evaluate(("pow", 3, 5), 7)
    assert steps == [("r-sqr", 3, 5, 2), ("r-sqr", 2, 2, 4), ("r-mul", 3, 4, 12), ("r-mod", 12, 5)]
    assert answer == 5


@pytest.mark.parametrize("k", range(2, 40))
def test_powers_by_squaring_are_pythons_powers(k: int) -> None:
    for a in (2, 5, 10):
        problem = problem_of(("mod", ("pow", a, k), 11))
        body = FAMILY.solve(problem)
        assert body[-1] == ("qed", pow(a, k, 11))
        assert check(problem, body).accepted


@pytest.mark.parametrize(
    "term, n",
    [
        (("sub", 3, 20), 7),
        (("mul", ("sub", 1, 5), -3), 10),
        (("mul", 47, 38), 53),
        (("add", 123456, ("mul", 99, 98)), 97),
        (("pow", ("add", 30, 40), 9), 13),
        (7, 7),
        (3, 7),
        (-3, 7),
    ],
)
def test_any_remainder_is_found_and_accepted(term: Term, n: int) -> None:
    problem = problem_of(("mod", term, n))
    body = FAMILY.solve(problem)
    assert body[-1] == ("qed", remainder(term, n))
    assert check(problem, body).accepted, body


@pytest.mark.parametrize("a, b", [(0, 5), (5, 0), (1, 1), (12, 18), (10**6, 7)])
def test_any_pair_has_its_divisor(a: int, b: int) -> None:
    problem = problem_of(("gcd", a, b))
    body = FAMILY.solve(problem)
    assert body[-1] == ("qed", gcd(a, b))
    assert check(problem, body).accepted, body


@pytest.mark.parametrize("m", [2, 4, 97, 9409, 99_999_989])
def test_primes_and_their_squares_are_factored(m: int) -> None:
    problem = problem_of(("factor", m))
    assert check(problem, FAMILY.solve(problem)).accepted
    assert m % least_factor(m) == 0 and is_prime(least_factor(m))


def test_all_steps_are_as_predicted() -> None:
    from regime3.lang.replay import start

    for level in range(1, 11):
        for index in range(10):
            made = tasks.sample("numbers", level, "train", index)
            state = start(made.problem, 2)
            for step in made.body[:-1]:
                assert state.bare(step) is not None, step
                assert state.play(step) is None
            assert ("qed", state.implied()) == made.body[-1]
