"""Traces as they come through files and pipes, one at a time.

    for trace in read_traces(lines): ...

Two forms, told apart by the first character of a line and free to mix. Text: a problem at the start
of a line, then its steps (or its codes) on the same line or on the next ones, until a blank line or
another problem. JSONL: an object with `problem`, and `body` or `codes`, or a chat row with its
`messages`. Nothing is judged here; what is no trace comes as a `NoTrace` with its line, and reading
goes on after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from regime3.errors import InputRefused, LanguageError
from regime3.lang import codes, signature, terms

TRACE_LINES_MAX = 10_000
_PROBLEM = re.compile(rf"\((?:{'|'.join(signature.KINDS)})(?=[\s()])")
_TOO_LONG = f"a trace of more than 1 MiB or {TRACE_LINES_MAX:,} lines"
_UNCLEAR = "a trace begins with its problem, for example (gcd 462 147), or is a JSON object"


@dataclass(frozen=True, slots=True)
class Trace:
    """A problem's text and what came with it. `line` is where it begins, 1-based."""

    line: int
    problem: str
    body: str
    row: dict[str, Any] | None = None
    """The JSON object it came from, if it did."""


@dataclass(frozen=True, slots=True)
class NoTrace:
    """Lines that are no trace, from `line` on, and why."""

    line: int
    reason: str


def read_traces(lines: Iterable[str]) -> Iterator[Trace | NoTrace]:
    """Each trace as soon as it is whole."""
    text = _Text()
    for number, line in enumerate(lines, start=1):
        blank = not line.strip()
        if blank or line.startswith("{") or _PROBLEM.match(line):
            yield from text.end()
        if line.startswith("{"):
            yield _of_json(number, line)
        elif not blank:
            text.add(number, line)
    yield from text.end()


class _Text:
    """The lines of one trace in text form, while they come."""

    def __init__(self) -> None:
        self.began, self.size = 0, 0
        self.lines: list[str] = []
        self.fault = ""

    def add(self, number: int, line: str) -> None:
        if not self.began:
            self.began = number
            self.fault = "" if _PROBLEM.match(line) else _UNCLEAR
        self.size += len(line)
        if self.size > signature.TEXT_BYTES_MAX or len(self.lines) >= TRACE_LINES_MAX:
            self.fault = self.fault or _TOO_LONG
        if self.fault:
            self.lines.clear()
        else:
            self.lines.append(line)

    def end(self) -> Iterator[Trace | NoTrace]:
        """What the lines were, if there are any; then there are none."""
        if self.fault:
            yield NoTrace(self.began, self.fault)
        elif self.lines:
            yield _of_text(self.began, "".join(self.lines))
        self.began, self.size, self.fault = 0, 0, ""
        self.lines.clear()


def _of_text(line: int, text: str) -> Trace:
    """Cut the problem from what follows it; a problem that cannot be read is kept whole."""
    try:
        _, end = terms.parse_at(text, 0)
    except LanguageError:
        return Trace(line, text.strip(), "")
    return Trace(line, text[:end], text[end:].strip())


def _of_json(number: int, line: str) -> Trace | NoTrace:
    try:
        return _of_row(number, _object(line))
    except InputRefused as refusal:
        return NoTrace(number, refusal.reason)


def _object(line: str) -> dict[str, Any]:
    """The object of a line that begins with '{'."""
    if len(line) > signature.TEXT_BYTES_MAX:
        raise InputRefused(_TOO_LONG)
    try:
        row: dict[str, Any] = json.loads(line)
        if "\\ud" in line.lower():
            json.dumps(row, ensure_ascii=False).encode()
    except RecursionError:
        raise InputRefused("not JSON that can be read: nested too deep") from None
    except UnicodeEncodeError:
        raise InputRefused("an escape stands for half a character (a lone surrogate)") from None
    except ValueError as error:
        raise InputRefused(f"not JSON: {error}") from None
    return row


def _of_row(number: int, row: dict[str, Any]) -> Trace:
    problem = row.get("problem")
    if not isinstance(problem, str):
        raise InputRefused('the object has no "problem" text')
    if "body" in row:
        return Trace(number, problem, _body(row["body"]), row)
    if "codes" in row:
        return Trace(number, problem, _codes(row["codes"]), row)
    if isinstance(row.get("messages"), list):
        return Trace(number, problem, "", row)
    raise InputRefused('the object has no "body", "codes" or "messages"')


def _body(value: Any) -> str:
    """A body as text: a string, or a list of steps."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return "\n".join(value)
    if isinstance(value, str):
        return value
    raise InputRefused('"body" must be text, or a list of steps as text')


def _codes(value: Any) -> str:
    """Codes as text: a string, or a list of numbers."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list) or any(type(each) is not int for each in value):
        raise InputRefused('"codes" must be text, or a list of integers')
    odd = next((place for place, each in enumerate(value) if not 0 <= each < codes.CODES_MAX), None)
    if odd is not None:
        raise InputRefused(f'"codes": number {odd} (from 0) is none of 0 to {codes.CODES_MAX - 1}')
    return codes.tokens_text(value)
