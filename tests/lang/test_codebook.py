"""Codebooks: a name that is the file's hash, and refusal of every other file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.errors import InputRefused, LanguageError
from regime3.lang import codebook, codes, signature
from regime3.lang.codebook import MACRO_NODES_MAX, Codebook
from regime3.lang.codes import BASE, CODE, FIRST_MACRO
from regime3.lang.listing import rows_of

NESTED = (
    (CODE["scale"], 1, CODE["x0"]),  # (scale _ x0)
    (CODE["add"], 0, FIRST_MACRO),  # (add (scale _ x0) _)
    (CODE["imp-i"], 2, CODE["imp"]),
    (CODE["qed"], 0, CODE["yes"]),
    (CODE["l-sort"], 0, CODE["list"]),
)
BOOK = codebook.bare(2).with_macros(NESTED, "ab" * 32)


def test_the_name_is_the_sha256_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    BOOK.save(path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == BOOK.name
    loaded = codebook.load(path, expected=BOOK.name)
    assert loaded == BOOK and hash(loaded) == hash(BOOK)
    assert (loaded.version, loaded.signature) == (signature.VERSION, signature.SHA256)


def test_the_file_is_canonical_json(tmp_path: Path) -> None:
    value = json.loads(BOOK.json)
    assert list(value) == sorted(value)
    assert " " not in BOOK.json and "." not in BOOK.json
    assert value["codes"] == list(BASE)
    assert value["macros"] == [list(macro) for macro in NESTED]


@pytest.mark.parametrize("strategy", [0, 1, 2])
@pytest.mark.parametrize("atoms", [True, False])
@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("negatives", [True, False])
@pytest.mark.parametrize("references", [True, False])
def test_every_option_survives_the_file(
    strategy: int, atoms: bool, references: bool, pairs: bool, negatives: bool
) -> None:
    options = {"atoms": atoms, "negatives": negatives, "pairs": pairs, "references": references}
    if (pairs or negatives) and not atoms:
        lacking = "pairs" if pairs else "negatives"
        with pytest.raises(LanguageError, match=f"options: {lacking} wants atoms"):
            codebook.bare(strategy, **options)
        return
    book = codebook.bare(strategy, **options)
    assert codebook.read(book.json.encode(), "memory", book.name) == book
    assert book.options == options and json.loads(book.json)["codes"] == list(BASE)


def test_pairs_and_negatives_make_other_codebooks() -> None:
    books = [codebook.bare(pairs=p, negatives=n) for p in (True, False) for n in (True, False)]
    assert len({book.name for book in books}) == 4
    assert codebook.bare() == books[-1] and not codebook.bare().options["negatives"]


def test_options_and_macros_say_which_codes_are_assigned() -> None:
    base = set(range(FIRST_MACRO))
    negatives, pairs = set(range(352, 412)), set(range(412, 512))
    assert codebook.bare().assigned == base
    assert codebook.bare(negatives=True).assigned == base | negatives
    assert codebook.bare(pairs=True).assigned == base | pairs
    book = codebook.bare(pairs=True, negatives=True).with_macros(NESTED, "")
    assert book.assigned == {*range(FIRST_MACRO + len(NESTED)), *negatives, *pairs}
    assert [row["code"] for row in rows_of(book, False)][-161:-158] == [
        f"<E{code}>" for code in (FIRST_MACRO + len(NESTED) - 1, 352, 353)
    ]
    assert len(rows_of(book, True)) == len(NESTED)


def test_a_codebook_of_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "book.json"
    BOOK.save(path)
    other = codebook.bare(1).name
    with pytest.raises(InputRefused, match=f"its name is {BOOK.name[:12]}.*{other[:12]}"):
        codebook.load(path, expected=other)
    with pytest.raises(InputRefused, match="packed with codebook"):
        BOOK.demand(other)
    BOOK.demand(BOOK.name)
    with pytest.raises(InputRefused, match="cannot be read"):
        codebook.load(tmp_path / "none.json")


def _macros(*macros: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.update(
        macros=[list(m) if isinstance(m, tuple) else m for m in macros]
    )


def _set(key: str, to: Any) -> Callable[[dict[str, Any]], None]:
    return lambda value: value.update({key: to})


def _options(**changed: Any) -> dict[str, Any]:
    return {"atoms": True, "negatives": False, "pairs": False, "references": True} | changed


def _swap(value: dict[str, Any]) -> None:
    value["codes"][7], value["codes"][8] = value["codes"][8], value["codes"][7]


DOUBLING = [(CODE["imp"], 1, CODE["imp"])]
DOUBLING += [(FIRST_MACRO + n, 0, FIRST_MACRO + n) for n in range(40)]

TAMPERED: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (_macros(*NESTED[1::-1]), r"macros\[0\]: code 296 is not assigned before it"),
    (_macros((FIRST_MACRO, 0, CODE["x0"])), r"macros\[0\]: code 296 is not assigned"),
    (_macros((CODE["add"], 0, FIRST_MACRO)), r"macros\[0\]: code 296 is not assigned"),
    (_macros((CODE["add"], 0, 9999)), r"macros\[0\]: code 9999 is not assigned"),
    (_macros((-1, 0, CODE["x0"])), r"macros\[0\]: code -1 is not assigned"),
    (_macros((CODE["add"], 2, CODE["x0"])), r"x0 in slot 2 of add types nowhere"),
    (_macros((CODE["add"], -1, CODE["x0"])), r"x0 in slot -1 of add types nowhere"),
    (_macros((CODE["imp"], 0, CODE["scale"])), r"scale in slot 0 of imp types nowhere"),
    (_macros((CODE["mp"], 0, CODE["B1"])), r"macros\[0\]: B1 can be no part of a macro"),
    (_macros((CODE["imp"], 0, CODE["c0"])), r"c0 can be no part"),
    (_macros((CODE["scale"], 0, CODE["A5"])), r"A5 can be no part"),
    (_macros((CODE["scale"], 0, CODE["neg"])), r"neg can be no part"),
    (_macros((CODE["list"], 0, CODE["end"])), r"end can be no part"),
    (_macros((CODE["qed!"], 0, CODE["yes"])), r"qed! can be no part"),
    (_macros((CODE["counter"], 0, CODE["true"])), r"true in slot 0 of counter types nowhere"),
    (_macros((CODE["and+"], 3, CODE["not"])), r"not in slot 3 of and\+ types nowhere"),
    (_macros((CODE["r-add"], 3, CODE["r-add"])), r"types nowhere"),
    (_macros(NESTED[0], NESTED[0]), r"macros\[1\]: .* stands there twice"),
    (_macros(*DOUBLING), rf"macros\[6\]: more than {MACRO_NODES_MAX} names"),
    (_macros(*[(CODE["or"], 0, CODE["not"])] * 57), "macros: more than 56"),
    (_macros((CODE["scale"], 0, CODE["N5"])), r"code 356 is not assigned before it"),
    (_macros((CODE["scale"], 0, CODE["P5"])), r"code 417 is not assigned before it"),
    (_macros([1, 2]), r"macros\[0\]: must be three integers"),
    (_macros([1, True, 2]), r"macros\[0\]: must be three integers"),
    (_macros([1, 0.0, 2]), r"macros\[0\]: must be three integers"),
    (_set("macros", {}), "macros: must be of type list"),
    (_swap, r"codes\[7\]: 'lt', where 'rem' stands"),
    (lambda value: value["codes"].append("new"), "codes: 297, where there are 296"),
    (lambda value: value["codes"].pop(), "codes: 295"),
    (_set("signature", "0" * 64), "signature: made for 000000000000"),
    (_set("version", "r3/9"), "version: 'r3/9'"),
    (_set("strategy", 3), "strategy: 3 is none"),
    (_set("strategy", True), "strategy: must be of type int"),
    (_set("options", {"atoms": True}), "options: must be atoms, negatives, pairs, references"),
    (
        _set("options", {"atoms": True, "pairs": False, "references": True}),
        "true or false; negatives is missing",
    ),
    (_set("options", _options(atoms=1)), "options: must be"),
    (_set("options", _options(atoms=[])), "options: must be"),
    (_set("options", _options(pairs=None)), "options: must be"),
    (_set("options", _options(negatives=0)), "options: must be"),
    (_set("options", _options(atoms=False, negatives=True)), "options: negatives wants atoms"),
    (_set("options", _options(pears=True)), "options: must be"),
    (_set("options", _options(atoms=False, pairs=True)), "options: pairs wants atoms"),
    (_set("corpus", "xyz"), "corpus: 'xyz' is no sha256"),
    (_set("more", 1), "wants an object with"),
    (lambda value: value.pop("corpus"), "wants an object with"),
]


@pytest.mark.parametrize(("tamper", "reason"), TAMPERED)
def test_a_tampered_codebook_is_refused_with_place_and_reason(
    tamper: Callable[[dict[str, Any]], Any], reason: str
) -> None:
    value = json.loads(BOOK.json)
    tamper(value)
    data = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    with pytest.raises(InputRefused, match=reason) as refused:
        codebook.read(data, "book.json")
    assert refused.value.file == "book.json"


@pytest.mark.parametrize(
    "data",
    [
        BOOK.json.encode() + b"\n",
        b" " + BOOK.json.encode(),
        BOOK.json.replace(",", ", ").encode(),
        json.dumps(dict(reversed(json.loads(BOOK.json).items())), separators=(",", ":")).encode(),
        BOOK.json.replace('"strategy":2', '"strategy":1,"strategy":2').encode(),
        BOOK.json.replace('"r3', '"\\u00723').encode(),
    ],
)
def test_the_same_codebook_in_another_spelling_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused, match="not canonical JSON"):
        codebook.read(data, "book.json")


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[" * 100_000, b"null", b"[]", b"9" * 5000, b" " * (1 << 17)]
)
def test_what_is_no_codebook_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(InputRefused):
        codebook.read(data, "book.json")


@settings(deadline=None)
@given(st.data())
def test_a_changed_byte_never_goes_unnoticed(data: st.DataObject) -> None:
    text = bytearray(BOOK.json.encode())
    place = data.draw(st.integers(0, len(text) - 1))
    text[place] = data.draw(st.integers(0, 255).filter(lambda byte: byte != text[place]))
    with pytest.raises(InputRefused):
        codebook.read(bytes(text), "book.json", BOOK.name)
    try:
        assert codebook.read(bytes(text), "book.json").name != BOOK.name
    except InputRefused as refused:
        assert refused.reason


def test_a_wrong_codebook_cannot_be_made_in_memory_either() -> None:
    with pytest.raises(LanguageError, match="types nowhere"):
        BOOK.with_macros([(CODE["imp"], 0, CODE["scale"])], "")
    with pytest.raises(LanguageError, match="strategy"):
        codebook.bare(7)


def test_expansions_show_what_a_code_stands_for() -> None:
    shown = [BOOK.expansion(FIRST_MACRO + number) for number in range(len(NESTED))]
    assert shown == [
        "(scale _ x0)",
        "(add (scale _ x0) _)",
        "(imp-i _ _ (imp _ _))",
        "(qed yes)",
        "(l-sort (list _ …))",
    ]
    assert BOOK.expansion(CODE["add"]) == "(add _ _)"
    assert BOOK.expansion(CODE["add+"]) == "(add _ _ _ _ …)"
    assert BOOK.expansion(CODE["sort"]) == "sort"
    assert BOOK.expansion(CODE["x0"]) == "x0"
    assert BOOK.expansion(CODE["A56"]) == "56"
    assert BOOK.expansion(CODE["R0"]).endswith("latest first")
    assert BOOK.expansion(CODE["P7"]) == "digits 07, more follow; least first"
    assert BOOK.expansion(CODE["N7"]) == "-7"
    assert BOOK.expansion(FIRST_MACRO + len(NESTED)) == BOOK.expansion(351) == "reserve"
    assert all(BOOK.expansion(code) for code in range(codes.CODES_MAX))


def test_types_say_where_a_code_may_stand() -> None:
    assert BOOK.type_of(FIRST_MACRO + 1) == "L"
    assert BOOK.type_of(FIRST_MACRO + 3) == "entails>Answer-entails follows>Answer-follows"
    assert BOOK.type_of(CODE["A3"]) == BOOK.type_of(CODE["neg"]) == "Int"
    assert BOOK.type_of(CODE["B3"]) == "Line"
    assert BOOK.type_of(CODE["P0"]) == BOOK.type_of(CODE["P99"]) == "Int"
    assert BOOK.type_of(CODE["N1"]) == BOOK.type_of(CODE["N60"]) == "Int"
    assert BOOK.type_of(351) == BOOK.type_of(512) == ""


def test_open_slots_keep_reading_order() -> None:
    book = codebook.bare().with_macros(
        [(CODE["eqn"], 1, CODE["scale"]), (CODE["sub-both"], 1, FIRST_MACRO)], ""
    )
    assert book.forms[FIRST_MACRO]["Q"] == ("L", "Num", "L")
    assert book.forms[FIRST_MACRO + 1]["solve>Answer-solve"] == ("L", "L", "Num", "L")
    outer = Codebook(0, _options(), book.macros)
    assert outer.forms == book.forms
