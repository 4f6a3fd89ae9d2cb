"""Random walks: whatever steps are played, right or wrong, replay stays total, pure and lossless.

A walk mixes foreseen steps, steps whose operands fit and steps that are nonsense, with results from
0 to 64 digits. `WALKS` is the number of walks a problem; a longer run may raise it.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest

from regime3.errors import LanguageError
from regime3.lang import replay, signature
from regime3.lang.problem import Problem, Step, read_problem, step_of_term
from regime3.lang.terms import literal
from tests.lang.test_replay_prediction import right_results

WALKS = 12
STEPS_MAX = 14
PROBLEMS = [
    "(eval (sub (mul (add 12 -3 (frac 1 2)) (div 18 4)) (mul 4 (sub 9 2))))",
    "(eval (add (mul 95 12) (mul 95 12) 7 95))",
    "(eval (div (add 462 7) (sub 7 7)))",
    "(mod (add (mul (pow 12 11) 40) (sub 3 (pow (add 2 9) 6))) 13)",
    "(mod (mul 95 12 95) 10)",
    "(gcd 1071 462)",
    "(gcd 7 0)",
    "(factor 360)",
    "(solve (eqn (add (scale 5 x0) 2) x0))",
    "(solve (eqn (scale (frac -2 3) x0) (add (scale 4 x0) (frac 1 2))))",
    "(solve (eqn (sub 7 (scale 2 (add x0 1))) (sub x0 x0)))",
    "(run (pipe (map (sub (mul x0 x0) 2)) (filter (lt 0 x0)) rev (take 3)) (list 4 1 0 -7 2))",
    "(run (pipe (drop 1) (fold (rem (add (mul 10 x0) x1) 97) 0)) (list 4 1 0 -7 2))",
]
NUMBERS = [0, 1, 2, 3, 5, 7, 8, 9, 10, -1, -7, 12, 95, 100, 10**64 - 1, 1 - 10**64]


def _of_type(kind: str, rng: random.Random) -> Any:
    """A random term of a type that rules of these kinds have."""
    if kind == "Int":
        return rng.choice(NUMBERS) if rng.random() < 0.7 else rng.randint(-200, 200)
    if kind == "Num":
        return literal(Fraction(rng.randint(-20, 20), rng.randint(1, 6)))
    if kind == "List":
        return ("list", *(_of_type("Int", rng) for _ in range(rng.randrange(4))))
    if kind == "Q":
        return ("eqn", _of_type("L", rng), _of_type("L", rng))
    assert kind == "L", kind
    scaled = ("scale", _of_type("Num", rng), "x0")
    leaf = rng.choice(["x0", scaled])
    sum_ = (rng.choice(["add", "sub"]), leaf, _of_type("Num", rng))
    return rng.choice(["x0", _of_type("Num", rng), scaled, sum_])


def _integers(term: Any) -> list[int]:
    if isinstance(term, int):
        return [term]
    return [each for part in term[1:] for each in _integers(part)] if type(term) is tuple else []


def _drawn_step(problem: Problem, state: replay.State, rng: random.Random) -> Step:
    """A step as foreseen, or another rule of the kind, with any results."""
    types = state.expects()
    while True:
        if types is not None and rng.random() < 0.6:
            step = state.step_of(tuple(_of_type(kind, rng) for kind in types))
            if rng.random() < 0.5 and problem.kind in ("eval", "mod", "gcd"):
                head = step[: -len(types)]
                step = (*head, *right_results(head, problem))
        else:
            rule = rng.choice(list(signature.RULES[problem.kind].values()))
            step = (rule.name, *(_of_type(kind, rng) for kind in rule.slots))
            near = _integers(problem.term)
            if rng.random() < 0.7:
                operands = [rng.choice(near) if kind == "Int" else None for kind in rule.operands]
                fitted = [a if a is not None else b for a, b in zip(operands, step[1:])]  # noqa: B905
                step = (rule.name, *fitted, *step[1 + len(fitted) :])
        try:
            return step_of_term(problem, step, 0)
        except LanguageError:
            continue


def _typed(problem: Problem, step: Step) -> bool:
    return step_of_term(problem, step, 0) == step


def _packed(problem: Problem, steps: list[Step], strategy: int) -> list[tuple[bool, Any]]:
    state = replay.start(problem, strategy)
    found: list[tuple[bool, Any]] = []
    for step in steps:
        results = state.bare(step)
        found.append((False, step) if results is None else (True, results))
        state.play(step)
    return found


def _unpacked(problem: Problem, packed: list[tuple[bool, Any]], strategy: int) -> list[Step]:
    state = replay.start(problem, strategy)
    steps: list[Step] = []
    for bare, what in packed:
        assert not bare or state.expects() is not None
        steps.append(state.step_of(what) if bare else what)
        state.play(steps[-1])
    return steps


def _walk(problem: Problem, strategy: int, rng: random.Random) -> list[Step]:
    state = replay.start(problem, strategy)
    steps: list[Step] = []
    for _ in range(rng.randrange(STEPS_MAX)):
        steps.append(_drawn_step(problem, state, rng))
        state.play(steps[-1])
    return steps


def _walks(text: str) -> list[tuple[Problem, int, list[Step], random.Random]]:
    problem = read_problem(text)
    walks = []
    for number in range(WALKS):
        rng = random.Random(f"{text}|{number}")
        strategy = 1 + number % 2
        walks.append((problem, strategy, _walk(problem, strategy, rng), rng))
    return walks


@pytest.mark.parametrize("text", PROBLEMS)
def test_prediction_gives_back_every_step(text: str) -> None:
    for problem, strategy, steps, _ in _walks(text):
        packed = _packed(problem, steps, strategy)
        assert _unpacked(problem, packed, strategy) == steps


@pytest.mark.parametrize("text", PROBLEMS)
def test_what_is_foreseen_is_typed_and_its_results_come_back(text: str) -> None:
    for problem, strategy, steps, rng in _walks(text):
        state = replay.start(problem, strategy)
        for step in steps:
            types = state.expects()
            if types is not None:
                results = tuple(_of_type(kind, rng) for kind in types)
                foreseen = state.step_of(results)
                assert _typed(problem, foreseen)
                assert state.bare(foreseen) == results
            state.play(step)


@pytest.mark.parametrize("text", PROBLEMS)
def test_an_implied_answer_can_be_written_and_is_right_there(text: str) -> None:
    for problem, strategy, steps, _ in _walks(text):
        state = replay.start(problem, strategy)
        for step in steps:
            state.play(step)
            implied = state.implied()
            if implied is not None:
                assert _typed(problem, ("qed", implied))
                assert state.answer(implied) is None


@pytest.mark.parametrize("text", PROBLEMS)
def test_findings_depend_on_the_steps_and_not_on_the_strategy_or_what_was_asked(text: str) -> None:
    for problem, _, steps, _ in _walks(text):
        told = []
        for strategy in (0, 1, 2):
            state = replay.start(problem, strategy)
            findings = []
            for step in steps:
                if strategy == 2:
                    state.expects(), state.bare(step), state.implied()
                findings.append(state.play(step))
            told.append([*findings, state.implied()])
        assert told[0] == told[1] == told[2]


def test_the_walks_have_right_and_wrong_steps_bare_and_spelled() -> None:
    right = wrong = bare = spelled = 0
    for text in PROBLEMS:
        for problem, strategy, steps, _ in _walks(text):
            state = replay.start(problem, strategy)
            for step in steps:
                found = state.bare(step) is not None
                fault = state.play(step) is not None
                bare, spelled = bare + found, spelled + (not found)
                right, wrong = right + (not fault), wrong + fault
    assert min(right, wrong, bare, spelled) > 100
