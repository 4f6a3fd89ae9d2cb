"""Numbers at the limits of the language, and that no body keeps the checker busy for long."""

from __future__ import annotations

import time
from typing import Any

import pytest

from regime3.lang.check import check, check_text
from regime3.lang.problem import problem_of, read_problem
from regime3.lang.replay.integers import is_prime
from regime3.lang.replay.linear import MEANING_BITS_MAX, meaning
from regime3.lang.signature import FACTOR_MAX, INTEGER_MAX, STEPS_MAX

BIG = INTEGER_MAX
BUSY_S_MAX = 3.0
"""On a slow, shared core; the bodies below take well under a second on a quiet one."""


@pytest.mark.parametrize(
    ("problem", "step"),
    [
        (f"(eval (add {BIG} 1))", f"(r-add 1 {BIG} {BIG})"),
        (f"(eval (mul {BIG} {BIG}))", f"(r-mul {BIG} {BIG} 1)"),
        (f"(eval (sub -{BIG} 1))", f"(r-sub -{BIG} 1 0)"),
        (f"(eval (div (frac 1 {BIG}) {BIG}))", f"(r-div (frac 1 {BIG}) {BIG} 0)"),
        (f"(run (pipe (map (mul x0 x0))) (list 1 {BIG}))", "(l-map (list 1 2))"),
        (f"(run (pipe (map (mul x0 x0))) (list 1 {BIG}))", "(l-map (list 1))"),
        (f"(run (pipe (fold (mul x0 x1) {BIG})) (list 10))", "(l-fold 10 10)"),
    ],
)
def test_a_result_of_more_than_64_digits_is_refused(problem: str, step: str) -> None:
    verdict = check_text(problem, f"{step} (qed 0)")
    assert (verdict.accepted, verdict.index) == (False, 1)
    assert verdict.expected == "no number of more than 64 digits"


def test_a_result_of_64_digits_is_fine() -> None:
    assert check_text(
        f"(eval (add {BIG - 1} 1))", f"(r-add {BIG - 1} 1 {BIG}) (qed {BIG})"
    ).accepted
    half = 10**32 - 1
    body = f"(r-mul {half} {half} {half * half}) (qed {half * half})"
    assert check_text(f"(eval (mul {half} {half}))", body).accepted


def test_huge_values_inside_a_program_may_end_small() -> None:
    text = f"(run (pipe (map (rem (mul {' '.join(['x0'] * 900)}) 7))) (list {BIG} 3))"
    results = [pow(BIG, 900, 7), pow(3, 900, 7)]
    listed = f"(list {results[0]} {results[1]})"
    assert check_text(text, f"(l-map {listed}) (qed {listed})").accepted


def test_a_list_of_huge_values_can_be_told_as_wrong() -> None:
    text = f"(run (pipe (map (mul {' '.join(['x0'] * 900)}))) (list {BIG} 3))"
    for listed in ("(list)", "(list 1 2)"):
        assert check_text(text, f"(l-map {listed}) (qed {listed})").index == 1


