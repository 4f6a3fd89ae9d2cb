"""Judging what a model wrote: by the checker, whatever the spelling, and never by its text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3 import tasks
from regime3.errors import InputRefused
from regime3.lang import codebook
from regime3.lang.codes import CODE, tokens_text
from regime3.lang.english import plain
from regime3.lang.pack import Packer
from regime3.lang.problem import read_body, read_problem, show_body
from regime3.tasks.family import Sample
from regime3.tasks.rows import row, spelled, translation
from regime3.tasks.verdict import Judged, judge, judge_row, marker_of

BOOK = codebook.bare()
GCD = read_problem("(gcd 462 147)")
RIGHT = "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 21)"
WRONG_STEP = "(r-divmod 462 147 3 20) (r-divmod 147 20 7 7) (qed 21)"
WRONG_ANSWER = "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 7)"
IMPLIED_WRONG = "(r-divmod 462 147 3 0) (qed 147)"
"""The last step is wrong, and the answer is what the state then implies: `qed!`."""
SAMPLES = [tasks.sample(family, 2, "heldout", n) for family in tasks.FAMILIES for n in range(3)]


def judged(text: str, regime: int, problem: Any = GCD) -> Judged:
    return judge(problem, regime, *spelled(problem, read_body(problem, text), regime, BOOK), BOOK)


@pytest.mark.parametrize("regime", [1, 2, 3])
def test_every_regime_is_judged_alike(regime: int) -> None:
    found = judged(RIGHT, regime)
    assert (found.valid, found.right, found.index, found.steps, found.share) == (
        True, True, 0, 3, 1.0,
    )  # fmt: skip
    assert found.reason == ""
    found = judged(WRONG_STEP, regime)
    assert (found.valid, found.right, found.index, found.share) == (False, True, 1, 0.0)
    assert found.step == "(r-divmod 462 147 3 20)"
    assert found.reason == "expected 21; found 20"
    found = judged(WRONG_ANSWER, regime)
    assert (found.valid, found.right, found.index) == (False, False, 3)
    assert found.share == pytest.approx(2 / 3)


@pytest.mark.parametrize("regime", [1, 2, 3])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.family}-{s.index}")
def test_oracles_are_right_in_every_regime(sample: Sample, regime: int) -> None:
    assert judge(sample.problem, regime, *spelled(sample.problem, sample.body, regime, BOOK), BOOK)\
        .valid  # fmt: skip
    assert judge_row(row(sample, regime, BOOK), BOOK).valid


def test_the_same_code_is_right_after_right_steps_and_wrong_after_wrong_ones() -> None:
    implied = tokens_text([CODE["qed!"]])
    right, wrong = (
        tokens_text(Packer(BOOK).pack(GCD, read_body(GCD, text))) for text in (RIGHT, IMPLIED_WRONG)
    )
    assert right.endswith(implied) and wrong.endswith(implied)
    first = judge(GCD, 3, right.removesuffix(implied), implied, BOOK)
    second = judge(GCD, 3, wrong.removesuffix(implied), implied, BOOK)
    assert (first.right, second.right) == (True, False)


def test_how_a_body_is_divided_does_not_matter() -> None:
    thought, answer = spelled(GCD, read_body(GCD, RIGHT), 2, BOOK)
    assert judge(GCD, 2, "", f"{thought}\n{answer}", None).valid
    assert judge(GCD, 2, f"\n {thought}\n{answer}\n", "", None).valid
    thought, answer = spelled(GCD, read_body(GCD, RIGHT), 3, BOOK)
    assert judge(GCD, 3, "", f" {thought}\n{answer} ", BOOK).valid


def test_a_lone_answer_is_right_when_the_oracle_says_the_same() -> None:
    text = "(eval (sub (mul 3 4) 2))"
    skipped = judge(text, 2, "", "(qed 10)", None)
    assert (skipped.valid, skipped.right) == (False, True)
    assert not judge(text, 2, "", "(qed 11)", None).right


def test_any_counter_model_that_holds_is_right() -> None:
    problem = "(entails (given (or c0 c1)) (and c0 c1))"
    for values, right in (("true false", True), ("false true", True), ("true true", False)):
        found = judge(problem, 2, "(assume c0)", f"(qed (counter {values}))", None)
        assert found.right is right, values


@pytest.mark.parametrize(
    ("regime", "thought", "answer", "index", "found"),
    [
        (2, "(r-divmod 462 147 3 21)\n(r-divmod 147 21", "(qed 21)", 2, "never closed"),
        (1, "Divide 462 by 147 to get 3, remainder 21.\nAnd so on.", "The answer is 21.", 2, ""),
        (3, tokens_text([CODE["A3"], CODE["A21"]]), "21", 1, "is no code"),
        (3, tokens_text([CODE["A3"], CODE["map"]]), tokens_text([CODE["qed!"]]), 1, "code 1, map"),
        (1, "", "", 1, ""),
        (2, "", "", 1, ""),
        (3, "", "", 1, ""),
    ],
)
def test_what_cannot_be_read_is_wrong_and_says_where(
    regime: int, thought: str, answer: str, index: int, found: str
) -> None:
    result = judge(GCD, regime, thought, answer, BOOK)
    assert (result.valid, result.right, result.share, result.body) == (False, False, 0.0, None)
    assert result.index == index
    assert result.expected and result.found and found in result.found


def test_codes_without_a_codebook_are_not_read() -> None:
    found = judge(GCD, 3, *spelled(GCD, read_body(GCD, RIGHT), 3, BOOK), None)
    assert not found.right and "codebook" in found.found


def test_a_bad_problem_is_bad_at_0() -> None:
    found = judge("(gcd 0 0)", 2, "", "(qed 0)", None)
    assert (found.valid, found.index, found.expected) == (False, 0, "a problem")


WRITTEN = st.one_of(
    st.text(max_size=80),
    st.lists(st.integers(0, 511), max_size=12).map(tokens_text),
    st.lists(st.sampled_from(["(", ")", "qed", " ", "21", "r-divmod", "-", "x0"]), max_size=20).map(
        "".join
    ),
)


@settings(max_examples=300, deadline=None)
@given(regime=st.sampled_from([1, 2, 3]), thought=WRITTEN, answer=WRITTEN)
def test_nothing_that_a_model_writes_raises(regime: int, thought: str, answer: str) -> None:
    judge(GCD, regime, thought, answer, BOOK)


# ---------------------------------------------------------------------------------------- rows


def sample_of(text: str) -> Sample:
    return Sample("numbers", 1, "train", 0, GCD, read_body(GCD, text), "Which divisor?", "0" * 64)


def test_a_row_is_judged_in_its_own_regime() -> None:
    for regime in (1, 2, 3):
        assert judge_row(row(sample_of(RIGHT), regime, BOOK), BOOK).valid
        assert judge_row(row(sample_of(WRONG_STEP), regime, BOOK), BOOK).index == 1


def test_a_row_that_names_no_regime_is_judged_by_its_look() -> None:
    for regime in (1, 2, 3):
        made = row(sample_of(RIGHT), regime, BOOK)
        del made["regime"]
        assert judge_row(made, BOOK).valid


def test_codes_of_another_codebook_are_refused() -> None:
    other = codebook.bare(strategy=1)
    with pytest.raises(InputRefused, match=BOOK.name[:12]):
        judge_row(row(sample_of(RIGHT), 3, BOOK), other)
    assert judge_row(row(sample_of(RIGHT), 2, BOOK), other).valid


@pytest.mark.parametrize(
    "broken",
    [
        {"messages": []},
        {"problem": "(gcd 462 147)"},
        {"problem": 3, "messages": []},
        {"problem": "(gcd 462 147)", "messages": ["hello"]},
        {"problem": "(gcd 462 147)", "messages": [{"role": ["user"], "content": 1}]},
        {"problem": "(gcd 462 147)", "messages": [{"role": "user", "content": "hello"}]},
    ],
)
def test_what_is_no_row_about_a_problem_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(InputRefused):
        judge_row(broken, BOOK)


def test_a_translation_must_be_the_same_body_and_not_merely_a_right_one() -> None:
    made = translation(sample_of(RIGHT), 1, 3, BOOK)
    assert judge_row(made, BOOK).valid
    other = translation(sample_of(WRONG_STEP), 1, 3, BOOK)
    assert judge_row(other, BOOK).valid, "a wrong body, faithfully translated"
    mixed = {**made, "messages": [*made["messages"][:2], other["messages"][2]]}
    found = judge_row(mixed, BOOK)
    assert (found.valid, found.right, found.index) == (False, False, 1)
    assert (found.expected, found.found) == ("(r-divmod 462 147 3 21)", "(r-divmod 462 147 3 20)")


def test_a_translation_of_what_cannot_be_read_is_bad() -> None:
    made = translation(sample_of(RIGHT), 2, 1, BOOK)
    made["messages"][1]["content"] += ")"
    found = judge_row(made, BOOK)
    assert not found.valid and found.expected == "a body to translate"


# ------------------------------------------------------------------------------------- markers


def test_a_marker_judges_completions_by_the_checker() -> None:
    for regime in (1, 2, 3):
        mark = marker_of(row(sample_of(RIGHT), regime, BOOK), BOOK)
        assert mark is not None
        for text, right in ((RIGHT, True), (WRONG_STEP, True), (IMPLIED_WRONG, False)):
            assert mark(*spelled(GCD, read_body(GCD, text), regime, BOOK)) is right
        assert not mark("", "21")


def test_a_marker_of_a_translation_wants_the_same_body() -> None:
    mark = marker_of(translation(sample_of(RIGHT), 1, 2, BOOK), BOOK)
    assert mark is not None
    assert mark("", show_body(read_body(GCD, RIGHT)))
    assert not mark("", show_body(read_body(GCD, WRONG_STEP)))
    assert not mark("", plain.show(GCD, read_body(GCD, RIGHT)))


def test_rows_that_the_checker_cannot_judge_have_no_marker() -> None:
    good = row(sample_of(RIGHT), 3, BOOK)
    assert marker_of(good, None) is None, "the model has no codes"
    assert marker_of(good, codebook.bare(strategy=1)) is None, "codes of another codebook"
    assert marker_of({**good, "problem": "How many apples?"}, BOOK) is None
    assert marker_of({**good, "regime": 4}, BOOK) is None
    assert marker_of({**good, "regime": "3"}, BOOK) is None
    assert marker_of({"messages": good["messages"]}, BOOK) is None
    assert marker_of(row(sample_of(WRONG_STEP), 3, BOOK), BOOK) is None, "itself wrong"
