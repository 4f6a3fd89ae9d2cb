"""Problems and bodies: what is read is typed and canonical; a bad place is named."""

from __future__ import annotations

import pytest

from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.problem import (
    body_of,
    cut_steps,
    problem_of,
    read_body,
    read_problem,
    show_body,
    step_of_term,
)
from tests.lang.corpus import examples, lines

GCD = read_problem("(gcd 462 147)")
LOGIC = read_problem("(entails (given (or c0 c1) (not c1)) c0)")


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["number"])
def test_the_worked_examples_read_and_print(example: dict[str, str]) -> None:
    problem = read_problem(example["problem"])
    body = read_body(problem, example["body"])
    assert read_body(problem, show_body(body)) == body
    assert show_body(body).replace("\n", " ") == " ".join(example["body"].split())
    assert body_of(problem, body) == body


@pytest.mark.parametrize(
    ("body", "place", "reason"),
    [
        ("(r-divmod 462 147 3) (qed 1)", 0, "wants 4 arguments, not 3"),
        ("(r-divmod 462 147 3 x0) (qed 1)", 20, "an integer"),
        ("(mp l1 l2 c0) (qed 1)", 0, "no rule of gcd"),
        ("(add 1 2) (qed 1)", 0, "no rule"),
        ("foo (qed 1)", 0, "unknown name"),
        ("(r-divmod 462 147 3 21) 7 (qed 1)", 24, "a step is"),
        ("(qed 1) (qed 2)", 8, "nothing may follow"),
        ("(qed 1))", 7, "nothing may follow"),
        ("(qed (frac 1 2))", 5, "an integer"),
        ("(r-divmod 462 147 3 21)", 23, "is missing"),
        ("", 0, "is missing"),
    ],
)
def test_a_body_that_cannot_be_read_names_the_place(body: str, place: int, reason: str) -> None:
    with pytest.raises(LanguageError) as refused:
        read_body(GCD, body)
    assert reason in refused.value.reason
    assert refused.value.position == place


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("(mp l1 l3 c0)", "l3 is no line before line 3"),
        ("(mp l1 l0 c0)", "unknown name"),
        ("(mp l1 c0 c0)", "a line"),
        ("(assume c2)", "none of the problem's 2 constants"),
        ("(try " + "true " * 13 + ")", "more than 12 values"),
        ("(val c0 c0)", "true or false"),
    ],
)
def test_a_step_out_of_scope_is_refused(step: str, reason: str) -> None:
    with pytest.raises(LanguageError, match=reason.replace("(", r"\(")):
        read_body(LOGIC, f"{step} (qed yes)")


def test_a_reader_makes_steps_canonical() -> None:
    body = read_body(LOGIC, "(assume (and c1 c0 c1)) (qed yes)")
    assert body[0] == ("assume", ("and", "c0", "c1"))


def test_steps_are_cut_apart_without_being_read() -> None:
    text = " (a 1 (b)) junk (c) ) (d (e)"
    assert [text[i:j] for i, j in cut_steps(text)] == ["(a 1 (b))", "junk", "(c)", ")", "(d (e)"]


def test_limits_hold_for_problems() -> None:
    numbers = " ".join(str(i) for i in range(signature.LIST_MAX))
    assert problem_of(("run", ("pipe", "sort"), ("list", *range(signature.LIST_MAX))))
    with pytest.raises(LanguageError, match="more than 64 items"):
        read_problem(f"(run (pipe sort) (list {numbers} 7))")
    with pytest.raises(LanguageError, match="more than 1024 nodes"):
        problem_of(("eval", ("add", *range(signature.PROBLEM_NODES_MAX))))
    names = " ".join(f"c{i}" for i in range(13))
    with pytest.raises(LanguageError, match="none of the problem's 12 constants"):
        read_problem(f"(entails (given {names}) c0)")
    with pytest.raises(LanguageError, match="more than 39 premises"):
        read_problem(f"(entails (given {'c0 ' * 40}) c0)")


def test_limits_hold_for_bodies() -> None:
    step = "(r-divmod 462 147 3 21) "
    assert len(read_body(GCD, step * 511 + "(qed 1)")) == 512
    with pytest.raises(LanguageError, match="more than 512 steps"):
        read_body(GCD, step * 512 + "(qed 1)")
    assert step_of_term(LOGIC, ("assume", "c0"), 37)
    with pytest.raises(LanguageError, match="more than 40 lines"):
        step_of_term(LOGIC, ("assume", "c0"), 38)


def test_terms_that_no_text_could_spell_are_refused_too() -> None:
    deep: object = 1
    for _ in range(10_000):
        deep = ("not", deep)
    for bad in [deep, ("eval", True), ("eval", ("frac", 2, 4)), ("eval", 10**64), ("nope", 1)]:
        with pytest.raises(LanguageError):
            problem_of(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", lines("valid.txt"))
def test_a_problem_made_from_a_term_is_the_one_read(text: str) -> None:
    problem = read_problem(text)
    assert problem_of(problem.term) == problem
