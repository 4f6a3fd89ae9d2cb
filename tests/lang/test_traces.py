"""Traces: both forms, cut where they end, and what is none is told with its line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.lang.signature import TEXT_BYTES_MAX
from regime3.lang.traces import TRACE_LINES_MAX, NoTrace, Trace, read_traces

GCD = "(gcd 462 147)"


def read(text: str) -> list[Trace | NoTrace]:
    return list(read_traces(text.splitlines(keepends=True)))


def cut(text: str) -> list[tuple[int, str, str]]:
    found = read(text)
    assert all(isinstance(each, Trace) for each in found), found
    return [(each.line, each.problem, each.body) for each in found if isinstance(each, Trace)]


def fault(text: str) -> NoTrace:
    (found,) = read(text)
    assert isinstance(found, NoTrace), found
    return found


def row(**fields: Any) -> str:
    return json.dumps({"problem": GCD, **fields}) + "\n"


def test_a_body_stands_on_the_same_line_or_on_the_next_ones() -> None:
    for text in (f"{GCD} (qed 21)", f"{GCD}\n(qed 21)\n", f"{GCD}\r\n(qed 21)\r\n\r\n"):
        assert cut(text) == [(1, GCD, "(qed 21)")]


def test_a_problem_over_several_lines_is_one_problem() -> None:
    assert cut("(gcd 462\n  147)\n(qed 21)\n") == [(1, "(gcd 462\n  147)", "(qed 21)")]


def test_a_blank_line_another_problem_and_an_object_end_a_trace() -> None:
    text = f"{GCD}\n(qed 1)\n\n\n{GCD} (qed 2)\n{GCD}\n(qed 3)\n" + row(body="(qed 4)")
    assert cut(text) == [(n, GCD, f"(qed {q})") for n, q in ((1, 1), (5, 2), (6, 3), (8, 4))]


def test_a_name_that_only_begins_like_a_problem_is_none() -> None:
    assert cut(f"{GCD}\n(gcd-step 1)\n") == [(1, GCD, "(gcd-step 1)")]


def test_a_trace_is_given_as_soon_as_it_is_whole() -> None:
    asked: list[int] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate([GCD + "\n", "(qed 21)\n", "\n", row(body=""), GCD]):
            asked.append(number)
            yield line

    traces = read_traces(lines())
    next(traces)
    assert asked[-1] == 2
    next(traces)
    assert asked[-1] == 3


def test_rows_hold_bodies_as_text_or_lists() -> None:
    assert cut(row(body="(qed 21)")) == cut(row(body=["(qed 21)"])) == [(1, GCD, "(qed 21)")]
    assert cut(row(body=["a", "b"])) == [(1, GCD, "a\nb")]
    assert cut(row(codes=[7, 195])) == cut(row(codes="<E007><E195>"))
    assert cut(row(messages=[])) == [(1, GCD, "")]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("(frob 1)", "begins with its problem"),
        ("21", "begins with its problem"),
        ('[{"problem": "(gcd 1 2)"}]', "begins with its problem"),
        ("{", "not JSON"),
        ('{"problem": "(gcd 1 2)", "body": ""} x', "not JSON"),
        ("{}", 'no "problem"'),
        ('{"problem": 3, "body": ""}', 'no "problem"'),
        (row(), 'no "body"'),
        (row(messages="hi"), 'no "body"'),
        (row(body=None), '"body" must be'),
        (row(body={"a": 1}), '"body" must be'),
        (row(body=[["qed"]]), '"body" must be'),
        (row(codes=None), '"codes" must be'),
        (row(codes=[True]), '"codes" must be'),
        (row(codes=[1.0]), '"codes" must be'),
        (row(codes=[1, 512]), "number 1"),
        (row(codes=[-1]), "number 0"),
        (row(body="\ud800"), "half a character"),
        ('{"problem": ' + "[" * 100_000, "too deep"),
        ('{"problem": "(gcd 1 2)", "codes": [' + "9" * 5000 + "]}", "not JSON"),
    ],
)
def test_what_is_no_trace_is_told_with_its_line_and_the_next_is_read(line: str, told: str) -> None:
    found = read(f"\n{line}\n\n{GCD} (qed 21)\n")
    assert isinstance(found[0], NoTrace) and found[0].line == 2 and told in found[0].reason
    assert isinstance(found[-1], Trace) and len(found) == 2


def test_lines_that_follow_what_is_no_trace_are_not_told_again() -> None:
    assert fault("What is it?\n(r-divmod 1 2 3 4)\n(qed 21)\n").line == 1
    assert len(read(f"What is it?\n(qed 2)\n{GCD} (qed 21)\n")) == 2


def test_a_trace_without_an_end_is_refused_and_not_held() -> None:
    line = "(qed " + "1" * 1000 + ")\n"
    endless = [GCD + "\n", *[line] * (TEXT_BYTES_MAX // 1000 + 1), "\n", GCD]
    found = list(read_traces(endless))
    assert isinstance(found[0], NoTrace) and "1 MiB" in found[0].reason and found[0].line == 1
    assert isinstance(found[1], Trace)
    found = list(read_traces([GCD, *["(qed 1)\n"] * TRACE_LINES_MAX]))
    assert isinstance(found[0], NoTrace) and "10,000 lines" in found[0].reason
    assert "1 MiB" in fault(row(body="a" * TEXT_BYTES_MAX)).reason


def test_a_problem_that_cannot_be_read_is_kept_whole() -> None:
    assert cut("(gcd 462 (\n(qed 1)\n") == [(1, "(gcd 462 (\n(qed 1)", "")]


@given(st.text())
def test_any_text_is_cut_without_a_crash(text: str) -> None:
    lines = [each.line for each in read(text)]
    assert lines == sorted(set(lines))


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from(["problem", "body", "codes", "messages", "regime", "codebook"]),
)
def test_any_field_may_hold_anything(value: Any, name: str) -> None:
    line = json.dumps({"problem": GCD, "body": "(qed 21)", name: value})
    assert len(list(read_traces([line]))) == 1
