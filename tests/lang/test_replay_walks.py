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
from regime3.lang import codes, replay, signature
from regime3.lang.canon import canonical
from regime3.lang.problem import Problem, Step, line_of, read_problem, step_of_term
from regime3.lang.replay.gather import gathered
from regime3.lang.terms import is_literal, literal
from tests.lang.generate import random_term, random_told
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
    "(run (pipe sort (map (sub x0 1)) (drop 2) sort (take 9)) (list 9 1 -7 2))",
    "(run (pipe sort rev (take 0) (drop 0) (map x0)) (list))",
    "(solve (eqn (scale (frac 1 2) (sub x0 (scale 3 (add x0 4)))) (add (scale 4 x0) (scale 2 5))))",
    "(entails (given (imp c0 c1) (not c1)) (not c0))",
    "(entails (given (or c0 (and c1 c2)) (iff c0 c1) (not (and c2 c0))) (imp c2 (or c0 c1)))",
    "(entails (given (or c0 c1) (imp c0 c2) (imp c1 c2) (not false)) (and c2 (iff c0 c3)))",
    "(entails (given) (or c0 (not c0)))",
    "(entails (given) false)",
    "(entails (given false (or c0 c1 c2)) c3)",
    "(follows (given (no c0 c1) (all c2 c0)) (some-not c2 c1))",
    "(follows (given (all c0 c1) (all c1 c2) (some c3 c0) (some-not c4 c2)) (no c3 c4))",
    "(follows (given (all c0 c1) (some-not c0 c1)) (all c2 c3))",
    "(follows (given) (some c0 c1))",
]
LOGICS = ("entails", "follows")
NUMBERS = [0, 1, 2, 3, 5, 7, 8, 9, 10, -1, -7, 12, 95, 100, 10**64 - 1, 1 - 10**64]


def _of_type(kind: str, rng: random.Random, problem: Problem, line: int) -> Any:
    """A random term of a type that rules, or ways to tell a step, have."""
    if kind == "Int":
        return rng.choice(NUMBERS) if rng.random() < 0.7 else rng.randint(-200, 200)
    if kind == "Num":
        return literal(Fraction(rng.randint(-20, 20), rng.randint(1, 6)))
    if kind == "List":
        items = [_of_type("Int", rng, problem, line) for _ in range(rng.randrange(4))]
        return ("list", *items)
    if kind == "Q":
        return ("eqn", *[_of_type("L", rng, problem, line) for _ in range(2)])
    if kind != "L":
        return random_told(rng, kind, problem, line)
    number = _of_type("Num", rng, problem, line)
    scaled = ("scale", number, "x0")
    leaf = rng.choice(["x0", scaled, random_term(rng, "L", depth=2)])
    sum_ = (rng.choice(["add", "sub"]), leaf, number)
    return rng.choice(["x0", number, scaled, sum_])


def _told(way: Any, rng: random.Random, problem: Problem, index: int) -> tuple[Any, ...]:
    line = line_of(problem, index)
    return tuple([_of_type(kind, rng, problem, line) for kind in way])


def _integers(term: Any) -> list[int]:
    if isinstance(term, int):
        return [term]
    return [each for part in term[1:] for each in _integers(part)] if type(term) is tuple else []


