"""Reading and printing: every valid text survives, every invalid one is refused at its place."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.problem import read_problem
from regime3.lang.terms import is_literal, literal, parse, place, show, size, value_of
from tests.lang.corpus import lines

INVALID = [line.rsplit(" | ", 2) for line in lines("invalid.txt")]

atoms = st.one_of(
    st.integers(-(10**20), 10**20),
    st.sampled_from(["x0", "x1", "c0", "c11", "l1", "l39", "sort", "true", "none"]),
    st.fractions().map(literal),
)
trees = st.recursive(
    atoms,
    lambda inner: st.tuples(
        st.sampled_from(["add", "list", "given", "try", "counter", "r-mul", "qed"]),
        st.lists(inner, max_size=4),
    ).map(lambda pair: (pair[0], *pair[1])),
    max_leaves=30,
)


@given(trees)
def test_what_is_printed_reads_back(term: object) -> None:
    assert parse(show(term)) == term  # type: ignore[arg-type]


@given(trees)
def test_blanks_do_not_matter(term: object) -> None:
    text = show(term)  # type: ignore[arg-type]
    assert parse(f"\n  {text.replace(' ', '  ').replace(')', ' )')}\t") == term


@pytest.mark.parametrize("text", lines("valid.txt"))
def test_a_valid_problem_is_read_and_printed_as_it_stands(text: str) -> None:
    assert show(read_problem(text).term) == text


@pytest.mark.parametrize(("text", "column", "reason"), INVALID, ids=[row[0] for row in INVALID])
def test_an_invalid_problem_is_refused_with_its_place(text: str, column: str, reason: str) -> None:
    with pytest.raises(LanguageError) as refused:
        read_problem(text)
    assert reason in refused.value.reason
    assert refused.value.position == int(column) - 1
    assert refused.value.message.splitlines()[-1].index("^") - 4 == int(column) - 1


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "(not " * 10_000 + "c0" + ")" * 10_000,
        "(" * 1_000_000,
        ")" * 1_000_000,
        "(list " + "1 " * 500_000 + ")",
        "(list" * 200_000,
        "1" * 1_000_000,
        "x" * 1_000_000,
        " " * 1_000_000,
        "é" * 1_000_000,
    ],
    ids=["open", "deep", "1M open", "1M close", "long list", "lists", "digits", "x", "blank", "é"],
)
def test_floods_are_refused_at_once(text: str) -> None:
    began = time.monotonic()
    with pytest.raises(LanguageError) as refused:
        read_problem(text)
    assert len(refused.value.message) < 500
    assert time.monotonic() - began < 5, "a refusal must not search"


def test_depth_is_allowed_up_to_its_limit_and_no_further() -> None:
    deep = signature.DEPTH_MAX
    assert size(parse("(not " * deep + "c0" + ")" * deep)) == deep + 1
    with pytest.raises(LanguageError, match=f"deeper than {deep}"):
        parse("(not " * (deep + 1) + "c0" + ")" * (deep + 1))


def test_integers_are_allowed_up_to_64_digits() -> None:
    assert parse("-" + "9" * 64) == -signature.INTEGER_MAX
    with pytest.raises(LanguageError, match="64 digits"):
        parse("1" + "0" * 64)


@given(st.fractions())
def test_a_number_and_its_literal_are_one(value: Fraction) -> None:
    found = literal(value)
    assert is_literal(found) and value_of(found) == value and parse(show(found)) == found


def test_an_argument_is_found_in_the_text_by_its_path() -> None:
    text = "(add (mul 7 8)\n  (sub x0 99) 40)"
    assert text[place(text, (1, 1)) :].startswith("99")
    assert text[place(text, (2,)) :].startswith("40")
    assert place(text, ()) == 0


@pytest.mark.parametrize("blank", ["\xa0", "\x0b", "\u2028", "\ud800"])
def test_blanks_of_other_alphabets_are_no_blanks(blank: str) -> None:
    for text in (f"(gcd 4 6){blank}", f"(gcd 4 6){blank})))", f"(gcd{blank}4 6)", f"5{blank}junk"):
        with pytest.raises(LanguageError):
            parse(text)