def test_a_meaning_is_given_up_where_its_numbers_grow_too_long() -> None:
    term: Any = "x0"
    for _ in range(MEANING_BITS_MAX // 213):
        term = ("scale", BIG, term)
    assert meaning(term) is not None
    assert meaning(("scale", BIG, term)) is None
    assert meaning(("add", ("scale", ("frac", 1, BIG), ("scale", BIG, "x0")), 3)) == (1, 3, 1)


def test_primes_are_told_by_trial_division_up_to_the_limit() -> None:
    small = [n for n in range(-5, 60) if is_prime(n)]
    assert small == [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59]
    assert is_prime(99_999_989)
    assert not is_prime(9_973 * 9_973)
    assert not is_prime(9_967 * 9_973)
    assert not is_prime(FACTOR_MAX)
    assert not is_prime(100_000_007), "a prime, but beyond what a factor can be"


# ------------------------------------------------------------------------------------ busy bodies


def _seconds(problem: Any, steps: list[Any]) -> float:
    began = time.process_time()
    verdict = check(problem, (*steps, ("qed", 0)))
    assert not verdict.accepted
    # Verdicts end at the first bad step; replaying for packing goes on to the end.
    from regime3.lang import replay

    state = replay.start(problem, 2)
    for step in steps:
        state.bare(step)
        state.play(step)
    return time.process_time() - began


def _products(count: int, *numbers: int) -> Any:
    return ("add", *(("mul", *numbers) for _ in range(count)))


def test_splitting_products_without_end_is_not_slow() -> None:
    a, b = int("7" * 64), int("3" * 64)
    problem = problem_of(("eval", _products(300, a, b)))
    steps: list[Any] = [("r-split", a, b)] * 50
    for place in range(64):
        steps += [("r-split", 3 * 10**place, a)] * 7
    assert _seconds(problem, steps[: STEPS_MAX - 1]) < BUSY_S_MAX


def test_equations_of_many_long_fractions_are_not_slow() -> None:
    fractions = [("frac", BIG - 2 * n, BIG - 2 * n - 1) for n in range(300)]
    side = ("add", "x0", *fractions)
    problem = problem_of(("solve", ("eqn", side, 1)))
    steps: list[Any] = [("expand", ("eqn", side, n)) for n in range(STEPS_MAX - 1)]
    assert _seconds(problem, steps) < BUSY_S_MAX


def test_wrong_primes_and_long_rests_are_not_slow() -> None:
    steps: list[Any] = [("f-div", 10**8 - 1, 99_999_989, BIG)]
    steps += [("f-div", BIG, 10**8 - 1 - 2 * n, BIG) for n in range(STEPS_MAX - 2)]
    assert _seconds(read_problem("(factor 99999999)"), steps) < BUSY_S_MAX


def test_towers_of_powers_are_neither_slow_nor_too_deep() -> None:
    exponent = (1 << 212) - 1
    tower: Any = 3
    for _ in range(60):
        tower = ("pow", tower, exponent)
    problem = problem_of(("mod", tower, BIG))
    steps: list[Any] = []
    base, k = 3, exponent
    while k > 1:
        steps.append(("r-sqr", base, k, base * base % BIG))
        base, k = base * base % BIG, k // 2
    began = time.process_time()
    assert check(problem, tuple(steps)).index == len(steps) + 1, "every step is right"
    assert time.process_time() - began < BUSY_S_MAX


def test_programs_of_long_products_are_not_slow() -> None:
    text = f"(run (pipe (map (mul {' '.join(['x0'] * 900)}))) (list {' '.join([str(BIG)] * 64)}))"
    steps: list[Any] = [("l-map", ("list", 1))] * (STEPS_MAX - 1)
    assert _seconds(read_problem(text), steps) < BUSY_S_MAX


def _told_seconds(problem: Any, steps: list[Any]) -> float:
    """How long it takes to tell these steps, and all that lines could tell, and to play them."""
    from regime3.lang import replay

    began = time.process_time()
    state = replay.start(problem, 2)
    line = len(problem.premises)
    for step in steps:
        line += 1
        state.bare(step)
        for way in state.expects():
            if way in (("Cited",), ("Line",)):
                for number in range(1, line):
                    state.step_of((f"l{number}",))
        state.play(step)
    return time.process_time() - began


def test_telling_equations_of_a_thousand_nodes_is_not_slow() -> None:
    wide = ("eqn", ("scale", 3, ("add", *["x0"] * 1000)), 1)
    deep: Any = "x0"
    for n in range(29):
        deep = ("add", ("scale", ("frac", 1, BIG - n), deep), ("frac", 1, BIG - 2 * n))
    for equation in (wide, ("eqn", deep, 1)):
        steps: list[Any] = [("expand", equation)] * 100
        assert _told_seconds(problem_of(("solve", equation)), steps) < BUSY_S_MAX


def test_telling_proofs_of_large_statements_is_not_slow() -> None:
    names = [f"c{n}" for n in range(12)]
    wide = ("or", *[("imp", a, ("imp", b, "c0")) for a in names for b in names])
    problem = problem_of(("entails", ("given", wide, *names[:6]), ("and", wide[1], wide[2])))
    steps: list[Any] = []
    for n in range(16):
        steps += [("assume", ("imp", names[n % 12], wide)), ("or-i", "l1", wide)]
    assert _told_seconds(problem, steps) < BUSY_S_MAX


def test_telling_syllogisms_of_twelve_classes_is_not_slow() -> None:
    forms = [("all", f"c{n}", f"c{n + 1}") for n in range(11)]
    problem = problem_of(("follows", ("given", *forms, *forms), ("no", "c0", "c11")))
    steps: list[Any] = [
        ("barbara", f"l{n + 1}", f"l{n}", ("all", "c0", "c2")) for n in range(1, 19)
    ]
    assert _told_seconds(problem, steps) < BUSY_S_MAX
