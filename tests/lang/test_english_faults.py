"""What is not English as we write it is refused at its place, with a reason, and never hangs."""

from __future__ import annotations

import random
from types import ModuleType

import pytest

from regime3.errors import LanguageError
from regime3.lang.english import plain, templates, terse
from regime3.lang.english.numbers import parse_number, say_number
from regime3.lang.english.templates import Tree, pieces
from regime3.lang.problem import read_problem
from tests.lang.test_english_bodies import SMALL, random_pairs

FAULTS = [
    # style, kind, text, line, column (1-based), part of the reason
    (plain, "eval", "", 1, 1, "the answer is missing"),
    (plain, "eval", "1 plus 2 is 3.", 1, 1, "'The answer is ' must stand here"),
    (plain, "eval", "1 plus 2 is 3.\nThe answer is 3", 2, 16, "'.' must stand here"),
    (plain, "eval", "1 plus 2 is 3!\nThe answer is 3.", 1, 14, "'.' must stand here"),
    (plain, "eval", "1 plus two is 3.\nThe answer is 3.", 1, 8, "a number"),
    (plain, "eval", "1 plus 2 is 3.\n\nThe answer is 3.", 2, 1, "a number"),
    (plain, "eval", "1 plus 2 is 3. \nThe answer is 3.", 1, 15, "nothing may follow"),
    (plain, "eval", "1/2 plus 2 plus 3 is 4, carry 5.\nThe answer is 3.", 1, 1, "an integer"),
    (plain, "mod", "20 reduces to 6.\nThe answer is 3/2.", 2, 15, "an integer"),
    (
        plain,
        "solve",
        "Divide both sides by 0: x = = 3.\nAny x works.",
        1,
        29,
        "x or",
    ),
    (plain, "entails", "4. From 1 and 2, q.\nYes.", 1, 1, "'3. ' must stand here"),
    (plain, "entails", "3. From 1 and 3, q.\nYes.", 1, 15, "no line before line 3"),
    (plain, "entails", "3. From 1 and 2, x.\nYes.", 1, 18, "none of the problem's 5"),
    (plain, "entails", "3. Try p true, p false.\nYes.", 1, 16, "has a value already"),
    (plain, "entails", "3. Try p true, r false.\nYes.", 1, 8, "a value is missing"),
    (plain, "entails", "3. Try p, q.\nYes.", 1, 12, "true or false"),
    (plain, "follows", "3. Celarent on 1 and 2: no A is B.\nYes.", 1, 25, "a statement"),
    (plain, "run", "Sorting gives 1, 2.\nThe answer is .", 2, 15, "a number"),
    (terse, "eval", "7*8=56", 1, 1, "'=' must stand here"),
    (terse, "eval", "7*8=56x\n=56", 1, 7, "nothing may follow"),
    (terse, "eval", "9/6=6/4\n=1", 1, 5, "lowest terms"),
    (terse, "solve", "-2:x=4\n=x", 2, 2, "a number"),
    (terse, "gcd", "6=1*4+2\n4=2*2\n=2", 2, 6, "'\\+' must stand here"),
    (terse, "entails", "mp1,2,q\nyes", 1, 6, "' ' must stand here"),
    (terse, "entails", "mp1,2 p&q|\nyes", 1, 11, "a proposition"),
    (terse, "entails", "try102\nyes", 1, 6, "nothing may follow"),
    (terse, "follows", "bar1,2 A<A\nyes", 1, 8, "one class twice"),
]


@pytest.mark.parametrize(("style", "kind", "text", "line", "column", "reason"), FAULTS)
def test_a_fault_is_told_with_line_and_caret(
    style: ModuleType, kind: str, text: str, line: int, column: int, reason: str
) -> None:
    with pytest.raises(LanguageError, match=reason) as caught:
        style.read(SMALL[kind], text)
    assert caught.value.position is not None
    before = text[: caught.value.position]
    assert (before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1) == (line, column)
    assert str(caught.value).rstrip().endswith("^")


@pytest.mark.parametrize("style", [plain, terse], ids=["plain", "terse"])
def test_a_damaged_text_is_refused_or_is_another_body(style: ModuleType) -> None:
    """One character changed never raises anything but `LanguageError`, nor reads as the same."""
    refused = 0
    for problem, body in random_pairs(9000, 150):
        text = style.show(problem, body)
        rng = random.Random(text)
        place = rng.randrange(len(text))
        damaged = text[:place] + rng.choice("0 x-(),.=\n&q") + text[place + 1 :]
        if damaged.strip() == text.strip():
            continue
        try:
            found = style.read(problem, damaged)
        except LanguageError:
            refused += 1
        else:
            # The one freedom: equal terms in another order, such as `q or p`.
            assert found != body or sorted(damaged) == sorted(text)
    assert refused > 50


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("entails", "assume " + "-" * 5000 + "p\nyes"),
        ("entails", "assume " + "(" * 5000 + "p\nyes"),
        ("entails", "assume " + "&".join("p" * 5000) + "&\nyes"),
        ("entails", "assume " + "|".join("pq" * 5000) + "\nyes"),
        ("solve", "2(" * 5000 + "x=1\n=1"),
        ("solve", "x" + "-(1)" * 5000 + "=1\n=1"),
        ("eval", "1+1=2\n" * 5000 + "=2"),
        ("eval", "1" * (1 << 20) + "+1=2\n=2"),
        ("run", "map" + ",".join("1" * 5000) + "\n=1"),
        ("follows", "no " + ",".join("A" * 5000)),
    ],
    ids=range(10),
)
def test_texts_beyond_the_limits_are_refused_at_once(kind: str, text: str) -> None:
    with pytest.raises(LanguageError):
        terse.read(SMALL[kind], text)


def test_a_line_beyond_the_fortieth_is_refused() -> None:
    problem = read_problem("(entails (given) (or c0 (not c0)))")
    with pytest.raises(LanguageError, match="more than 40 lines"):
        terse.read(problem, "assume p\n" * 41 + "yes")


def test_two_templates_that_are_written_alike_are_refused() -> None:
    tree = Tree()
    number = {"Num": (say_number, parse_number)}
    tree.add("one", pieces("{1} is {2}.", ("Num", "Num"), number))
    with pytest.raises(AssertionError, match="two and one are written alike"):
        tree.add("two", pieces("{1} is {2}.", ("Num", "Num"), number))


def test_every_rule_and_form_of_answer_has_a_template_in_both_styles() -> None:
    assert all(len(row) == 2 and all(row) for row in templates.ROWS.values())
    assert {"mp", "r-add", "qed", "yes", "elem", "l-fold"} < set(templates.ROWS)
