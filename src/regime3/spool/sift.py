"""Many rows at once: the quick look that nearly every row of a file passes.

Each line is decoded by its type; what betrays duplicate keys is counted once for all of them,
since the text need not be searched row by row for that. Lines in any doubt are set apart for
`decode.decode_row`, which is the judge; lines that do not add up go there together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from regime3.records.rows import Row
from regime3.spool.decode import (
    HEAD,
    SpelledRow,
    conversation_fault,
    keys_once,
    spelled,
    thoughts_in,
)

# Few enough to be searched again while the processor still has them at hand; and a block of
# very short lines takes little memory.
SIFTED_BYTES = 28_000

IsHeldOut = Callable[[Row | SpelledRow], bool] | None
Place = tuple[int, int, int]
"""Line counted from the first one sifted (from 1), first byte, end."""


class Sifted(NamedTuple):
    """Lines that are good beyond doubt, and those to be looked at one by one."""

    good: list[Place]
    doubtful: list[Place]
    lines: int
    """Lines sifted, blank ones included, which are in neither list."""
    next: int
    """Where the next line begins; beyond `stop` when this was all."""


def sift(
    body: bytes,
    start: int,
    stop: int,
    row_bytes_max: int,
    *,
    held_out: IsHeldOut = None,
    typed: bool = True,
    doubted: bytes | None = None,
) -> Sifted:
    """Sort the next lines of `body[start:stop]`, of which the last has no newline.

    Stops after SIFTED_BYTES or at `stop`. Not `typed`: rows of another spelling, all doubtful.
    A line that holds the bytes `doubted` is doubtful, an empty `doubted` makes every line so.
    """
    good: list[Place] = []
    doubtful: list[Place] = []
    view, find, head = memoryview(body), body.find, HEAD.match
    first, enough = start, min(start + SIFTED_BYTES, stop)
    line = turns = thoughts = 0
    while start <= enough:
        end = find(b"\n", start, stop)
        if end < 0:
            end = stop
        line += 1
        try:
            fits = typed and end - start <= row_bytes_max
            row = spelled(view[start:end]) if fits else None
        except (ValueError, RecursionError):
            row = None
        if (
            row is not None
            and (head(body, start, end) or body.count(b'"messages"', start, end) == 1)
            and conversation_fault(row.messages) is None
            and (held_out is None or not held_out(row))
            and (doubted is None or body.find(doubted, start, end) < 0)
        ):
            turns += len(row.messages)
            thoughts += thoughts_in(row.messages)
            good.append((line, start, end))
        elif end > start and not body[start:end].isspace():
            doubtful.append((line, start, end))
        start = end + 1

    def count(needle: bytes) -> int:
        found = body.count(needle, first, start)
        return found - sum(body.count(needle, begin, end) for _, begin, end in doubtful)

    if good and not keys_once(count, turns, thoughts):
        return Sifted([], sorted([*good, *doubtful]), line, start)
    return Sifted(good, doubtful, line, start)
