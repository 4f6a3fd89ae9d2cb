"""JSON that knows its own hash, for the small files that decide about the large ones.

The first line is `{"sha256":"…",` and covers every byte after it, so one flipped bit in a
number is noticed although the text would still parse. It stays ordinary JSON for people and jq.
This is a guard against rot and torn writes, not a signature: it proves nothing about authors.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

import msgspec

FILE_BYTES_MAX = 8 << 20
HEAD = b'{"sha256":"'
HEAD_BYTES = len(HEAD) + 64 + 2

T = TypeVar("T")


class Unreadable(ValueError):
    """The text is not what was written; the message says in what way."""


def encode_checked(value: object) -> bytes:
    """The bytes of a struct with at least one field."""
    body = msgspec.json.format(msgspec.json.encode(value), indent=1)[1:] + b"\n"
    digest = hashlib.sha256(body).hexdigest().encode()
    return HEAD + digest + b'",' + body


def decode_checked(data: bytes, kind: type[T]) -> T:
    """The struct, or `Unreadable`."""
    if len(data) > FILE_BYTES_MAX:
        raise Unreadable(f"larger than {FILE_BYTES_MAX} bytes")
    head, body = data[:HEAD_BYTES], data[HEAD_BYTES:]
    if not (head.startswith(HEAD) and head.endswith(b'",')):
        raise Unreadable("does not begin with its hash")
    if hashlib.sha256(body).hexdigest().encode() != head[len(HEAD) : -2]:
        raise Unreadable("its text does not match its hash")
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def read_bounded(path: Path) -> bytes:
    """At most one byte more than is allowed, so that a hostile size costs nothing."""
    with open(path, "rb") as source:
        return source.read(FILE_BYTES_MAX + 1)
