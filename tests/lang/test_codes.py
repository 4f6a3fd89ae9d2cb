"""Codes: their numbers, their names, their spelling as tokens."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.errors import LanguageError
from regime3.lang import codes, signature
from regime3.lang.codes import BASE, CODE, CODES_MAX, FIRST_MACRO, FORMS


def test_the_base_codes_are_those_of_the_specification_in_its_order() -> None:
    assert len(BASE) == len(set(BASE)) == 296
    assert BASE[:100] == signature.NAMES
    assert BASE[100:107] == ("add+", "mul+", "and+", "or+", "end", "x0", "x1")
    runs = [("c0", "c11", 12), ("B1", "B39", 39), ("D0", "D9", 10), ("T0", "T9", 10)]
    for first, last, count in [*runs, ("R0", "R15", 16), ("A0", "A99", 100)]:
        assert CODE[last] - CODE[first] == count - 1
    order = [
        "frac",
        "qed",
        "elem",
        "add+",
        "end",
        "c0",
        "B1",
        "neg",
        "D0",
        "T0",
        "R0",
        "qed!",
        "A0",
    ]
    assert [CODE[name] for name in order] == sorted(CODE[name] for name in order)
    assert (CODE["qed!"], CODE["A56"], FIRST_MACRO) == (195, 252, 296)


def test_pairs_are_the_last_codes_of_all() -> None:
    assert (CODE["P0"], CODE["P99"], CODES_MAX) == (412, 511, 512)
    assert not {CODE["P0"], CODE["P99"]} & set(range(len(FORMS)))
    assert codes.MEANINGS[CODE["P7"]].startswith("digits 07, more follow")


def test_negatives_come_after_the_macros_and_before_the_pairs() -> None:
    assert (CODE["N1"], CODE["N60"]) == (352, 411) and "N0" not in CODE
    assert codes.MACROS_MAX == 56 and codes.MACRO_END == FIRST_MACRO + codes.MACROS_MAX == 352
    assert codes.names_text([351, 352, 411, 412, 511]) == "M55 N1 N60 P0 P99"
    assert codes.MEANINGS[CODE["N7"]] == "-7"
    assert len(CODE) == len(set(CODE.values())) == 296 + 60 + 100


@settings(deadline=None)
@given(st.lists(st.integers(0, CODES_MAX - 1)))
def test_tokens_and_names_read_back(numbers: list[int]) -> None:
    assert codes.read_tokens(codes.tokens_text(numbers)) == numbers
    assert codes.read_tokens(codes.names_text(numbers)) == numbers


def test_tokens_and_names_mix_with_or_without_blanks() -> None:
    assert codes.read_tokens(" A56<E254>\n<E000> <E511>qed! M3 ") == [252, 254, 0, 511, 195, 299]
    assert codes.read_tokens("") == []


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("<E512>", 0),
        ("A1 <E12>", 3),
        ("A1 <E0001>", 3),
        ("A1 A2 A100", 6),
        ("<<E001>", 0),
        ("<E001", 0),
        ("<E٠٠١>", 0),
        ("M56", 0),
        ("N0", 0),
        ("N61", 0),
        ("N1 N01", 3),
        ("P100", 0),
        ("A1 P00", 3),
        ("M00", 0),
        ("D1 B0", 3),
        ("<E001> l1", 7),
    ],
)
def test_what_is_no_code_is_refused_with_its_place(text: str, place: int) -> None:
    with pytest.raises(LanguageError) as refused:
        codes.read_tokens(text)
    assert refused.value.position == place


@settings(deadline=None)
@given(st.text(alphabet="<E01 5>AMNPqed!-\n"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = codes.read_tokens(text)
    except LanguageError as refused:
        assert refused.position is not None and 0 <= refused.position < len(text)
    else:
        assert codes.read_tokens(codes.tokens_text(found)) == found


def test_two_arguments_take_the_name_and_more_take_plus() -> None:
    assert FORMS[CODE["and"]]["P"] == ("P", "P")
    assert FORMS[CODE["and+"]]["P"] == ("P", "P", "P", "P*")
    assert FORMS[CODE["list"]]["List"] == ("Int*",)
    assert FORMS[CODE["add"]]["L"] == ("L", "L")


def test_steps_and_answers_have_forms_by_problem() -> None:
    assert FORMS[CODE["r-add"]]["eval>Num"] == ("Num", "Num", "Num")
    assert FORMS[CODE["r-add"]]["mod>Int"] == ("Int", "Int", "Int")
    assert "gcd>Int" not in FORMS[CODE["r-add"]]
    assert FORMS[CODE["qed"]]["run>Int"] == ("Int",)
    assert FORMS[CODE["qed"]]["run>List"] == ("List",)
    assert FORMS[CODE["end"]] == {"Long": ()}
    assert all(not FORMS[CODE[name]] for name in ("neg", "D0", "T9", "R0", "qed!", "A0"))
