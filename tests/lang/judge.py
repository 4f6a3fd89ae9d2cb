"""A second opinion on traces, written without a line of the checker's code.

    fault(problem, body)      # why the trace is certainly wrong, or None if this judge sees nothing

It works from meanings where the checker works from rules: numbers by Python's own arithmetic,
equations by their values at three points, propositions by truth tables, syllogisms by the largest
set model, list programs by Python lists. It is one-sided: what it calls wrong is wrong, and it may
miss a trace that is only ill-formed. So the checker has to reject every trace that it faults.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import Any

from regime3.lang.problem import Body, Problem

BLOCK = {"d-add", "d-div"}


def fault(problem: Problem, body: Body) -> str | None:
    """Why the trace is certainly wrong, or None."""
    if not body or body[-1][0] != "qed":
        return "no answer"
    judge = {
        "eval": _eval,
        "mod": _mod,
        "gcd": _gcd,
        "factor": _factor,
        "solve": _solve,
        "entails": _entails,
        "follows": _follows,
        "run": _run,
    }[problem.kind]
    return judge(problem, body[:-1], body[-1][1])


# ---------------------------------------------------------------- numbers


def number(term: Any) -> Fraction | int:
    return Fraction(term[1], term[2]) if isinstance(term, tuple) else term


def value(term: Any, x0: Any = None, x1: Any = None, modulus: int | None = None) -> Any:
    """What an expression means, by Python."""
    if isinstance(term, int):
        return term
    if isinstance(term, str):
        return x0 if term == "x0" else x1
    name = term[0]
    if name == "frac":
        return Fraction(term[1], term[2])
    parts = [value(each, x0, x1, modulus) for each in term[1:]]
    if name == "add":
        return sum(parts)
    if name in ("mul", "scale"):
        result = 1
        for part in parts:
            result = result * part
        return result
    if name == "sub":
        return parts[0] - parts[1]
    if name == "div":
        return Fraction(parts[0]) / parts[1]
    if name == "pow":
        return pow(parts[0], parts[1], modulus)
    assert name == "rem", name
    return parts[0] % parts[1]


def false_arithmetic(step: Any) -> str | None:
    """A step that states a false equation of numbers."""
    rule, *terms = step
    if not all(isinstance(each, int) or each[0] == "frac" for each in terms):
        return None
    n = [number(each) for each in terms]
    wrong = {
        "r-add": lambda: n[0] + n[1] != n[2],
        "r-sub": lambda: n[0] - n[1] != n[2],
        "r-mul": lambda: n[0] * n[1] != n[2],
        "r-div": lambda: n[1] == 0 or Fraction(n[0]) / n[1] != n[2],
        "d-add": lambda: n[0] + n[1] + n[2] != n[3] + 10 * n[4] or not 0 <= n[3] < 10,
        "d-div": lambda: n[0] != n[1] * n[2] + n[3] or not 0 <= n[3] < n[1],
        "r-divmod": lambda: n[0] != n[1] * n[2] + n[3] or not 0 <= n[3] < n[1],
    }.get(rule)
    return f"{step} is false" if wrong is not None and wrong() else None


def _leaves(term: Any, literals: Counter[Any], names: Counter[str]) -> None:
    if isinstance(term, int) or term[0] == "frac":
        literals[number(term)] += 1
        return
    names[term[0]] += len(term) - 2
    for each in term[1:]:
        _leaves(each, literals, names)


def _eval(problem: Problem, steps: Any, answer: Any) -> str | None:
    """Each step must use up two numbers that are there and one operation that is there."""
    if number(answer) != value(problem.term[1]):
        return "the answer is not the expression's value"
    literals: Counter[Any] = Counter()
    names: Counter[str] = Counter()
    _leaves(problem.term[1], literals, names)
    for step in steps:
        if false := false_arithmetic(step):
            return false
        rule, *terms = step
        if rule in BLOCK or rule.startswith("long-"):
            continue
        a, b = number(terms[0]), number(terms[1])
        for each, count in Counter([a, b]).items():
            if literals[each] < count:
                return f"{step} uses {each}, which is not there"
        literals -= Counter([a, b])
        if rule == "r-split":
            if names["mul"] < 1:
                return "no product to split"
            powers = [int(d) * 10**i for i, d in enumerate(reversed(str(b))) if d != "0"]
            if not isinstance(b, int) or b <= 0 or len(powers) < 2:
                return f"{step} splits nothing"
            literals += Counter(powers) + Counter({a: len(powers)})
            names["mul"] += len(powers) - 1
            names["add"] += len(powers) - 1
            continue
        operation = rule.removeprefix("r-")
        if names[operation] < 1:
            return f"{step}: no {operation} is left"
        names[operation] -= 1
        literals[number(terms[2])] += 1
    return None if literals.total() == 1 else "operations are left"


def _mod(problem: Problem, steps: Any, answer: Any) -> str | None:
    _, expression, n = problem.term
    if answer != value(expression, modulus=n) % n:
        return "the answer is not the remainder"
    for step in steps:
        if false := false_arithmetic(step):
            return false
        if step[0] == "r-mod" and (0 <= step[1] < n or step[1] % n != step[2]):
            return f"{step} is false"
        if step[0] == "r-sqr" and step[1] ** 2 % n != step[3]:
            return f"{step} is false"
    return None


def _gcd(problem: Problem, steps: Any, answer: Any) -> str | None:
    a, b = problem.term[1:]
    for step in steps:
        if false := false_arithmetic(step):
            return false
        if step[0] == "r-divmod":
            if (step[1], step[2]) != (a, b):
                return f"{step} divides what is not asked"
            a, b = step[2], step[4]
    if b != 0:
        return "the division goes on"
    return None if answer == a else "the answer is not the divisor that is left"


def _factor(problem: Problem, steps: Any, answer: Any) -> str | None:
    m = problem.term[1]
    primes = []
    for _, of, p, k in steps:
        if of != m or p * k != m or not _prime(p):
            return f"{m} is not {p} times {k}, or {p} no prime"
        primes.append(p)
        m = k
    if m != 1:
        return "something is left to factor"
    return None if answer == ("factors", *sorted(primes)) else "other factors than were found"


@lru_cache(maxsize=100_000)
def _prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))


POINTS = (Fraction(0), Fraction(1), Fraction(-7, 3))


def _solve(problem: Problem, steps: Any, answer: Any) -> str | None:
    """Linear sides are what they are at three points."""
    state = problem.term[1]
    solution = _solution(state)
    if (answer if isinstance(answer, str) else number(answer)) != solution:
        return f"the solution is {solution}"
    for step in steps:
        rule, result = step[0], step[-1]
        for side in (1, 2):
            before = [value(state[side if rule != "swap" else 3 - side], x) for x in POINTS]
            if rule in ("add-both", "sub-both", "mul-both", "div-both"):
                operand = [value(step[1], x) for x in POINTS]
                if rule[:3] in ("mul", "div") and operand[0] in (0, 1):
                    return f"{step} does nothing, or too much"
                if rule[:3] in ("add", "sub") and not any(operand):
                    return f"{step} adds nothing"
                before = [_apply(rule[:3], b, o) for b, o in zip(before, operand, strict=True)]
            if before != [value(result[side], x) for x in POINTS]:
                return f"{step}: a side means something else"
        state = result
    if isinstance(answer, str):
        return None if not _has_x(state) else "the equation still holds an x"
    return None if state[1] == "x0" else "x does not stand alone"


def _apply(rule: str, a: Any, b: Any) -> Any:
    return {"add": a + b, "sub": a - b, "mul": a * b, "div": Fraction(a) / (b or 1)}[rule]


def _has_x(term: Any) -> bool:
    return term == "x0" or (isinstance(term, tuple) and any(map(_has_x, term[1:])))


def _solution(equation: Any) -> Any:
    zero, one = (value(equation[1], x) - value(equation[2], x) for x in (Fraction(0), Fraction(1)))
    slope = one - zero
    if slope == 0:
        return "any" if zero == 0 else "none"
    return -zero / slope


# ---------------------------------------------------------------- logic


def holds(p: Any, world: tuple[bool, ...]) -> bool:
    """A proposition in a world, which gives each constant its value."""
    if isinstance(p, str):
        return {"true": True, "false": False}[p] if p[0] != "c" else world[int(p[1:])]
    parts = [holds(each, world) for each in p[1:]]
    return {
        "not": lambda: not parts[0],
        "and": lambda: all(parts),
        "or": lambda: any(parts),
        "imp": lambda: not parts[0] or parts[1],
        "iff": lambda: parts[0] == parts[1],
    }[p[0]]()


@lru_cache(maxsize=200_000)
def worlds(p: Any, constants: int) -> int:
    """The worlds in which a proposition holds, as bits."""
    found = 0
    for number_, world in enumerate(product((False, True), repeat=constants)):
        found |= holds(p, world) << number_
    return found


def _entails(problem: Problem, steps: Any, answer: Any) -> str | None:
    """Every line must hold wherever the premises and the open assumptions hold, and wherever the
    lines hold that it cites."""
    k = problem.constants
    everywhere = (1 << 2**k) - 1
    given = everywhere
    for premise in problem.premises:
        given &= worlds(premise, k)
    boxes = [given]
    lines: list[int | None] = [worlds(premise, k) for premise in problem.premises]
    tried: tuple[bool, ...] | None = None
    for step in steps:
        rule, result = step[0], step[-1]
        lines.append(None if rule in ("try", "val") else worlds(_claim(step), k))
        if rule == "try":
            tried = tuple(each == "true" for each in step[1:])
            if len(tried) != k:
                return "a try of the wrong length"
            continue
        if rule == "val":
            if tried is None or holds(step[1], tried) != (result == "true"):
                return f"{step} is false under {tried}"
            continue
        if rule == "assume":
            boxes.append(boxes[-1] & worlds(result, k))
            continue
        if rule in ("imp-i", "raa"):
            if len(boxes) == 1:
                return "no box to close"
            boxes.pop()
        claim = worlds(_claim(step), k)
        if boxes[-1] & ~claim:
            return f"{step} does not follow"
        if rule not in ("imp-i", "raa"):
            cited = [lines[int(part[1:]) - 1] for part in step[1:] if _is_line(part)]
            both = everywhere
            for each in cited:
                both &= everywhere if each is None else each
            if None in cited or both & ~claim:
                return f"{step} does not follow from what it cites"
    if answer == "yes":
        if len(boxes) > 1:
            return "a box is open"
        return None if not given & ~worlds(problem.goal, k) else "the goal does not follow"
    world = tuple(each == "true" for each in answer[1:])
    if len(world) != k:
        return "a counter-model of the wrong length"
    fits = all(holds(premise, world) for premise in problem.premises)
    return None if fits and not holds(problem.goal, world) else "no counter-model"


def _claim(step: Any) -> Any:
    """What a step's line says."""
    return "false" if step[0] == "bot" else step[-1]


