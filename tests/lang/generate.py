"""Random problems and random bodies of every kind: typed and canonical, right-ish and wrong.

    rng = random.Random(seed)
    problem = random_problem(rng, "entails")
    body = random_body(rng, problem)
    book = codebook.bare(2).with_macros(random_macros(rng, 40), "")

Nearly every choice that types allow is made now and then: nested formulas, integers of 64 digits,
lists of 64, wrong operands, steps that nobody would take. About half of the steps follow the
replay's prediction or a rule's pattern, so that states move on and answers are implied at times.
"""

from __future__ import annotations

import random
import re
from fractions import Fraction
from typing import Any

from regime3.lang import codebook, codes, replay, signature
from regime3.lang.canon import make
from regime3.lang.codebook import Macro
from regime3.lang.problem import Body, Problem, Step, body_of, line_of, problem_of, step_of_term
from regime3.lang.replay.gather import gathered
from regime3.lang.signature import FORMS, INTEGER_TYPES, KINDS, VARIABLE_TYPES
from regime3.lang.terms import Term, literal, show, size

DEPTH_USUAL = 4


def random_integer(rng: random.Random) -> int:
    """Small ones mostly; also negative ones, three digits, and up to 64 digits."""
    size = rng.choice([1, 1, 2, 2, 2, 3, 3, 4, 6, rng.randint(7, signature.DIGITS_MAX)])
    number = rng.randrange(10**size)
    return -number if rng.random() < 0.2 else number


def random_number(rng: random.Random) -> Term:
    """An integer or, one in four, a fraction."""
    if rng.random() < 0.75:
        return random_integer(rng)
    over = rng.choice([random_integer(rng), rng.randint(-9, 9)])
    return literal(Fraction(over, rng.choice([2, 3, 5, 7, 12, 101, 10**63 + 1])))


def random_term(
    rng: random.Random, kind: str, constants: int = 0, line: int = 1, depth: int = DEPTH_USUAL
) -> Term:
    """A term of a type, canonical unless it holds refused parts that types do not rule out."""
    if kind == "Num":
        return random_number(rng)
    if kind == "Int":
        return random_integer(rng)
    if kind == "Line":
        return f"l{rng.randrange(1, line)}"
    if kind == "Answer":
        raise AssertionError("ask for the problem's own answer type")
    leaves = _leaves(rng, kind, constants)
    forms = [name for name, slots in FORMS.get(kind, {}).items() if slots]
    if leaves and (depth <= 0 or not forms or rng.random() < 0.35):
        return rng.choice(leaves)
    if depth <= 0:
        forms = [name for name in forms if kind not in FORMS[kind][name]]
    return _compound(rng, rng.choice(forms), kind, constants, line, depth - 1)


def _leaves(rng: random.Random, kind: str, constants: int) -> list[Term]:
    leaves: list[Term] = [name for name, slots in FORMS.get(kind, {}).items() if not slots]
    if kind in INTEGER_TYPES:
        leaves.append(random_integer(rng))
    if kind in signature.CONSTANT_TYPES:
        leaves += [f"c{number}" for number in range(constants)] * 3
    leaves += [variable for variable, kinds in VARIABLE_TYPES.items() if kind in kinds] * 2
    return leaves


def _compound(
    rng: random.Random, name: str, kind: str, constants: int, line: int, depth: int
) -> Term:
    if name == "frac":
        return literal(Fraction(rng.randint(-99, 99) * 2 + 1, rng.choice([2, 4, 8, 128, 2**60])))
    if name in FORMS["S"]:
        return make(name, *[f"c{number}" for number in rng.sample(range(constants), 2)])
    arguments: list[Term] = []
    for slot in FORMS[kind][name]:
        many = rng.choice([0, 0, 1, 2, 3]) if slot.endswith("*") else 1
        if name in ("list", "factors") and rng.random() < 0.1:
            many = signature.LIST_MAX
        for _ in range(many):
            arguments.append(random_term(rng, slot.rstrip("*"), constants, line, depth))
    if name in ("pow", "rem", "mod"):
        arguments[1] = rng.choice([2, 3, 5, 10, 97, 101, 1000])
    elif name in ("take", "drop"):
        arguments[0] = rng.randrange(12)
    return make(name, *arguments)


