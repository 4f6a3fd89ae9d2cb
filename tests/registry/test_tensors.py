"""Safetensors headers: a sound one is read, every kind of lie is told from it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from regime3.records.tensors import (
    HEADER_BYTES_MAX,
    LyingHeader,
    encode_header,
    header_length,
    parse_header,
    read_header,
)


def a_tree() -> dict[str, Any]:
    return {
        "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]},
    }


def parsed(tree: Any, data_bytes: int = 22) -> Any:
    text = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return parse_header(text, 8 + len(text) + data_bytes)


def test_a_file_of_the_library_reads_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"w": np.ones((2, 3), "f4"), "e": np.zeros((0, 4), "f2")}, path, {"format": "pt"})
    header = read_header(path)
    assert header.tensors["w"].shape == (2, 3) and header.metadata == {"format": "pt"}


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode_header([("w", "F32", (2,))], {"format": "pt"}) + b"\0" * 8)
    assert load_file(path)["w"].tolist() == [0.0, 0.0]


LIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "an overlap": lambda t: t["b"].update(shape=[4], data_offsets=[14, 22]),
    "a gap": lambda t: t["b"].update(shape=[2], data_offsets=[18, 22]),
    "an end before its begin": lambda t: t["b"].update(data_offsets=[22, 16]),
    "more than the file has": lambda t: t["b"].update(shape=[300], data_offsets=[16, 616]),
    "less than the file has": lambda t: t["b"].update(shape=[2], data_offsets=[16, 20]),
    "a shape that its bytes do not fill": lambda t: t["b"].update(shape=[30]),
    "a negative axis": lambda t: t["b"].update(shape=[-1, -3]),
    "an axis that is a truth": lambda t: t["b"].update(shape=[True, 3]),
    "an axis that is a fraction": lambda t: t["b"].update(shape=[3.0]),
    "axes whose product is astronomic": lambda t: t["b"].update(shape=[1 << 40] * 8),
    "too many axes": lambda t: t["b"].update(shape=[1] * 99 + [3]),
    "a dtype that nobody knows": lambda t: t["b"].update(dtype="F7"),
    "a dtype that is a list": lambda t: t["b"].update(dtype=["F32"]),
    "one offset": lambda t: t["b"].update(data_offsets=[16]),
    "a field too many": lambda t: t["b"].update(more=1),
    "a tensor that is a text": lambda t: t.update(b="BF16"),
    "an empty name": lambda t: t.update({"": t.pop("b")}),
    "a name with a bell": lambda t: t.update({"\a": t.pop("b")}),
    "metadata that is a list": lambda t: t.update(__metadata__=[]),
    "metadata of numbers": lambda t: t.update(__metadata__={"x": 1}),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_header_is_refused_for(lie: Callable[[dict[str, Any]], Any]) -> None:
    parsed(a_tree())
    tree = a_tree()
    lie(tree)
    with pytest.raises(LyingHeader):
        parsed(tree)


EMPTY = b'"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b"{", b" {}", b"\xff\xfe", b'{"a": NaN}', b"[" * 90_000,
     b"{" + EMPTY + b"," + EMPTY + b"}",
     b'{"a":{"dtype":"U8","shape":[1' + b"0" * 9999 + b'],"data_offsets":[0,0]}}'],
    ids=["nothing", "a list", "null", "half", "a blank first", "no text", "NaN", "depth",
         "a name twice", "a vast number"],
)  # fmt: skip
def test_what_is_no_header_is_refused(text: bytes) -> None:
    with pytest.raises(LyingHeader):
        parsed(text, 0)


@pytest.mark.parametrize(
    ("first", "size"),
    [(b"", 0), (b"1234", 4), (b"\xff" * 8, 1000), ((993).to_bytes(8, "little"), 1000),
     ((1).to_bytes(8, "little"), 1000), ((HEADER_BYTES_MAX + 1).to_bytes(8, "little"), 1 << 40)],
)  # fmt: skip
def test_a_length_that_cannot_be_is_refused(first: bytes, size: int) -> None:
    with pytest.raises(LyingHeader):
        header_length(first, size)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_no_bytes_bring_it_down(text: bytes, data_bytes: int) -> None:
    with contextlib.suppress(LyingHeader):
        parse_header(text, 8 + len(text) + data_bytes)
