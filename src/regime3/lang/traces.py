"""Traces as they come through files and pipes, one at a time.

    for trace in read_traces(sys.stdin): ...

Two forms, told apart by the first character of a line and free to mix. Text: a problem at the start
of a line, then its steps (or its codes) on the same line or on the next ones, until a blank line or
another problem. JSONL: an object with `problem`, and `body` or `codes`, or a chat row with its
`messages`. Nothing is judged here; a line that is no trace is refused with its number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from regime3.errors import InputRefused, LanguageError
from regime3.lang import signature, terms

TRACE_LINES_MAX = 10_000
_PROBLEM = re.compile(rf"\((?:{'|'.join(signature.KINDS)})(?=[\s()])")


@dataclass(frozen=True, slots=True)
class Trace:
    """A problem's text and what came with it. `line` is where it begins, 1-based."""

    line: int
    problem: str
    body: str
    row: dict[str, Any] | None = None
    """The JSON object it came from, if it did."""


def read_traces(lines: Iterable[str], name: str = "standard input") -> Iterator[Trace]:
    """Each trace as soon as it is whole. Raises `InputRefused` with the line."""
    gathered: list[str] = []
    began = 0
    for number, line in enumerate(lines, start=1):
        if len(line) > signature.TEXT_BYTES_MAX or len(gathered) >= TRACE_LINES_MAX:
            raise InputRefused("a trace of more than 1 MiB or 10,000 lines", file=name, line=number)
        starts = line.startswith("{") or _PROBLEM.match(line)
        if gathered and (starts or not line.strip()):
            yield _of_text(began, "".join(gathered))
            gathered = []
        if line.startswith("{"):
            yield _of_json(number, line, name)
        elif starts or gathered:
            began = began if gathered else number
            gathered.append(line)
        elif line.strip():
            raise InputRefused(
                "a trace begins with its problem, for example (gcd 462 147), or is a JSON object",
                file=name,
                line=number,
            )
    if gathered:
        yield _of_text(began, "".join(gathered))


def _of_text(line: int, text: str) -> Trace:
    """Cut the problem from what follows it; a problem that cannot be read is kept whole."""
    try:
        _, end = terms.parse_at(text, 0)
    except LanguageError:
        return Trace(line, text.strip(), "")
    return Trace(line, text[:end], text[end:].strip())


def _of_json(number: int, line: str, name: str) -> Trace:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise InputRefused(f"not JSON: {error}", file=name, line=number) from None
    problem = row.get("problem")
    if not isinstance(problem, str):
        raise InputRefused('the object has no "problem" text', file=name, line=number)
    for key in ("body", "codes"):
        if key in row:
            return Trace(number, problem, _text(row[key]), row)
    if isinstance(row.get("messages"), list):
        return Trace(number, problem, "", row)
    raise InputRefused('the object has no "body", "codes" or "messages"', file=name, line=number)


def _text(value: Any) -> str:
    """A body as text: a string, or a list of steps or code numbers."""
    if isinstance(value, list):
        return " ".join(f"<E{v:03d}>" if isinstance(v, int) else str(v) for v in value)
    return str(value)