def random_problem(rng: random.Random, kind: str | None = None) -> Problem:
    """A problem of a kind, or of any."""
    kind = kind or rng.choice(KINDS)
    if kind == "gcd":
        return problem_of(("gcd", abs(random_integer(rng)) + 1, abs(random_integer(rng))))
    if kind == "factor":
        return problem_of(("factor", rng.randint(2, rng.choice([99, 9999, signature.FACTOR_MAX]))))
    if kind == "run":
        stages = [_stage(rng) for _ in range(rng.randint(1, 4))]
        if rng.random() < 0.4:
            stages.append(("fold", random_term(rng, "D", depth=2), random_integer(rng)))
        return problem_of(("run", ("pipe", *stages), random_term(rng, "List")))
    if kind in ("entails", "follows"):
        return _logical(rng, kind)
    return problem_of(_compound(rng, kind, "Z", 0, 1, DEPTH_USUAL))


def _stage(rng: random.Random) -> Term:
    while True:
        stage = random_term(rng, "F", depth=2)
        if stage[0] != "fold":  # type: ignore[index]
            return stage


def _logical(rng: random.Random, kind: str) -> Problem:
    constants = rng.randint(3, rng.choice([4, 5, signature.CONSTANTS_MAX]))
    what = "P" if kind == "entails" else "S"
    premises = [random_term(rng, what, constants) for _ in range(rng.randint(0, 6))]
    goal = random_term(rng, what, constants)
    names: dict[Term, Term] = {}
    return problem_of(_renamed((kind, ("given", *premises), goal), names))


def _renamed(term: Term, names: dict[Term, Term]) -> Term:
    """The term with its constants numbered by first appearance."""
    if isinstance(term, tuple):
        return (term[0], *[_renamed(part, names) for part in term[1:]])
    if isinstance(term, str) and term[0] == "c" and term[1:].isdigit():
        return names.setdefault(term, f"c{len(names)}")
    return term


def random_body(rng: random.Random, problem: Problem, steps_max: int = 8) -> Body:
    """A body of at most so many steps and an answer."""
    state: Any = replay.start(problem, 2)
    lines: list[Term | None] = list(problem.premises)
    body: list[Step] = []
    logical = problem.kind in ("entails", "follows")
    room = signature.LINES_MAX - len(problem.premises) if logical else signature.STEPS_MAX - 1
    for index in range(min(rng.randint(0, steps_max), room)):
        step = _sensible(rng, problem, state, lines) if rng.random() < 0.6 else None
        step = step or _any_step(rng, problem, index)
        if step is None:
            break
        step = step_of_term(problem, step, index)
        state.play(step)
        body.append(step)
        lines.append(step[-1] if _states(step) else None)
    implied = state.implied()
    if implied is None or rng.random() < 0.3:
        implied = random_answer(rng, problem)
        if problem.kind == "follows" and rng.random() < 0.5:
            model = random_told(rng, codes.MODEL, problem, len(lines) + 1)
            implied = state.step_of((model,))[1]
    return body_of(problem, [*body, ("qed", implied)])


def random_told(rng: random.Random, kind: str, problem: Problem, line: int) -> Term:
    """A term of a type that tells a step, for the step at this line: types of packing included.

    The goal is cited only where a code reaches it.
    """
    constants = problem.constants
    if kind == codes.LONG:
        return "end"
    if kind == codes.CITED:
        goal_at = 0 if line < signature.LINES_MAX else 1
        return f"l{rng.randrange(goal_at, line)}"
    if kind == codes.MODEL:
        count = rng.choice([0, 1, 2, 3, 3, rng.randint(4, signature.ELEMENTS_MAX)])
        witnesses = [random_told(rng, codes.WITNESS, problem, line) for _ in range(count)]
        return ("counter", *witnesses)
    if kind == codes.WITNESS:
        one, two = rng.choice(range(constants)), rng.choice(range(constants))
        if rng.random() < 0.4:
            return f"c{one}"
        if one != two and rng.random() < 0.5:
            return make("some", f"c{one}", f"c{two}")
        count = rng.choice([0, 1, 2, 3, signature.CONSTANTS_MAX])
        return ("elem", *[f"c{rng.choice(range(constants))}" for _ in range(count)])
    return _likely(rng, kind) if kind in ("Num", "Int") else random_term(rng, kind, constants, line)


