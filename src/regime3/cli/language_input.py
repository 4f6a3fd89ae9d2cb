"""Where the language verbs read: lines of files or of standard input, as they come.

A line is read whole or not at all, and never more than `LINE_BYTES_MAX` of it, so that no input
fills the memory. What is no text ends the reading with its file and line.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from regime3.errors import InputRefused
from regime3.lang.signature import TEXT_BYTES_MAX

LINE_BYTES_MAX = 2 * TEXT_BYTES_MAX
"""A trace of the longest text, escaped as JSON."""
STANDARD = "standard input"


def streams(files: list[Path] | None) -> Iterator[tuple[str, Iterator[str]]]:
    """Name and lines of each input. Raises `InputRefused`; so do the lines."""
    if not files:
        yield STANDARD, _lines(_standard(), STANDARD)
    for path in files or []:
        try:
            source = open(path, "rb")  # noqa: SIM115 (closed below)
        except OSError as error:
            raise InputRefused(f"cannot be read: {error.strerror}", file=str(path)) from None
        with source:
            yield str(path), _lines(source, str(path))


def whole(lines: Iterator[str], name: str) -> str:
    """All lines as one text, refused beyond `LINE_BYTES_MAX`."""
    pieces: list[str] = []
    size = 0
    for line in lines:
        size += len(line)
        if size > LINE_BYTES_MAX:
            raise InputRefused(f"longer than {LINE_BYTES_MAX:,} characters", file=name)
        pieces.append(line)
    return "".join(pieces)


def _standard() -> IO[bytes]:
    if sys.stdin is None:
        raise InputRefused("is closed", file=STANDARD)
    if sys.stdin.isatty():
        print("reading from the terminal; Ctrl-D ends", file=sys.stderr)
    return sys.stdin.buffer


def _lines(source: IO[bytes], name: str) -> Iterator[str]:
    number = 0
    while data := source.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(data) > LINE_BYTES_MAX:
            raise InputRefused(
                f"longer than {LINE_BYTES_MAX:,} bytes; nothing after it was read",
                file=name,
                line=number,
            )
        try:
            line = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputRefused(
                f"not UTF-8 at byte {error.start + 1} of the line; nothing after it was read",
                file=name,
                line=number,
            ) from None
        yield line.removeprefix("\ufeff") if number == 1 else line
