"""Oracles and checker against the outside world, on many problems of each family.

    python -m tests.lang.agreement --problems 100000

Arithmetic and number theory agree with Python's integers and fractions, equations with sympy,
propositional entailment with truth tables, syllogisms with set models, list programs with Python
lists; and the checker accepts every oracle's trace. Problems differ by their index.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from regime3 import tasks
from regime3.lang.check import check
from regime3.lang.problem import Problem
from regime3.lang.terms import show
from tests.lang import judge


def _number(answer: Any) -> Any:
    return answer if isinstance(answer, str) else judge.number(answer)


def _sympy_solution(problem: Problem) -> Any:
    """The solution of a linear equation, by sympy's polynomials."""
    import sympy

    x = sympy.Symbol("x")
    left, right = (_sympy(side, x, sympy) for side in problem.term[1][1:])
    coefficients = sympy.Poly(left - right, x).all_coeffs()
    if len(coefficients) == 2:
        found = -coefficients[1] / coefficients[0]
        return Fraction(int(found.p), int(found.q))
    return "any" if coefficients[0] == 0 else "none"


def _sympy(term: Any, x: Any, sympy: Any) -> Any:
    if isinstance(term, int):
        return sympy.Integer(term)
    if term == "x0":
        return x
    if term[0] == "frac":
        return sympy.Rational(term[1], term[2])
    parts = [_sympy(each, x, sympy) for each in term[1:]]
    if term[0] == "add":
        return sum(parts[1:], parts[0])
    return parts[0] - parts[1] if term[0] == "sub" else parts[0] * parts[1]


def _gcd(problem: Problem) -> int:
    import math

    return math.gcd(*problem.term[1:])


def _factors(problem: Problem) -> Any:
    import sympy

    found = sympy.factorint(problem.term[1])
    return ("factors", *sorted(p for p, times in found.items() for _ in range(times)))


def _entailed(problem: Problem) -> bool:
    k = problem.constants
    given = (1 << 2**k) - 1
    for premise in problem.premises:
        given &= judge.worlds(premise, k)
    return not given & ~judge.worlds(problem.goal, k)


RIGHT: dict[str, Callable[[Problem, Any], bool]] = {
    "eval": lambda p, a: _number(a) == judge.value(p.term[1]),
    "mod": lambda p, a: a == judge.value(p.term[1], modulus=p.term[2]) % p.term[2],
    "gcd": lambda p, a: a == _gcd(p),
    "factor": lambda p, a: a == _factors(p),
    "solve": lambda p, a: _number(a) == _sympy_solution(p),
    "entails": lambda p, a: (a == "yes") == _entailed(p),
    "follows": lambda p, a: (
        (a == "yes") == judge.syllogism_follows(p.premises, p.goal, p.constants)
    ),
    "run": lambda p, a: ("qed", a) == judge.expected_run(p)[-1],
}


def sweep(family: str, problems: int, say: Callable[[str], None]) -> dict[str, Any]:
    """How many problems, of which kinds, and what disagreed."""
    kinds: Counter[str] = Counter()
    faults: list[str] = []
    began = time.monotonic()
    levels = tasks.FAMILIES[family].levels
    for number in range(problems):
        sample = tasks.sample(family, 1 + number % levels, "train", number // levels)
        problem, answer = sample.problem, sample.body[-1][1]
        kinds[problem.kind] += 1
        if not RIGHT[problem.kind](problem, answer):
            faults.append(f"answer {answer}: {show(problem.term)}")
        verdict = check(problem, sample.body)
        if not verdict.accepted:
            faults.append(f"rejected at {verdict.index}: {show(problem.term)}")
        if (number + 1) % 10_000 == 0:
            say(f"{family}: {number + 1:,} problems, {time.monotonic() - began:.0f} s")
    return {"problems": problems, "kinds": dict(kinds), "faults": faults[:10]}


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=100_000, help="of each family")
    parser.add_argument("--families", nargs="*", default=list(tasks.FAMILIES))
    given = parser.parse_args()
    found = {
        family: sweep(family, given.problems, lambda line: print(line, file=sys.stderr, flush=True))
        for family in given.families
    }
    print(json.dumps(found, indent=1))
    sys.exit(1 if any(each["faults"] for each in found.values()) else 0)


if __name__ == "__main__":
    _main()