def random_answer(rng: random.Random, problem: Problem) -> Term:
    """Any answer that the problem's type of answer has."""
    if problem.kind == "follows" and problem.constants == 0:
        return "yes"
    return random_term(rng, problem.answer, problem.constants)


def _states(step: Step) -> bool:
    return step[0] not in ("try", "val", "bot")


def _any_step(rng: random.Random, problem: Problem, index: int) -> Step | None:
    """A step that types allow, and that is wrong as a rule; None if they allow none."""
    line = line_of(problem, index)
    rules = [
        rule
        for rule in signature.RULES[problem.kind].values()
        if (line > 1 or "Line" not in rule.slots)
        and ("S" not in rule.slots or problem.constants > 1)
        and ("P" not in rule.slots or problem.constants > 0)
    ]
    if not rules:
        return None
    rule = rng.choice(rules)
    if rule.name == "try":
        return ("try", *[rng.choice(["true", "false"]) for _ in range(rng.randint(0, 12))])
    return (
        rule.name,
        *[random_term(rng, slot, problem.constants, line) for slot in rule.slots],
    )


def _sensible(
    rng: random.Random, problem: Problem, state: Any, lines: list[Term | None]
) -> Step | None:
    """A step that prediction or a rule's pattern suggests, or None."""
    logical = problem.kind in ("entails", "follows")
    if logical and rng.random() < 0.6:
        is_proof = problem.kind == "entails"
        return _deduction(rng, problem, lines) if is_proof else _syllogism(rng, lines)
    if problem.kind == "solve" and rng.random() < 0.3:
        return _gathered(lines[-1] if lines else problem.term[1])
    ways = [way for way in state.expects() if way != (codes.MODEL,)]
    if not ways:
        return _opening(rng, problem)
    line = len(lines) + 1
    told = [random_told(rng, kind, problem, line) for kind in rng.choice(ways)]
    step: Step = state.step_of(tuple(told))
    if logical:
        return step
    operands = len(signature.RULES[problem.kind][str(step[0])].operands)
    right = _results(step[0], step[1 : 1 + operands])
    return step if right is None or rng.random() < 0.3 else (*step[: 1 + operands], *right)


def _gathered(equation: Any) -> Step | None:
    """Fractions or brackets gone from an equation, unless a number grows too long."""
    found = gathered(equation)
    if found is None or max(map(len, re.findall(r"\d+", show(found[1])))) > signature.DIGITS_MAX:
        return None
    step: Step = (*found[0], found[1])
    return step if size(step) <= signature.PROBLEM_NODES_MAX else None


def _likely(rng: random.Random, kind: str) -> Term:
    if kind in ("Num", "Int") and rng.random() < 0.5:
        return rng.randint(-3, 9)
    return random_term(rng, kind)


def _opening(rng: random.Random, problem: Problem) -> Step | None:
    rules = [rule for rule in ("long-add", "long-div") if rule in signature.RULES[problem.kind]]
    if not rules or rng.random() < 0.5:
        return None
    return (rng.choice(rules), rng.randrange(1000), rng.randrange(1, 1000))


