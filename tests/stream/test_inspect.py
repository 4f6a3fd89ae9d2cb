"""`r3 data check` and `r3 data show`: what is shown is what would be trained."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from transformers import AutoTokenizer

from regime3.config import Examples
from regime3.errors import InputRefused
from regime3.model import nano_tokenizer
from regime3.model.chat import ChatRenderer
from regime3.records.rows import Row
from regime3.stream.inspect import check_rows, painted, show_row


@pytest.fixture(scope="module")
def renderer() -> ChatRenderer:
    tokenizer = AutoTokenizer.from_pretrained(nano_tokenizer.ship_to())
    return ChatRenderer(tokenizer, Examples(), 128)


def decode(raw: bytes) -> tuple[Row, str]:
    try:
        return msgspec.json.decode(raw, type=Row), "messages"
    except msgspec.MsgspecError as error:
        raise InputRefused(str(error)) from None


def line(*contents: str, **last: Any) -> bytes:
    roles = ("user", "assistant")
    messages = [
        {"role": roles[number % 2], "content": content} for number, content in enumerate(contents)
    ]
    messages[-1] |= last
    return json.dumps({"messages": messages}).encode() + b"\n"


LINES = [
    line("Hi", "Hello."),
    line("2+2?", "4", reasoning_content="Two and two."),
    line("Hi", "Hello."),
    b"not json\n",
    line("a", "9" * 300),
    line("a", "9" * 200),
    line("a", "Yes.", "8" * 300, "No."),
]


def test_the_report_counts_rows_burials_and_examples(renderer: ChatRenderer) -> None:
    report = check_rows(LINES, decode, renderer)
    assert (report.rows, report.trainable, report.buried) == (7, 4, 3)
    assert [refusal.line for refusal in report.refusals] == [4, 5, 6]
    assert list(report.reasons.values()) == [2, 1]
    assert next(iter(report.reasons)).startswith("no turn fits in N tokens")
    assert "takes 310" in report.refusals[1].reason
    assert report.formats == {"messages": 6}
    assert report.distinct == 5
    assert (report.examples, report.turns_too_long, report.thinking_examples) == (4, 1, 1)
    assert report.thinking_share == 0.25


def test_token_counts_are_those_of_the_renderer(renderer: ChatRenderer) -> None:
    report = check_rows(LINES, decode, renderer)
    rows = [decode(LINES[number])[0] for number in (0, 1, 2, 6)]
    keys = [f"check|{number}" for number in (1, 2, 3, 7)]
    examples = [e for row, key in zip(rows, keys, strict=True) for e in renderer.examples(row, key)]
    assert report.tokens == sum(example.length for example in examples)
    assert report.supervised_tokens == sum(example.supervised for example in examples)
    assert 0 < report.supervised_share < 1
    lengths = sorted(example.length for example in examples)
    assert (report.lengths.shortest, report.lengths.longest) == (lengths[0], lengths[-1])
    assert sum(count for _, count in report.lengths.histogram) == len(examples)


def test_an_empty_file_has_an_empty_report(renderer: ChatRenderer) -> None:
    report = check_rows([], decode, renderer)
    assert (report.rows, report.examples, report.supervised_share) == (0, 0, 0.0)
    assert report.lengths.histogram == []


def test_progress_is_told_every_thousand_rows(renderer: ChatRenderer) -> None:
    told: list[int] = []
    check_rows([LINES[3]] * 2500, decode, renderer, told.append)
    assert told == [1000, 2000]


def test_refusals_are_listed_up_to_a_limit_and_all_counted(renderer: ChatRenderer) -> None:
    report = check_rows([LINES[3]] * 1500, decode, renderer)
    assert (len(report.refusals), report.buried) == (1000, 1500)


def test_the_report_is_plain_json(renderer: ChatRenderer) -> None:
    report = check_rows(LINES, decode, renderer)
    assert json.loads(msgspec.json.encode(report))["rows"] == 7


def test_a_row_is_shown_token_by_token(renderer: ChatRenderer) -> None:
    raw = line("Name it 日本", "東京 🤔 é!")
    [shown] = show_row(raw, decode, renderer)
    [example] = renderer.examples(decode(raw)[0], "")
    assert "".join(p.text for p in shown.pieces) == renderer.text_of(example.input_ids)
    supervised = "".join(p.text for p in shown.pieces if p.supervised)
    assert supervised == "東京 🤔 é!<|im_end|>"
    assert sum(p.tokens for p in shown.pieces if p.supervised) == shown.supervised_tokens
    assert sum(p.tokens for p in shown.pieces) == example.length
    assert not any("�" in p.text for p in shown.pieces)


def test_every_turn_is_shown_with_its_own_prompt(renderer: ChatRenderer) -> None:
    shown = show_row(line("a", "Yes.", "b", "No."), decode, renderer)
    assert len(shown) == 2
    assert shown[0].prompt_tokens < shown[1].prompt_tokens


def test_colours_tell_prompt_from_supervised(renderer: ChatRenderer) -> None:
    [shown] = show_row(line("a", "Yes."), decode, renderer)
    text = painted(shown)
    green = "".join(
        text.plain[span.start : span.end] for span in text.spans if "green" in str(span.style)
    )
    assert green == "Yes.<|im_end|>"
    assert "user↵\na" in text.plain
    styles = [str(span.style) for span in text.spans]
    assert all(("underline" in style) == bool(number % 2) for number, style in enumerate(styles))


def test_a_refused_row_is_refused_with_its_reason(renderer: ChatRenderer) -> None:
    with pytest.raises(InputRefused, match="no turn fits"):
        show_row(LINES[4], decode, renderer)
