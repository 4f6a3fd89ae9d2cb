"""Chat rows: one body in three regimes and in translation, whole again when read back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from regime3 import tasks
from regime3.lang import codebook, codes
from regime3.lang.codes import CODE, read_tokens, tokens_text
from regime3.lang.english import plain
from regime3.lang.pack import Packer
from regime3.lang.problem import problem_of, read_body, read_problem, show_body
from regime3.lang.unpack import Unpacker
from regime3.spool.decode import decode_row
from regime3.tasks.family import Sample
from regime3.tasks.rows import joined, row, spelled, translation

BOOK = codebook.bare()
SAMPLES = [
    tasks.sample(family, level, "train", index)
    for family in tasks.FAMILIES
    for level in (1, 6)
    for index in (0, 1)
]
GCD = Sample(
    family="numbers",
    level=1,
    split="heldout",
    index=7,
    problem=read_problem("(gcd 462 147)"),
    body=read_body(
        read_problem("(gcd 462 147)"),
        "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 21)",
    ),
    prompt="What is the greatest common divisor of 462 and 147?",
    fingerprint="0" * 64,
)


def reply(made: dict[str, Any]) -> dict[str, str]:
    found = made["messages"][-1]
    assert isinstance(found, dict)
    return found


def test_a_row_says_what_it_is_of() -> None:
    assert row(GCD, 2, BOOK) == {
        "messages": [
            {"role": "system", "content": "Think in S-expressions."},
            {"role": "user", "content": "What is the greatest common divisor of 462 and 147?"},
            {
                "role": "assistant",
                "reasoning_content": "(r-divmod 462 147 3 21)\n(r-divmod 147 21 7 0)",
                "content": "(qed 21)",
            },
        ],
        "problem": "(gcd 462 147)",
        "family": "numbers",
        "level": 1,
        "regime": 2,
        "split": "heldout",
        "index": 7,
    }


def test_the_three_regimes_are_told_apart_by_the_system_prompt() -> None:
    systems = [row(GCD, regime, BOOK)["messages"][0]["content"] for regime in (1, 2, 3)]
    assert systems == ["Think in English.", "Think in S-expressions.", "Think in codes."]
    assert len({row(GCD, regime, BOOK)["messages"][1]["content"] for regime in (1, 2, 3)}) == 1


def test_codes_are_tokens_with_nothing_between_and_the_codebook_is_named() -> None:
    made = row(GCD, 3, BOOK)
    steps = tokens_text([CODE["A21"], CODE["A0"]])
    assert reply(made)["reasoning_content"] == steps
    assert reply(made)["content"] == tokens_text([CODE["qed!"]])
    assert made["codebook"] == BOOK.name
    assert "codebook" not in row(GCD, 1, BOOK)


def test_a_spelled_answer_is_cut_where_it_begins() -> None:
    wrong = read_body(GCD.problem, "(r-divmod 462 147 3 20) (r-divmod 147 20 7 7) (qed 21)")
    _, answer = spelled(GCD.problem, wrong, 3, BOOK)
    assert answer == tokens_text([CODE["qed"], CODE["A21"]])


def test_a_spelled_answer_in_a_macro_is_cut_where_it_begins() -> None:
    book = BOOK.with_macros([(CODE["qed"], 0, CODE["yes"])], "")
    problem = read_problem("(entails (given c0 c1) (and c0 c1))")
    text = "(and-i l1 l2 (and c0 c1)) (assume c0) (qed yes)"
    steps, answer = spelled(problem, read_body(problem, text), 3, book)
    assert answer == codes.token(codes.FIRST_MACRO)
    assert read_tokens(steps + answer) == Packer(book).pack(problem, read_body(problem, text))


def test_bare_results_in_pairs_are_no_macros() -> None:
    book = codebook.bare(pairs=True)
    problem = read_problem("(eval (add (mul 20 30) 6))")
    body = read_body(problem, "(r-mul 20 30 600) (r-add 600 6 606) (qed 606)")
    steps, answer = spelled(problem, body, 3, book)
    assert codes.names_text(read_tokens(steps)) == "P0 A6 P6 A6"
    assert answer == codes.token(CODE["qed!"])


def test_bare_results_below_zero_are_no_macros() -> None:
    book = codebook.bare(negatives=True)
    problem = read_problem("(eval (sub (mul 2 3) 60))")
    body = read_body(problem, "(r-mul 2 3 6) (r-sub 6 60 -54) (qed -54)")
    steps, answer = spelled(problem, body, 3, book)
    assert codes.names_text(read_tokens(steps)) == "A6 N54"
    assert answer == codes.token(CODE["qed!"])


def test_an_answer_alone_has_no_reasoning() -> None:
    problem = read_problem("(gcd 5 0)")
    alone = Sample("numbers", 1, "train", 0, problem, read_body(problem, "(qed 5)"), "?", "0")
    for regime, content in (
        (1, "The answer is 5."),
        (2, "(qed 5)"),
        (3, codes.token(CODE["qed!"])),
    ):
        message = reply(row(alone, regime, BOOK))
        assert message == {"role": "assistant", "content": content}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: f"{s.family}-{s.level}-{s.index}")
def test_reasoning_and_answer_are_the_whole_body_in_every_regime(sample: Sample) -> None:
    read = {
        1: plain.read,
        2: read_body,
        3: lambda problem, text: Unpacker(BOOK).unpack(problem, read_tokens(text)),
    }
    for regime in (1, 2, 3):
        made = row(sample, regime, BOOK)
        message = reply(made)
        text = joined(regime, message.get("reasoning_content", ""), message["content"])
        problem = read_problem(made["problem"])
        assert problem == sample.problem
        assert read[regime](problem, text) == sample.body
        assert "\n" not in message["content"]
        for source in {1, 2, 3} - {regime}:
            other = translation(sample, source, regime, BOOK)
            assert reply(other) == {"role": "assistant", "content": text}
            given = other["messages"][1]["content"].removeprefix(f"{sample.prompt}\n\n")
            assert read[source](problem, given) == sample.body


def test_a_translation_names_both_regimes() -> None:
    made = translation(GCD, 3, 1, BOOK)
    assert made["messages"][0] == {"role": "system", "content": "Rewrite in English."}
    assert (made["regime"], made["source_regime"], made["codebook"]) == (1, 3, BOOK.name)
    assert "codebook" not in translation(GCD, 2, 1, BOOK)


def test_rows_are_read_like_any_chat_row() -> None:
    for made in (row(GCD, 3, BOOK), translation(GCD, 1, 3, BOOK)):
        found, adapter = decode_row(json.dumps(made, ensure_ascii=False).encode())
        assert adapter == "messages"
        assert found.messages[-1].content == reply(made)["content"]
        assert found.messages[-1].reasoning_content == reply(made).get("reasoning_content")


def test_rows_of_a_problem_that_was_not_canonical_read_back_as_it() -> None:
    problem = problem_of(("eval", ("add", 40, 2, ("mul", 7, 8))))
    body = tasks.FAMILIES["arithmetic"].solve(problem)
    made = row(Sample("arithmetic", 1, "train", 0, problem, body, "?", "0"), 2, BOOK)
    assert read_problem(made["problem"]) == problem
    assert reply(made)["content"] == show_body(body).rpartition("\n")[2]