def _is_line(part: Any) -> bool:
    return isinstance(part, str) and part[0] == "l"


def _follows(problem: Problem, steps: Any, answer: Any) -> str | None:
    """Every line must hold in every set model of the lines that it cites."""
    k = problem.constants
    lines = list(problem.premises)
    for step in steps:
        cited = tuple(lines[int(part[1:]) - 1] for part in step[1:-1])
        if not syllogism_follows(cited, step[-1], k):
            return f"{step} does not follow from what it cites"
        lines.append(step[-1])
    if answer == "yes":
        true = syllogism_follows(problem.premises, problem.goal, k)
        return None if true else "the goal does not follow"
    model = {frozenset(int(c[1:]) for c in element[1:]) for element in answer[1:]}
    inhabited = all(any(c in element for element in model) for c in range(k))
    premises = all(_true_of(premise, model) for premise in problem.premises)
    if inhabited and premises and not _true_of(problem.goal, model):
        return None
    return "no counter-model"


def _true_of(s: Any, model: set[frozenset[int]]) -> bool:
    a, b = int(s[1][1:]), int(s[2][1:])
    some = any(a in e and b in e for e in model)
    some_not = any(a in e and b not in e for e in model)
    return {"all": not some_not, "no": not some, "some": some, "some-not": some_not}[s[0]]


