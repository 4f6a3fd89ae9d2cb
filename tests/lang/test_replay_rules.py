"""Every rule of every kind of problem, right and wrong, as the data files of verdicts have it."""

from __future__ import annotations

import pytest

from regime3.lang import signature
from regime3.lang.check import check, check_text
from regime3.lang.problem import read_body, read_problem
from tests.lang.corpus import lines

CASES = [
    tuple(part.strip() for part in line.split(" | "))
    for name in ("replay.txt", "entails.txt", "follows.txt")
    for line in lines(name)
]
NEVER_WRONG = {"assume", "l-map", "l-filter", "l-sort", "l-rev", "l-take"}


@pytest.mark.parametrize(("problem", "body", "verdict"), CASES)
def test_the_verdict_on_a_body_is_the_one_in_the_data(
    problem: str, body: str, verdict: str
) -> None:
    found = check_text(problem, body)
    said = "accepted" if found.accepted else f"{found.index}: {found.expected}; {found.found}"
    assert said == verdict
    posed = read_problem(problem)
    assert check(posed, read_body(posed, body)) == found, "as terms"


@pytest.mark.parametrize("kind", signature.KINDS)
def test_the_data_has_each_rule_accepted_and_rejected(kind: str) -> None:
    right: set[str] = set()
    wrong: set[str] = set()
    for problem, body, verdict in CASES:
        if problem.startswith(f"({kind} "):
            steps = read_body(read_problem(problem), body)
            if verdict == "accepted":
                right |= {step[0] for step in steps}
            else:
                wrong.add(steps[int(verdict.split(":")[0]) - 1][0])
    rules = set(signature.RULES[kind]) | {"qed"}
    # What eval and mod share is the same code; mod's own rules are the ones to see here.
    if kind == "mod":
        rules = {"r-mod", "r-sqr", "long-div", "qed"}
    assert right >= rules
    assert wrong >= rules - NEVER_WRONG
