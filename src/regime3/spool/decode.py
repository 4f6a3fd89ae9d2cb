"""One line of a JSONL file to one `Row`, strictly, or a reason a person understands.

Good rows take the fast path: a typed msgspec decode, and a count of the keys we read that
betrays a duplicate one. Everything else takes the strict path, which parses again to find the
place and the words. Rows are data: nothing here opens files or knows about line numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, get_args

import msgspec
from msgspec import UNSET, UnsetType

from regime3.errors import InputRefused
from regime3.records.rows import Message, Role, Row
from regime3.spool.adapters import Turn, kind_of, turns_of

ROLES: tuple[str, ...] = get_args(Role)
REASON_CHARACTERS_MAX = 300
# A row that begins with a list of turns. A second list would be decoded too, and its keys counted.
HEAD = re.compile(rb'[ \t]*\{[ \t]*"messages"[ \t]*:[ \t]*\[[ \t]*\{')


class SpelledMessage(msgspec.Struct, frozen=True, gc=False):
    """A turn that still tells a key that is null from one that is absent."""

    role: Role
    content: str
    reasoning_content: str | UnsetType | None = UNSET


class SpelledRow(msgspec.Struct, frozen=True, gc=False):
    messages: list[SpelledMessage]


spelled = msgspec.json.Decoder(SpelledRow).decode


class _Duplicate(ValueError):
    """A key stands twice in one object."""


def decode_row(raw: bytes, format: str | None = None) -> tuple[Row, str]:
    """The row in `raw` (one line, its newline or not) and the name of the adapter that read it.

    `format` forces an adapter; None lets the row's own keys decide. Keys we do not know are
    fine. Raises `InputRefused` whose `reason` says what and where.
    """
    if format is None or format == "messages":
        row = _decode_fast(raw)
        if row is not None:
            reason = conversation_fault(row.messages)
            if reason is not None:
                raise InputRefused(reason)
            return row, "messages"
    return _decode_strictly(raw, format)


def conversation_fault(messages: Sequence[Message | SpelledMessage]) -> str | None:
    """Why these messages teach nothing, or None."""
    if not messages:
        return "messages is empty"
    asked = answers = False
    for message in messages:
        role = message.role
        if role == "user":
            asked = True
        elif role == "assistant":
            if not asked:
                return "assistant first: it speaks before any user turn"
            content = message.content
            if content and not content.isspace():
                return None
            answers = True
    if answers:
        return "every assistant turn is empty: nothing to learn from"
    return "no assistant turn: nothing to learn from"


def _decode_fast(raw: bytes) -> Row | None:
    """The row when it is beyond doubt; None sends it down the strict path."""
    try:
        messages = spelled(raw).messages
    except (ValueError, RecursionError):
        return None
    thoughts = thoughts_in(messages)
    if not keys_once(raw.count, len(messages), thoughts):
        return None
    if HEAD.match(raw) is None and raw.count(b'"messages"') != 1:
        return None
    return Row(
        [Message(turn.role, turn.content, _given(turn.reasoning_content)) for turn in messages]
    )


def _given(thought: str | UnsetType | None) -> str | None:
    return None if thought is UNSET else thought


def thoughts_in(messages: list[SpelledMessage]) -> int:
    """How many turns spell the key `reasoning_content`, null included."""
    thoughts = 0
    for message in messages:
        if message.reasoning_content is not UNSET:
            thoughts += 1
    return thoughts


def keys_once(count: Callable[[bytes], int], turns: int, thoughts: int) -> bool:
    """Whether the keys we read are spelled as often as they were decoded, so none twice.

    `count` tells how often a needle stands in the raw text. Inside a text its quotes are
    escaped, so a key mentioned there does not count; a metadata key or a value of the same name
    does, which only costs the strict path. The first look at the contents counts both keys at
    once, since one ends like the other.
    """
    if count(b'"role"') != turns:
        return False
    if count(b'content"') == turns + thoughts:
        return True
    return count(b'"content"') == turns and count(b'"reasoning_content"') == thoughts


def _decode_strictly(raw: bytes, format: str | None) -> tuple[Row, str]:
    value = _parse(_text(raw))
    if not isinstance(value, dict):
        raise InputRefused(f"a row is a JSON object; this is {kind_of(value)}")
    turns, adapter = turns_of(value, format)
    row = Row([_message(turn) for turn in turns])
    reason = conversation_fault(row.messages)
    if reason is not None:
        raise InputRefused(reason)
    return row, adapter


def _text(raw: bytes) -> str:
    nul = raw.find(b"\0")
    if nul >= 0:
        raise InputRefused(
            f"NUL bytes from column {nul + 1}: not text, or torn by a crash while it was written"
        )
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        found = raw[error.start]
        raise InputRefused(f"not UTF-8: byte 0x{found:02x} at column {error.start + 1}") from None


def _parse(text: str) -> Any:
    try:
        # Numbers are never read, so their size need not matter: floats have no digit limit.
        return json.loads(text, object_pairs_hook=_pairs, parse_constant=_constant, parse_int=float)
    except _Duplicate as error:
        raise InputRefused(str(error)) from None
    except json.JSONDecodeError as error:
        what = error.msg.removesuffix(" at")
        raise InputRefused(f"not JSON: {what} at column {error.colno}") from None
    except ValueError as error:
        raise InputRefused(f"not JSON: {error}") from None
    except RecursionError:
        raise InputRefused("not JSON that can be read: nested too deeply") from None


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Duplicate(f"duplicate key {_short(key)}: which of the two is meant?")
            seen.add(key)
    return found


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _message(turn: Turn) -> Message:
    if not isinstance(turn.role, str) or turn.role not in ROLES:
        allowed = ", ".join(turn.roles_allowed)
        named = _short(turn.role) if isinstance(turn.role, str) else kind_of(turn.role)
        raise InputRefused(f"unknown role {named} in {turn.place}; allowed: {allowed}")
    place = f"{turn.place}.{turn.content_key}" if turn.content_key else turn.place
    content = _checked_text(turn.content, place)
    reasoning = turn.reasoning
    if reasoning is not None:
        reasoning = _checked_text(reasoning, f"{turn.place}.reasoning_content")
    return msgspec.convert(
        {"role": turn.role, "content": content, "reasoning_content": reasoning}, Message
    )


def _checked_text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise InputRefused(f"{place} is {kind_of(value)}, not text")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        unit = f"\\u{ord(value[error.start]):04x}"
        raise InputRefused(f"a lone surrogate {unit} in {place}: half of a character") from None
    return value


def _short(text: str) -> str:
    """A quoted piece of input, cut, with nothing in it that could move a cursor."""
    return ascii(text[:REASON_CHARACTERS_MAX]) if not text.isprintable() else repr(text[:60])