@lru_cache(maxsize=200_000)
def syllogism_follows(premises: tuple[Any, ...], goal: Any, k: int) -> bool:
    """Entailment over sets in which every class has a member.

    Universal statements forbid kinds of element; the largest model has all that are left. A
    particular goal fails if, without the kinds that make it true, every demand can still be met.
    """
    kinds = {frozenset(c for c in range(k) if bits >> c & 1) for bits in range(2**k)}
    allowed = {e for e in kinds if all(_true_of(p, {e}) for p in premises if p[0] in ("all", "no"))}
    if not _meets(premises, allowed, k):
        return True
    if goal[0] in ("all", "no"):
        return _true_of(goal, allowed)
    without = {e for e in allowed if not _true_of(goal, {e})}
    return not _meets(premises, without, k)


def _meets(premises: tuple[Any, ...], model: set[frozenset[int]], k: int) -> bool:
    """Every class has a member and every particular premise a witness."""
    inhabited = all(any(c in e for e in model) for c in range(k))
    return inhabited and all(_true_of(p, model) for p in premises if p[0] in ("some", "some-not"))


# ---------------------------------------------------------------- lists


def true_of_number(k: Any, x: int) -> bool:
    """A condition of one number."""
    name, *parts = k
    if name in ("and", "or"):
        found = [true_of_number(each, x) for each in parts]
        return all(found) if name == "and" else any(found)
    if name == "not":
        return not true_of_number(parts[0], x)
    a, b = value(parts[0], x), value(parts[1], x)
    return bool({"lt": a < b, "le": a <= b, "eq": a == b}[name])


def run_stage(stage: Any, items: list[int]) -> list[int]:
    """A stage that is no fold."""
    name = stage if isinstance(stage, str) else stage[0]
    if name == "map":
        return [value(stage[1], x) for x in items]
    if name == "filter":
        return [x for x in items if true_of_number(stage[1], x)]
    return {
        "sort": lambda: sorted(items),
        "rev": lambda: items[::-1],
        "take": lambda: items[: stage[1]],
        "drop": lambda: items[stage[1] :],
    }[name]()


def expected_run(problem: Problem) -> list[Any]:
    """The steps and the answer that the only right trace has."""
    _, pipe, listed = problem.term
    items = list(listed[1:])
    found: list[Any] = []
    for stage in pipe[1:]:
        if isinstance(stage, tuple) and stage[0] == "fold":
            total = stage[2]
            for x in items:
                total = value(stage[1], total, x)
                found.append(("l-fold", x, total))
            return [*found, ("qed", total)]
        items = run_stage(stage, items)
        name = stage if isinstance(stage, str) else stage[0]
        found.append((f"l-{name}", ("list", *items)))
    return [*found, ("qed", ("list", *items))]


def _run(problem: Problem, steps: Any, answer: Any) -> str | None:
    return (
        None if [*steps, ("qed", answer)] == expected_run(problem) else "not what the program does"
    )