def _results(rule: str, operands: tuple[Term, ...]) -> tuple[Term, ...] | None:
    """What integers give under a rule, where that is easily said."""
    if not operands or not all(isinstance(each, int) for each in operands):
        return None
    numbers: list[Any] = list(operands)
    if rule in ("r-add", "r-sub", "r-mul"):
        a, b = numbers
        found = {"r-add": a + b, "r-sub": a - b, "r-mul": a * b}[rule]
        return (found,) if abs(found) <= signature.INTEGER_MAX else None
    if rule in ("r-divmod", "d-div") and numbers[1] > 0:
        return divmod(*numbers)
    if rule == "d-add":
        return (sum(numbers) % 10, sum(numbers) // 10)
    if rule == "f-div" and numbers[0] > 1:
        prime = next(p for p in range(2, numbers[0] + 1) if numbers[0] % p == 0 or p > 999)
        return (prime, numbers[0] // prime)
    return None


def _deduction(rng: random.Random, problem: Problem, lines: list[Term | None]) -> Step | None:
    known = [number for number, term in enumerate(lines, start=1) if term is not None]
    if not known or rng.random() < 0.2:
        if rng.random() < 0.5:
            values = [rng.choice(["true", "false"]) for _ in range(problem.constants)]
            return ("try", *values)
        return ("assume", random_term(rng, "P", problem.constants, depth=2))
    one, two = rng.choice(known), rng.choice(known)
    a, b = lines[one - 1], lines[two - 1]
    assert a is not None and b is not None
    head = a[0] if isinstance(a, tuple) else ""
    for number in known:
        if head == "imp" and lines[number - 1] == a[1]:  # type: ignore[index]
            return ("mp", f"l{one}", f"l{number}", a[2])  # type: ignore[index]
    choices: list[Step] = [
        ("and-i", f"l{one}", f"l{two}", make("and", a, b)),
        ("imp-i", f"l{one}", f"l{two}", ("imp", a, b)),
        ("dn", f"l{one}", ("not", ("not", a))),
        ("or-i", f"l{one}", make("or", a, random_term(rng, "P", problem.constants, depth=1))),
        ("bot", f"l{one}", f"l{two}"),
        ("raa", f"l{one}", f"l{two}", ("not", a)),
        ("val", a, rng.choice(["true", "false"])),
    ]
    if head == "and":
        choices += [("and-e", f"l{one}", rng.choice(a[1:]))] * 4  # type: ignore[index]
    if head == "iff":
        choices += [("iff-e", f"l{one}", ("imp", a[1], a[2]))] * 4  # type: ignore[index]
    return rng.choice(choices)


def _syllogism(rng: random.Random, lines: list[Term | None]) -> Step | None:
    patterns = {
        ("all", "all"): ("barbara", "all"),
        ("no", "all"): ("celarent", "no"),
        ("all", "some"): ("darii", "some"),
        ("no", "some"): ("ferio", "some-not"),
    }
    known = [(f"l{number}", term) for number, term in enumerate(lines, start=1) if term]
    pairs: list[Step] = []
    for one, a in known:
        for two, b in known:
            rule = patterns.get((a[0], b[0]))  # type: ignore[index]
            if rule and b[1] != a[2]:  # type: ignore[index]
                pairs.append((rule[0], one, two, make(rule[1], b[1], a[2])))  # type: ignore[index]
        if a[0] == "all":  # type: ignore[index]
            pairs.append(("sub-all", one, make("some", a[1], a[2])))  # type: ignore[index]
    return rng.choice(pairs) if pairs else None


def random_macros(rng: random.Random, count: int) -> list[Macro]:
    """Macros that a codebook accepts; later ones often hold earlier ones."""
    macros: list[Macro] = []
    forms: list[dict[str, signature.Slots]] = list(codes.FORMS)
    parts = [code for code in range(codes.FIRST_MACRO) if codebook.is_part(code, forms)]
    nodes = [1] * len(forms)
    while len(macros) < count:
        outer, inner = rng.choice(parts), rng.choice(parts)
        slot = rng.randrange(4)
        found = {
            kind: slots[:slot] + forms[inner][slots[slot]] + slots[slot + 1 :]
            for kind, slots in forms[outer].items()
            if slot < len(slots) and slots[slot] in forms[inner]
        }
        size = nodes[outer] + nodes[inner]
        if found and (outer, slot, inner) not in macros and size <= codebook.MACRO_NODES_MAX:
            macros.append((outer, slot, inner))
            nodes.append(size)
            forms.append(found)
            parts += [len(forms) - 1] * 3
    return macros
