"""English reads back exactly: any typed body, right or wrong, in both styles."""

from __future__ import annotations

import random
from functools import cache
from types import ModuleType
from typing import Any

import pytest

from regime3.lang import signature
from regime3.lang.english import plain, results_only, terse
from regime3.lang.problem import Body, Problem, body_of, read_body, read_problem
from tests.lang.corpus import examples
from tests.lang.generate import random_body, random_problem, random_term

STYLES = pytest.mark.parametrize("style", [plain, terse], ids=["plain", "terse"])


@cache
def random_pairs(first: int, count: int) -> list[tuple[Problem, Body]]:
    """Problems of all kinds in turn, each with a random body."""
    pairs = []
    for seed in range(first, first + count):
        rng = random.Random(f"english {seed}")
        problem = random_problem(rng, signature.KINDS[seed % len(signature.KINDS)])
        pairs.append((problem, random_body(rng, problem)))
    return pairs


def check_round_trips(style: ModuleType, pairs: list[tuple[Problem, Body]]) -> None:
    """Each body is read back from its text, which has one line a step."""
    for problem, body in pairs:
        text = style.show(problem, body)
        assert text.count("\n") + 1 == len(body)
        assert style.read(problem, text) == body, text


@STYLES
def test_random_bodies_are_read_back(style: ModuleType) -> None:
    check_round_trips(style, random_pairs(0, 800))


@STYLES
def test_every_rule_of_every_kind_is_read_back_with_random_terms(style: ModuleType) -> None:
    for kind in signature.KINDS:
        problem = SMALL[kind]
        for rule in signature.RULES[kind].values():
            for seed in range(12):
                rng = random.Random(f"{kind} {rule.name} {seed}")
                step = (rule.name, *_arguments(rng, problem, rule.slots))
                check_round_trips(style, [(problem, body_of(problem, [step, ANSWERS[kind]]))])


def _arguments(rng: random.Random, problem: Problem, slots: signature.Slots) -> list[Any]:
    if slots == ("Bool*",):
        return [rng.choice(["true", "false"]) for _ in range(rng.randint(0, 12))]
    line = len(problem.premises) + 1
    return [random_term(rng, slot, problem.constants, line, depth=5) for slot in slots]


SMALL = {
    problem.kind: problem
    for problem in map(
        read_problem,
        [
            "(eval (add 1 2))",
            "(solve (eqn (add x0 1) 2))",
            "(gcd 4 6)",
            "(mod (pow 2 5) 7)",
            "(factor 12)",
            "(entails (given (imp c0 c1) (not c2)) (or c3 c4))",
            "(follows (given (all c0 c1) (no c2 c3)) (some c0 c3))",
            "(run (pipe sort) (list 2 1))",
        ],
    )
}
ANSWERS: dict[str, Any] = {
    **dict.fromkeys(["eval", "solve", "gcd", "mod"], ("qed", 1)),
    "factor": ("qed", ("factors", 2)),
    "entails": ("qed", "yes"),
    "follows": ("qed", "yes"),
    "run": ("qed", ("list", 1)),
}


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("eval", "(frac -1 2)"),
        ("solve", "(frac 3 2)"),
        ("solve", "none"),
        ("solve", "any"),
        ("factor", "(factors)"),
        ("factor", "(factors -2 2 7)"),
        ("entails", "(counter)"),
        ("entails", "(counter false)"),
        ("entails", "(counter true false true true false)"),
        ("entails", f"(counter{' true false' * 16})"),
        ("follows", "(counter)"),
        ("follows", "(counter (elem))"),
        ("follows", "(counter (elem c0 c2) (elem) (elem c1))"),
        ("follows", "(counter (elem c1 c1))"),
        ("run", "(list)"),
        ("run", "(list -1)"),
        ("run", "(list 1 2 3)"),
    ],
)
@STYLES
def test_every_form_of_answer_is_read_back(style: ModuleType, kind: str, answer: str) -> None:
    problem = SMALL[kind]
    check_round_trips(style, [(problem, read_body(problem, f"(qed {answer})"))])


PLAIN = """
1 | 7 times 8 is 56. / 56 plus 2 is 58. / 58 plus 40 is 98. / The answer is 98.
2 | 9 divided by 6 is 3/2. / The answer is 3/2.
3 | Take x from both sides: 4x + 2 = 0. / Take 2 from both sides: 4x = -2. / \
Divide both sides by 4: x = -1/2. / The answer is -1/2.
4 | Divide 462 by 147 to get 3, remainder 21. / Divide 147 by 21 to get 7, remainder 0. / \
The answer is 21.
5 | In 3^5 the square is 2. / In 2^2 the square is 4. / 3 times 4 is 12. / 12 reduces to 5. / \
The answer is 5.
6 | 3. Assume p. / 4. From 1 and 3, q. / 5. Lines 4 and 2 clash. / \
6. As 3 leads to absurd 5, not p. / Yes.
7 | 3. Try p, q true. / 4. Then not q is false. / No: take p, q true.
8 | 3. Celarent on 1 and 2: no B are C. / 4. Given 3, some C are not B. / Yes.
9 | Filtering leaves 40, 100. / Take 40 to get 40. / Take 100 to get 140. / The answer is 140.
"""
TERSE = """
1 | 7*8=56 / 56+2=58 / 58+40=98 / =98
2 | 9/6=3/2 / =3/2
3 | -x:4x+2=0 / -2:4x=-2 / /4:x=-1/2 / =-1/2
4 | 462=3*147+21 / 147=7*21+0 / =21
5 | 3^5:2 / 2^2:4 / 3*4=12 / 12=5 / =5
6 | assume p / mp1,3 q / bot4,2 / not3,5 -p / yes
7 | try11 / -q:0 / no11
8 | cel1,2 B/C / no3 C-B / yes
9 | filter40,100 / 40:40 / 100:140 / =140
"""


@pytest.mark.parametrize(
    ("style", "wanted"), [(plain, PLAIN), (terse, TERSE)], ids=["plain", "terse"]
)
def test_the_worked_examples_read_like_this(style: ModuleType, wanted: str) -> None:
    found = {example["number"]: example for example in examples()}
    for row in wanted.strip().splitlines():
        number, _, text = row.partition(" | ")
        problem = read_problem(found[number]["problem"])
        body = read_body(problem, found[number]["body"])
        assert style.show(problem, body) == text.replace(" / ", "\n")


def test_results_alone_are_one_a_line_with_the_answer_last() -> None:
    def shown(problem: str, body: str) -> list[str]:
        posed = read_problem(problem)
        return results_only.show(posed, read_body(posed, body)).split("\n")

    assert shown("(gcd 462 147)", "(r-divmod 462 147 3 21) (qed 21)") == ["3,21", "=21"]
    assert shown(
        "(eval (add 5 6))", "(long-add 5 6) (d-add 5 6 0 1 1) (r-add 5 6 11) (qed 11)"
    ) == [
        "1,1",
        "11",
        "=11",
    ]
    assert shown("(run (pipe rev) (list 1 2))", "(l-rev (list 2 1)) (qed (list 2 1))") == [
        "2,1",
        "=2,1",
    ]
    logic = "(assume c0) (bot l2 l1) (raa l2 l3 (not c0)) (try true) (val c0 true) (qed yes)"
    assert shown("(entails (given (not c0)) (not c0))", logic) == ["p", "-p", "1", "1", "yes"]
