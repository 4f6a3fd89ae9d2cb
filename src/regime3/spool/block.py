"""Some hundred rows in one go: the quickest proof that all of them are good.

A run of lines is decoded in one call, and its quotes are counted. Every text that was decoded
accounts for the two quotes around it, so when there are no others, no key stands twice and no
key is unknown. This is exact, costs a fraction of searching the text for keys, and says yes or
no for the whole run: on a no, `sift` looks at its lines.

The one user of numpy in this room, loaded for large files only.
"""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import UNSET

from regime3.spool.decode import SpelledRow, conversation_fault
from regime3.spool.index import RECORD
from regime3.spool.lines import Lines
from regime3.spool.sift import IsHeldOut

RUN_BYTES = 256 << 10
_QUOTE, _BACKSLASH, _OPEN, _CLOSE, _RETURN = b'"\\{}\r'
_QUOTES_A_ROW = 2
"""Around the key `messages`."""
_QUOTES_A_TURN = 8
"""Around two keys and two values."""
_QUOTES_A_KEY = 2
_RECORDS = np.dtype([("offset", "<u8"), ("length", "<u4"), ("line", "<u4")])
assert _RECORDS.itemsize == RECORD.size
Positions = npt.NDArray[np.int64]
_decode_lines = msgspec.json.Decoder(SpelledRow).decode_lines


class Runs:
    """Judges runs of lines; keeps its scratch memory between them."""

    def __init__(self) -> None:
        self._scratch = np.empty((3, RUN_BYTES), dtype=np.bool_)

    def end(self, lines: Lines, start: int) -> int:
        """Where a run that begins at `start` ends: at a newline, or with the last line."""
        body, stop = lines.body, lines.stop
        if stop - start <= RUN_BYTES:
            return stop
        end = body.rfind(b"\n", start, start + RUN_BYTES)
        if end < 0:
            end = body.find(b"\n", start + RUN_BYTES, stop)
        return stop if end < 0 else end

    def records(
        self,
        lines: Lines,
        start: int,
        stop: int,
        line: int,
        row_bytes_max: int,
        held_out: IsHeldOut = None,
    ) -> bytes | None:
        """Index records of the lines in `body[start:stop]` if every one of them is a good row.

        `line` is the number of the first of them in the file.
        """
        body = lines.body
        starts, ends = _line_bounds(body, start, stop)
        if not _bare_objects(body, starts, ends, row_bytes_max):
            return None
        try:
            rows = _decode_lines(memoryview(body)[start:stop])
        except (ValueError, RecursionError):
            return None
        # Every line begins with { and ends with }, and JSON has a comma between two objects
        # that are not rows: a newline is a row's end, so as many rows as lines is one on each.
        if len(rows) != len(starts):
            return None
        turns = 0
        for row in rows:
            messages = row.messages
            if conversation_fault(messages) is not None:
                return None
            if held_out is not None and held_out(row):
                return None
            turns += len(messages)
        quotes = self._quotes_in(body, start, stop)
        expected = _QUOTES_A_ROW * len(rows) + _QUOTES_A_TURN * turns
        # Most files spell no thoughts: they are counted only where something is left over.
        if quotes != expected and quotes != expected + _quotes_of_thoughts(rows):
            return None
        found = np.empty(len(rows), _RECORDS)
        found["offset"] = starts + (lines.offset - lines.start)
        found["length"] = ends - starts
        found["line"] = np.arange(line, line + len(rows))
        return found.tobytes()

    def _quotes_in(self, body: bytes, start: int, stop: int) -> int | None:
        """Quotes that are not escaped; None when a backslash before one is itself escaped."""
        text = np.frombuffer(body, np.uint8, stop - start, start)
        if len(text) > self._scratch.shape[1]:
            self._scratch = np.empty((3, len(text)), dtype=np.bool_)
        quote, backslash, escaped = self._scratch[:, : len(text)]
        np.equal(text, _QUOTE, out=quote)
        np.equal(text, _BACKSLASH, out=backslash)
        np.logical_and(backslash[:-1], quote[1:], out=escaped[1:])
        escaped[0] = False
        found = int(np.count_nonzero(quote)) - int(np.count_nonzero(escaped))
        unsure = np.logical_and(backslash[:-2], escaped[2:], out=quote[2:])
        return None if unsure.any() else found


def _line_bounds(body: bytes, start: int, stop: int) -> tuple[Positions, Positions]:
    """Where each line of `body[start:stop]` begins and ends."""
    newlines = [start - 1]
    position, find, keep = start, body.find, newlines.append
    while (end := find(b"\n", position, stop)) >= 0:
        keep(end)
        position = end + 1
    keep(stop)
    bounds = np.array(newlines, np.int64)
    return bounds[:-1] + 1, bounds[1:]


def _bare_objects(body: bytes, starts: Positions, ends: Positions, row_bytes_max: int) -> bool:
    """Whether no line is blank or too long, and each spans from { to }, a return aside."""
    lengths = ends - starts
    if lengths.min() <= len("{}\r") or lengths.max() > row_bytes_max:
        return False
    text = np.frombuffer(body, np.uint8)
    last = text[ends - 1]
    closed = (last == _CLOSE) | ((last == _RETURN) & (text[ends - 2] == _CLOSE))
    return bool(closed.all() and (text[starts] == _OPEN).all())


def _quotes_of_thoughts(rows: list[SpelledRow]) -> int:
    """The quotes of the key `reasoning_content` and its values, null ones included."""
    quotes = 0
    for row in rows:
        for message in row.messages:
            thought = message.reasoning_content
            if thought is not UNSET:
                quotes += _QUOTES_A_KEY if thought is None else 2 * _QUOTES_A_KEY
    return quotes
