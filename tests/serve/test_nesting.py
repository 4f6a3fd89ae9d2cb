"""The depth scanner says what the json module says, without recursion, and soon."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.serve.nesting import is_deeper, is_utf8_json

TEXTS = st.text(alphabet=st.sampled_from('[]{}"\\\n é∀🤔a,:'), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


def depth(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


@settings(max_examples=400)
@given(VALUES, st.integers(0, 6), st.booleans(), st.sampled_from([None, 1]))
def test_the_depth_of_valid_json_is_exact(
    value: Any, limit: int, ascii_only: bool, indent: int | None
) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert is_deeper(body, limit) == (depth(value) > limit)
    assert is_utf8_json(body)


@settings(max_examples=400)
@given(st.lists(st.sampled_from(["[", "]", "{", "}", '"', "\\", "1", ",", ":", '"k":'])))
def test_what_the_parser_would_open_is_never_missed(pieces: list[str]) -> None:
    text = "".join(pieces)
    if is_deeper(text.encode(), 5):
        return
    assert deepest_reached(text) <= 5


def deepest_reached(text: str) -> int:
    """How deep a parser gets before the first thing that is wrong with brackets."""
    deep = most = 0
    inside = escaped = False
    for letter in text:
        if inside:
            inside = letter != '"' or escaped
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in "[{":
            deep += 1
            most = max(most, deep)
        elif letter in "]}":
            deep -= 1
            if deep < 0:
                return most
        elif letter == "\\":
            return most
    return most


@given(VALUES)
def test_json_in_wide_encodings_is_told_apart(value: Any) -> None:
    text = json.dumps([value], ensure_ascii=False)
    for encoding in ("utf-16", "utf-16-be", "utf-32", "utf-32-le"):
        assert not is_utf8_json(text.encode(encoding))


@pytest.mark.parametrize(
    "unit", ["[", "[]", '\\"', '"', '"[', "[[]]", "{}", '["\\\\"]', "[" * 90 + "]" * 90, "\\"]
)
def test_eight_megabytes_of_anything_are_scanned_quickly(unit: str) -> None:
    body = (unit * (8_000_000 // len(unit))).encode()
    began = time.process_time()
    is_deeper(body)
    is_deeper(b'"' + body)
    assert time.process_time() - began < 2.0


def test_the_limit_itself_passes() -> None:
    assert not is_deeper(b"[" * 100 + b"]" * 100)
    assert is_deeper(b"[" * 101 + b"]" * 101)
    assert is_deeper(b'{"a":' * 101 + b"1" + b"}" * 101)
    assert not is_deeper(json.dumps("[" * 1000).encode())
    assert not is_deeper(b"[" + b"[]," * 1000 + b"[]]")
