"""Single terms in English: every type, both styles, exact."""

from __future__ import annotations

import random

import pytest

from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.canon import canonical
from regime3.lang.english import terms
from regime3.lang.english.terms import Style
from regime3.lang.terms import Term, parse
from regime3.lang.typing import Scope, typed
from tests.lang.generate import random_problem, random_term

BOTH: tuple[Style, ...] = ("plain", "terse")
PROBED = {"entails": ("Ps", "P"), "follows": ("Ss", "S"), "run": ("Pipe", "List")}


@pytest.mark.parametrize("style", BOTH)
@pytest.mark.parametrize("kind", ["Int", "Num", "E", "M", "L", "B", "D", "K", "P", "G", "Q", "S"])
def test_random_terms_of_every_type_are_read_back(style: Style, kind: str) -> None:
    for seed in range(150):
        rng = random.Random(f"{kind} {seed}")
        term = typed(random_term(rng, kind, 12, 9, depth=rng.randint(0, 6)), kind, Scope())
        text = terms.say(term, kind, style)
        assert terms.read(text, kind, style) == term, text


@pytest.mark.parametrize("style", BOTH)
def test_what_problems_hold_is_read_back(style: Style) -> None:
    for seed in range(120):
        kind = sorted(PROBED)[seed % 3]
        problem = random_problem(random.Random(f"parts {seed}"), kind)
        for slot, part in zip(PROBED[kind], problem.term[1:], strict=True):
            assert terms.read(terms.say(part, slot, style), slot, style) == part


NOTATION = """
L     | (add (scale 4 x0) 2)                                   | 4x + 2
L     | (add (scale 4 x0) -2)                                  | 4x - 2
L     | (sub (scale 4 x0) 2)                                   | 4x - (2)
L     | (sub (sub x0 1) (add x0 2))                            | x - (1) - (x + 2)
L     | (scale -1 x0)                                          | -x
L     | (scale 1 x0)                                           | 1x
L     | (scale (frac -2 3) x0)                                 | -2x/3
L     | (scale (frac 1 3) (add x0 1))                          | (x + 1)/3
L     | (scale (frac -1 3) (add x0 1))                         | -1(x + 1)/3
L     | (add (scale -1 (add x0 1)) (frac -1 2))                | -1(x + 1) - 1/2
L     | (scale 2 (scale 3 5))                                  | 2(3(5))
Q     | (eqn (scale (frac 2 3) (add x0 1)) (sub x0 (frac 1 2))) | 2(x + 1)/3 = x - (1/2)
P     | (imp (and c0 (not c1)) (iff c2 false))                 | (not q and p) implies (false iff r)
P     | (not (or c10 c11))                                     | not (z or m)
S     | (some-not c2 c1)                                       | some C are not B
E     | (add (mul 7 8) 2 40)                                   | 7 × 8 + 2 + 40
E     | (div (sub 3 -4) (frac 3 2))                            | (3 - (-4)) ÷ (3/2)
E     | (sub 9 (sub 5 1))                                      | 9 - (5 - 1)
M     | (pow (pow 3 5) 2)                                      | (3^5)^2
D     | (rem (mul x0 x1) 7)                                    | (x × y) mod 7
K     | (and (lt x0 5) (not (eq (rem x0 2) 0)))                | x < 5 and not (x mod 2 = 0)
Pipe  | (pipe (map (mul x0 x0)) rev (fold (add x0 x1) 0))      | \
map x × x, then reverse, then fold x + y from 0
List  | (list)                                                 | nothing
"""


def test_the_notation_is_what_a_person_would_write() -> None:
    for row in NOTATION.strip().splitlines():
        kind, spelling, wanted = (cell.strip() for cell in row.split(" | "))
        assert terms.say(canonical(parse(spelling)), kind) == wanted


def test_symbols_leave_out_the_brackets_that_strength_makes_needless() -> None:
    wanted = {
        "(imp (and c0 (not c1)) (or c2 (and c3 c4)))": "-q&p>s&t|r",
        "(imp (imp c0 c1) c2)": "(p>q)>r",
        "(imp c0 (imp c1 c2))": "p>(q>r)",
        "(and (or c0 c1) (not (iff c2 c3)))": "-(r=s)&(p|q)",
    }
    for spelling, text in wanted.items():
        assert terms.say(canonical(parse(spelling)), "P", "terse") == text


@pytest.mark.parametrize(
    ("kind", "deepest"),
    [
        ("P", lambda inner: ("not", inner)),
        ("P", lambda inner: ("imp", inner, "c0")),
        ("L", lambda inner: ("scale", 2, inner)),
        ("L", lambda inner: ("sub", 1, inner)),
        ("E", lambda inner: ("div", 1, inner)),
    ],
)
@pytest.mark.parametrize("style", BOTH)
def test_the_deepest_terms_are_read_back_and_deeper_ones_refused(
    style: Style, kind: str, deepest
) -> None:  # type: ignore[no-untyped-def]
    term: Term = "c0" if kind == "P" else 3
    for _ in range(signature.DEPTH_MAX):
        term = deepest(term)
    assert terms.read(terms.say(term, kind, style), kind, style) == term
    for _ in range(signature.DEPTH_MAX):
        term = deepest(term)
    with pytest.raises(LanguageError, match="deeper than 64"):
        terms.read(terms.say(term, kind, style), kind, style)


@pytest.mark.parametrize(
    ("kind", "text", "column", "reason"),
    [
        ("P", "p and q or r", 8, "brackets"),
        ("P", "p implies", 2, "nothing may follow"),
        ("P", "(p and q", 9, "'.' must stand here"),
        ("P", "p and and", 7, "proposition"),
        ("P", "c3", 1, "proposition"),
        ("Int", "007", 1, "leading zeros"),
        ("Int", "-0", 1, "leading zeros"),
        ("Int", "9" * 65, 1, "more than 64 digits"),
        ("Num", "2/4", 1, "lowest terms"),
        ("Num", "2/1", 1, "2 or more"),
        ("L", "4x + ", 6, "a number, x"),
        ("L", "-(x + 1)", 2, "a number, x"),
        ("L", "x - 0", 5, "zero has no sign"),
        ("L", "2x/4", 1, "lowest terms"),
        ("Q", "4x + 2", 7, "'='"),
        ("S", "all A are not B", 1, "a statement"),
        ("S", "some A are A", 1, "twice"),
        ("E", "7 × ", 5, "a number"),
        ("K", "1 < 2 < 3", 6, "one comparison"),
        ("Pipe", "sort, then shuffle", 12, "a stage"),
        ("List", "1, two", 4, "a number"),
        ("List", ", ".join("1" * 65), 191, "more than 64"),
        ("D", "x + z", 5, "a number"),
        ("B", "x + y", 1, "x1"),
    ],
)
def test_a_fault_is_told_with_its_place(kind: str, text: str, column: int, reason: str) -> None:
    with pytest.raises(LanguageError, match=reason) as caught:
        terms.read(text, kind)
    assert caught.value.position == column - 1
