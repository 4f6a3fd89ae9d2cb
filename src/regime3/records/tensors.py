"""What a safetensors file says of itself, read by us and believed only where its size agrees.

    header = read_header(path)             # raises LyingHeader
    header.tensors["model.norm.weight"].shape

A safetensors file is 8 bytes of little-endian length, so much JSON, then the tensors' bytes. A
header may lie: offsets beyond the file, over one another, sizes that are no product of the shape.
All of it is checked here, before any library maps the file. No tensor is loaded.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

HEADER_BYTES_MAX: Final = 16 << 20
"""The library allows 100 MB; 300 tensors take 40 kB."""
TENSORS_MAX: Final = 200_000
NAME_CHARS_MAX: Final = 512
AXES_MAX: Final = 8
AXIS_MAX: Final = 1 << 40
ALIGNMENT: Final = 8
DTYPE_BYTES: Final[Mapping[str, int]] = {
    **{"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1},
    **{"U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4, "F32": 4},
    **{"U64": 8, "I64": 8, "F64": 8},
}
FLOATS: Final = frozenset({"F16", "BF16", "F32", "F64"})
"""What weights may be; others belong to quantised models, which no engine here loads."""


class LyingHeader(ValueError):
    """The header is not that of a safetensors file of this size; the message says why."""


class Tensor(msgspec.Struct, frozen=True):
    """One tensor: where its bytes begin and end, counted from the end of the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


class Header(msgspec.Struct, frozen=True):
    """Tensors by name in the order of their bytes; `data_at` is the offset of the first."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    data_at: int


def read_header(path: Path) -> Header:
    """The header of a file, checked against the file's size. Raises `LyingHeader`, OSError."""
    file_bytes = path.stat().st_size
    with open(path, "rb") as source:
        length = header_length(source.read(8), file_bytes)
        return parse_header(source.read(length), file_bytes)


def header_length(first: bytes, file_bytes: int) -> int:
    """Bytes of JSON that follow the first eight. Raises `LyingHeader`."""
    if len(first) != 8 or file_bytes < 8:
        raise LyingHeader("the file is too short for a header")
    length = int.from_bytes(first, "little")
    if length > HEADER_BYTES_MAX:
        raise LyingHeader(f"the header claims {length} bytes; {HEADER_BYTES_MAX} are allowed")
    if length < 2 or 8 + length > file_bytes:
        raise LyingHeader(f"the header claims {length} bytes in a file of {file_bytes}")
    return length


def parse_header(text: bytes, file_bytes: int) -> Header:
    """The header from its JSON. Raises `LyingHeader`."""
    tree = _tree(text)
    metadata = tree.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise LyingHeader("__metadata__ is not a map of texts")
    if len(tree) > TENSORS_MAX:
        raise LyingHeader(f"more than {TENSORS_MAX} tensors")
    found = [(name, _tensor(name, item)) for name, item in tree.items()]
    found.sort(key=lambda pair: (pair[1].begin, pair[1].end))
    data_at = 8 + len(text)
    _check_tiling(found, file_bytes - data_at)
    return Header(dict(found), metadata, data_at)


def encode_header(tensors: Iterable[tuple[str, str, tuple[int, ...]]], metadata: Any) -> bytes:
    """The first bytes of a file whose tensors (name, dtype, shape) follow in this order."""
    tree: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, dtype, shape in tensors:
        end = at + math.prod(shape) * DTYPE_BYTES[dtype]
        tree[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _tree(text: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise LyingHeader(f"the header is not JSON: {error}") from None
    if text[:1] != b"{" or not isinstance(tree, dict):
        raise LyingHeader("the header is not a JSON object")
    return tree


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice means two things to two readers."""
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise LyingHeader("the header names something twice")
    return tree


def _no_constant(name: str) -> Any:
    raise LyingHeader(f"{name} is no JSON")


def _tensor(name: str, item: Any) -> Tensor:
    shown = name[:80]
    if not name or len(name) > NAME_CHARS_MAX or not name.isprintable():
        raise LyingHeader(f"the tensor name {shown!r} is not allowed")
    if not isinstance(item, dict) or set(item) != {"dtype", "shape", "data_offsets"}:
        raise LyingHeader(f"{shown}: not dtype, shape and data_offsets")
    dtype, shape, offsets = item["dtype"], item["shape"], item["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BYTES:
        raise LyingHeader(f"{shown}: the dtype {str(dtype)[:20]!r} is not known")
    if not isinstance(shape, list) or len(shape) > AXES_MAX or not all(map(_is_size, shape)):
        raise LyingHeader(f"{shown}: not a shape")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_size, offsets)):
        raise LyingHeader(f"{shown}: not a pair of offsets")
    tensor = Tensor(dtype, tuple(shape), offsets[0], offsets[1])
    if tensor.end - tensor.begin != tensor.elements * DTYPE_BYTES[dtype]:
        raise LyingHeader(f"{shown}: its offsets do not span its shape")
    return tensor


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 <= value <= AXIS_MAX


def _check_tiling(found: list[tuple[str, Tensor]], data_bytes: int) -> None:
    """The tensors lie end to end and fill the file: nothing overlaps and nothing hides between."""
    at = 0
    for name, tensor in found:
        if tensor.begin != at:
            what = "overlaps what is before it" if tensor.begin < at else "leaves a gap before it"
            raise LyingHeader(f"{name[:80]}: {what}")
        at = tensor.end
    if at != data_bytes:
        raise LyingHeader(f"the tensors take {at} bytes, the file has {data_bytes} for them")