def _drawn_step(
    problem: Problem, state: replay.State, rng: random.Random, index: int
) -> Step | None:
    """A step as foreseen, or another rule of the kind, with any results; None if lines lack."""
    rules = signature.RULES[problem.kind]
    ways = [way for way in state.expects() if way != (codes.MODEL,)]
    while True:
        if ways and rng.random() < 0.6:
            step = state.step_of(_told(rng.choice(ways), rng, problem, index))
            computes = bool(rules[step[0]].results) and problem.kind in ("eval", "mod", "gcd")
            if computes and rng.random() < 0.5:
                head = step[: 1 + len(rules[step[0]].operands)]
                step = (*head, *right_results(head, problem))
        else:
            line = line_of(problem, index)
            usable = [rule for rule in rules.values() if line > 1 or "Line" not in rule.slots]
            if not usable:
                return None
            rule = rng.choice(usable)
            slots = ("Bool",) * rng.randint(1, 4) if rule.name == "try" else rule.slots
            step = (rule.name, *[_of_type(kind, rng, problem, line) for kind in slots])
            near = _integers(problem.term)
            if near and rng.random() < 0.7:
                operands = [rng.choice(near) if kind == "Int" else None for kind in rule.operands]
                fitted = [a if a is not None else b for a, b in zip(operands, step[1:])]  # noqa: B905
                step = (rule.name, *fitted, *step[1 + len(fitted) :])
        try:
            return step_of_term(problem, step, index)
        except LanguageError:
            continue


def _typed(problem: Problem, step: Step, index: int) -> bool:
    return step_of_term(problem, step, index) == step


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
        assert not bare or state.expects()
        steps.append(state.step_of(what) if bare else what)
        state.play(steps[-1])
    return steps


def _walk(problem: Problem, strategy: int, rng: random.Random) -> list[Step]:
    state = replay.start(problem, strategy)
    steps: list[Step] = []
    for _ in range(rng.randrange(STEPS_MAX)):
        step = _drawn_step(problem, state, rng, len(steps))
        if step is None:
            break
        steps.append(step)
        state.play(step)
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
def test_what_is_foreseen_is_typed_and_what_tells_it_comes_back(text: str) -> None:
    for problem, strategy, steps, rng in _walks(text):
        state = replay.start(problem, strategy)
        for index, step in enumerate(steps):
            for way in state.expects():
                if way == (codes.MODEL,):
                    continue
                told = _told(way, rng, problem, index)
                foreseen = state.step_of(told)
                assert _typed(problem, foreseen, index)
                again = state.bare(foreseen)
                if problem.kind in LOGICS:
                    assert again is not None
                    assert state.step_of(again) == foreseen, "another line may tell it as well"
                elif again is None:
                    assert _is_sorted_otherwise(state, foreseen)
                else:
                    assert state.step_of(again) == foreseen
                    assert sorted(map(str, again)) == sorted(map(str, told))
            state.play(step)


def _is_sorted_otherwise(state: replay.State, step: Any) -> bool:
    """Whether wrong numbers gave the summands another order than the right ones have."""
    found = gathered(state._equation)  # type: ignore[attr-defined]
    assert found is not None
    return canonical(_blanked(step[-1])) == canonical(_blanked(found[1]))


def _blanked(term: Any) -> Any:
    if is_literal(term):
        return 0
    return tuple(map(_blanked, term)) if type(term) is tuple else term


@pytest.mark.parametrize("text", PROBLEMS)
def test_a_told_answer_can_be_written(text: str) -> None:
    for problem, strategy, steps, rng in _walks(text):
        state = replay.start(problem, strategy)
        for index in range(len(steps) + 1):
            if (codes.MODEL,) in state.expects():
                answer = state.step_of(_told((codes.MODEL,), rng, problem, index))
                assert answer[0] == "qed"
                assert _typed(problem, answer, index)
                told = state.bare(answer)
                assert told is not None and state.step_of(told) == answer
            if index < len(steps):
                state.play(steps[index])


@pytest.mark.parametrize("text", PROBLEMS)
def test_an_implied_answer_can_be_written_and_is_right_there(text: str) -> None:
    for problem, strategy, steps, _ in _walks(text):
        state = replay.start(problem, strategy)
        for index, step in enumerate(steps, start=1):
            state.play(step)
            implied = state.implied()
            if implied is not None:
                assert _typed(problem, ("qed", implied), index)
                is_tried = problem.kind == "entails" and implied != "yes"
                assert is_tried or state.answer(implied) is None


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
