"""Mutated traces against the checker: what an independent judge finds wrong must be rejected.

    python -m tests.lang.mutants --count 500000

Oracle traces of every family and level are broken in many ways. A mutant counts when `judge` calls
it wrong; one that the checker then accepts is a false acceptance; there must be none. A rejection
may not come before the first changed step; one that states false arithmetic is named exactly.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from regime3 import tasks
from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.check import check, check_text
from regime3.lang.problem import Body, Problem, body_of, show_body
from regime3.lang.terms import show
from tests.lang import judge

Mutation = Callable[[Problem, list[Any], random.Random], None]


def _places(term: Any, path: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    yield path, term
    if isinstance(term, tuple):
        for number, each in enumerate(term[1:], start=1):
            yield from _places(each, (*path, number))


def _put(term: Any, path: tuple[int, ...], value: Any) -> Any:
    if not path:
        return value
    parts = list(term)
    parts[path[0]] = _put(parts[path[0]], path[1:], value)
    return tuple(parts)


def _change(
    steps: list[Any],
    rng: random.Random,
    wanted: Callable[[Any], bool],
    other: Callable[[Any], Any],
    first: int = 0,
    last: int | None = None,
) -> None:
    """Replace one subterm that is `wanted`, somewhere in the steps from `first` to `last`."""
    found = [
        (number, path, term)
        for number in range(first, len(steps) if last is None else last)
        for path, term in _places(steps[number])
        if path and wanted(term)
    ]
    if found:
        number, path, term = rng.choice(found)
        steps[number] = _put(steps[number], path, other(term))


def _is_int(term: Any) -> bool:
    return isinstance(term, int)


def _near(rng: random.Random) -> Callable[[int], int]:
    def near(n: int) -> int:
        digits = list(str(abs(n)))
        rng.shuffle(digits)
        shuffled = int("".join(digits))
        return rng.choice([n + 1, n - 1, -n, n * 10, n // 10, shuffled, n + rng.randint(-20, 20)])

    return near


def wrong_number(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    _change(steps, rng, _is_int, _near(rng))


def wrong_steps_right_answer(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    _change(steps, rng, _is_int, _near(rng), last=len(steps) - 1)


def wrong_answer_right_steps(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    answer = steps[-1][1]
    if answer == "yes":
        steps[-1] = ("qed", ("counter", *rng.choices(["true", "false"], k=problem.constants)))
    elif isinstance(answer, tuple) and answer[0] == "counter":
        if rng.random() < 0.5:
            steps[-1] = ("qed", "yes")
        else:
            _change(steps, rng, _is_bool, _flip, first=len(steps) - 1)
    elif isinstance(answer, str):
        steps[-1] = ("qed", rng.choice(["any", "none", 0, 1]))
    else:
        _change(steps, rng, _is_int, _near(rng), first=len(steps) - 1)


def _is_bool(term: Any) -> bool:
    return term in ("true", "false")


def _flip(term: str) -> str:
    return "false" if term == "true" else "true"


def wrong_value(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    _change(steps, rng, _is_bool, _flip)


def wrong_rule(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    rules = signature.RULES[problem.kind]
    number = rng.randrange(len(steps))
    if steps[number][0] in rules:
        slots = rules[steps[number][0]].slots
        same = [name for name, rule in rules.items() if rule.slots == slots]
        steps[number] = (rng.choice(same), *steps[number][1:])


def dropped_step(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    if len(steps) > 1:
        del steps[rng.randrange(len(steps) - 1)]


def repeated_step(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    number = rng.randrange(len(steps))
    steps.insert(number, steps[number])


def swapped_steps(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    if len(steps) > 2:
        number = rng.randrange(len(steps) - 2)
        steps[number], steps[number + 1] = steps[number + 1], steps[number]


def cut_short(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    keep = rng.randrange(len(steps))
    steps[:] = [*steps[:keep], steps[-1]]


def swapped_operands(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    number = rng.randrange(len(steps))
    step = list(steps[number])
    if len(step) > 3:
        i, j = rng.sample(range(1, len(step)), 2)
        step[i], step[j] = step[j], step[i]
        steps[number] = tuple(step)


def swapped_reference(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    lines = len(problem.premises) + len(steps)
    _change(
        steps,
        rng,
        lambda term: isinstance(term, str) and term[0] == "l" and term[1:].isdigit(),
        lambda _: f"l{rng.randint(1, lines)}",
    )


def other_constant(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    _change(
        steps,
        rng,
        lambda term: isinstance(term, str) and term[0] == "c" and term[1:].isdigit(),
        lambda _: f"c{rng.randrange(max(1, problem.constants))}",
    )


def other_connective(problem: Problem, steps: list[Any], rng: random.Random) -> None:
    groups = [("and", "or"), ("imp", "iff"), ("all", "no", "some", "some-not"), ("add", "sub")]
    group = rng.choice(groups)
    _change(
        steps,
        rng,
        lambda term: isinstance(term, tuple) and term[0] in group,
        lambda term: (rng.choice(group), *term[1:]),
    )


MUTATIONS: list[Mutation] = [
    wrong_number,
    wrong_steps_right_answer,
    wrong_answer_right_steps,
    wrong_value,
    wrong_rule,
    dropped_step,
    repeated_step,
    swapped_steps,
    cut_short,
    swapped_operands,
    swapped_reference,
    other_constant,
    other_connective,
]


@dataclass
class Tally:
    """What was tried and what came of it."""

    oracles: int = 0
    mutants: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    unjudged_accepted: int = 0
    """Accepted by the checker where the judge saw nothing wrong: right in another way."""
    faults: list[str] = field(default_factory=list)


def attack(problem: Problem, body: Body, rng: random.Random, tally: Tally, each: int) -> None:
    """The oracle must pass; `each` mutants of every kind that are wrong must not."""
    tally.oracles += 1
    if not check(problem, body).accepted or judge.fault(problem, body):
        tally.faults.append(f"oracle: {_told(problem, body)}: {judge.fault(problem, body)}")
    for mutation in MUTATIONS:
        for _ in range(each):
            steps = list(body)
            mutation(problem, steps, rng)
            if tuple(steps) == body:
                continue
            _judge_mutant(problem, body, steps, mutation.__name__, tally)


def _judge_mutant(problem: Problem, body: Body, steps: list[Any], kind: str, tally: Tally) -> None:
    tally.mutants += 1
    try:
        mutant = body_of(problem, steps)
    except LanguageError:
        # It cannot be read: as text it must be rejected at a step, never accepted, never a crash.
        if check_text(show(problem.term), "\n".join(map(show, steps))).accepted:
            tally.faults.append(f"{kind}, unreadable: {_told(problem, tuple(steps))}")
        return
    if mutant == body:
        return
    verdict = check(problem, mutant)
    why = judge.fault(problem, mutant)
    if why is None:
        tally.unjudged_accepted += verdict.accepted
        return
    tally.wrong[kind] += 1
    if verdict.accepted:
        tally.faults.append(f"{kind}, falsely accepted ({why}): {_told(problem, mutant)}")
        return
    first = next((i for i, (a, b) in enumerate(zip(body, mutant, strict=False)) if a != b), 0)
    false = mutant[first][0] != "qed" and judge.false_arithmetic(mutant[first])
    if verdict.index < first + 1 or (false and verdict.index != first + 1):
        tally.faults.append(f"{kind}, rejected at {verdict.index}: {_told(problem, mutant)}")


def _told(problem: Problem, body: Body) -> str:
    return f"{show(problem.term)} {show_body(body)}".replace("\n", " ")


def sweep(count: int, seed: str, each: int = 2, say: Callable[[str], None] = print) -> Tally:
    """Attack oracles of all families and levels in turn until `count` wrong mutants were seen."""
    tally, index, began = Tally(), 0, time.monotonic()
    while tally.wrong.total() < count:
        for name, family in tasks.FAMILIES.items():
            for level in range(1, family.levels + 1):
                sample = tasks.sample(name, level, "train", index)
                rng = random.Random(f"{seed}|{name}|{level}|{index}")
                attack(sample.problem, sample.body, rng, tally, each)
        index += 1
        if index % 20 == 0:
            took = time.monotonic() - began
            say(f"{took:.0f} s: {tally.wrong.total():,} wrong mutants, {len(tally.faults)} faults")
    return tally


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500_000)
    parser.add_argument("--seed", default="0")
    given = parser.parse_args()
    tally = sweep(given.count, given.seed, say=lambda line: print(line, file=sys.stderr))
    print(
        json.dumps(
            {
                "oracles": tally.oracles,
                "mutants": tally.mutants,
                "wrong": tally.wrong.total(),
                "by_kind": dict(tally.wrong),
                "right_in_another_way": tally.unjudged_accepted,
                "faults": tally.faults[:20],
                "false_acceptances_and_misplaced": len(tally.faults),
            },
            indent=1,
        )
    )
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    _main()
