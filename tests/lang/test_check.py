"""Verdicts: the worked examples, what is misread, missing or too much, and mutations."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.lang.check import Verdict, check, check_text
from regime3.lang.problem import read_body, read_problem
from tests.lang.corpus import examples

GCD = "(gcd 462 147)"
RIGHT = "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 21)"
ARITHMETIC = ("eval", "mod", "gcd", "factor", "solve", "run")


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["number"])
def test_a_worked_example_has_its_verdict(example: dict[str, str]) -> None:
    problem = read_problem(example["problem"])
    for verdict in (
        check_text(problem, example["body"]),
        check_text(example["problem"], example["body"]),
        check(problem, read_body(problem, example["body"])),
    ):
        said = "accepted" if verdict.accepted else str(verdict.index)
        assert said == example["verdict"]


def test_an_accepted_body_has_no_bad_step() -> None:
    assert check_text(GCD, RIGHT) == Verdict(True, 0, "", "", 3)


def test_a_wrong_number_is_named_with_the_right_one() -> None:
    wrong = RIGHT.replace("3 21)", "3 20)")
    assert check_text(GCD, wrong) == Verdict(False, 1, "21", "20", 3)


def test_only_the_first_bad_step_is_told() -> None:
    verdict = check_text(GCD, "(r-divmod 462 147 3 21) (r-divmod 9 9 9 9) (qed 9)")
    assert (verdict.index, verdict.expected, verdict.found) == (2, "147 21", "9 9")


@pytest.mark.parametrize(
    "problem", ["", "(gcd 0 0)", "(gcd 4", "(gcd 4 6) 7", "(frobnicate 1)", "4", "(qed 1)"]
)
def test_a_bad_problem_is_bad_at_0(problem: str) -> None:
    verdict = check_text(problem, RIGHT)
    assert (verdict.accepted, verdict.index, verdict.expected) == (False, 0, "a problem")
    assert verdict.found


@pytest.mark.parametrize(
    ("body", "index"),
    [
        ("", 1),
        ("   \n ", 1),
        ("(r-divmod 462 147 3 21)", 2),
        ("(r-divmod 462 147 3 21) (r-divmod 147 21 7 0)", 3),
    ],
)
def test_a_missing_answer_is_bad_one_past_the_last(body: str, index: int) -> None:
    verdict = check_text(GCD, body)
    assert verdict == Verdict(False, index, "(qed …)", "the end", index - 1)


def test_a_missing_answer_in_a_body_of_terms_is_bad_one_past_the_last() -> None:
    problem = read_problem(GCD)
    body = read_body(problem, RIGHT)
    assert check(problem, body[:-1]).index == 3
    assert check(problem, ()).index == 1


@pytest.mark.parametrize("more", ["(qed 21)", "(r-divmod 21 0 0 0)", "foo", ")", "(", "(qed 21"])
def test_anything_after_the_answer_is_bad_at_its_own_index(more: str) -> None:
    verdict = check_text(GCD, f"{RIGHT} {more}")
    assert (verdict.accepted, verdict.index) == (False, 4)
    assert verdict.expected == "nothing after (qed …)"


def test_a_step_after_the_answer_in_a_body_of_terms_is_bad_at_its_own_index() -> None:
    problem = read_problem(GCD)
    body = read_body(problem, RIGHT)
    assert check(problem, (*body, body[0])).index == 4


def test_a_wrong_answer_comes_before_what_follows_it() -> None:
    assert check_text(GCD, RIGHT.replace("qed 21", "qed 22") + " (qed 21)").index == 3


@pytest.mark.parametrize(
    "misread",
    [
        "(r-divmod 147 21 7)",
        "(r-divmod 147 21 7 0 0)",
        "(r-divmod 147 21 7 x0)",
        "(r-divmod 147 021 7 0)",
        "(r-divmod 147 21 7 (frac 1 2))",
        "(mp l1 l2 c0)",
        "(r-nothing)",
        "(f-div 147 3 49)",
        "()",
        "((r-divmod 147 21 7 0))",
        "r-divmod",
        "<E003>",
        f"(r-divmod 147 21 7 {'1' * 65})",
    ],
)
def test_a_step_that_cannot_be_read_is_bad_at_its_own_index(misread: str) -> None:
    verdict = check_text(GCD, f"(r-divmod 462 147 3 21) {misread} (qed 21)")
    assert (verdict.accepted, verdict.index) == (False, 2)
    assert (verdict.expected, verdict.steps) == ("a step", 3)
    assert verdict.found


def test_a_wrong_step_comes_before_one_that_cannot_be_read() -> None:
    assert check_text(GCD, "(r-divmod 462 147 3 20) (what) (qed 21)").index == 1
    assert check_text(GCD, "(what) (r-divmod 462 147 3 20) (qed 21)").index == 1


def test_steps_are_cut_apart_before_any_is_read() -> None:
    verdict = check_text(GCD, "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 21")
    assert (verdict.index, verdict.steps) == (3, 3)
    verdict = check_text(GCD, "(r-divmod 462 147 3 21) (r-divmod 147 (21 7 0) (qed 21)")
    assert (verdict.index, verdict.steps) == (2, 2)


def test_fractions_have_to_be_written_in_lowest_terms() -> None:
    verdict = check_text("(eval (div 2 4))", "(r-div 2 4 (frac 2 4)) (qed (frac 1 2))")
    assert (verdict.index, verdict.expected) == (1, "a step")


def test_the_problem_may_be_spelled_in_any_order_but_stands_in_the_canonical_one() -> None:
    body = "(r-mul 7 8 56) (r-add 56 2 58) (r-add 58 40 98) (qed 98)"
    assert check_text("(eval (add 40 (add 2 (mul 8 7))))", body).accepted


def test_the_512th_step_may_be_the_answer_and_no_later_one() -> None:
    swaps = ["(swap (eqn x0 3))", "(swap (eqn 3 x0))"]
    for count, accepted in ((511, True), (513, False)):
        steps = [swaps[number % 2] for number in range(count)]
        verdict = check_text("(solve (eqn 3 x0))", " ".join(steps) + " (qed 3)")
        assert verdict.accepted is accepted
    assert (verdict.index, verdict.expected) == (513, "a step")


def test_a_text_that_is_too_long_is_refused_unread() -> None:
    verdict = check_text(GCD, RIGHT + " " * (1 << 20))
    assert (verdict.accepted, verdict.index) == (False, 1)


@pytest.mark.parametrize(
    "text", ["(" * 100_000, ")" * 100_000, "(add " * 50_000, "((" + "()" * 50_000, "\0", "é(qed 1)"]
)
def test_no_text_makes_the_checker_raise(text: str) -> None:
    assert not check_text(GCD, text).accepted
    assert check_text(text, RIGHT).index == 0


def _without(steps: list[Any], index: int) -> list[Any]:
    return steps[:index] + steps[index + 1 :]


@pytest.mark.parametrize(
    "example",
    [
        each
        for each in examples()
        if each["verdict"] == "accepted" and each["problem"][1:].split()[0] in ARITHMETIC
    ],
    ids=lambda example: example["number"],
)
def test_right_traces_with_a_step_dropped_repeated_or_cut_off_are_rejected(
    example: dict[str, str],
) -> None:
    problem = read_problem(example["problem"])
    steps = list(read_body(problem, example["body"]))
    for index in range(len(steps)):
        assert check(problem, tuple(_without(steps, index))).index == index + 1
        repeated = (*steps[: index + 1], *steps[index:])
        assert check(problem, repeated).index == index + 2
        if index < len(steps) - 1:
            assert check(problem, (*steps[:index], steps[-1])).index == index + 1
