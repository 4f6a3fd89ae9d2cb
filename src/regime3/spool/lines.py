"""A file of any size as whole lines: blocks in, lines out, never the whole file.

Blocks are read and hashed one ahead in a thread (both release the interpreter lock). A line
longer than the limit is never held, only its first bytes. Nothing here knows what a row is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from regime3.spool.encoding import UTF8_BOM

# The reading thread waits some milliseconds for the interpreter lock, three times a block: a
# block that takes longer than that to decode keeps both threads busy.
BLOCK_BYTES = 8 << 20
RAW_KEPT_BYTES = 2048


@dataclass(frozen=True, slots=True)
class Lines:
    """Whole lines: those in `body[start:stop]`, the last one without its newline.

    `start` lies at `offset` of the file. The body is a block as it was read, never a copy.
    """

    offset: int
    body: bytes
    start: int
    stop: int

    def each(self) -> list[bytes]:
        """The lines, copied."""
        return self.body[self.start : self.stop].split(b"\n")


class LongLine(NamedTuple):
    """A line that was not held: where it began, its first bytes, its length in bytes."""

    offset: int
    head: bytes
    length: int


class LineCutter:
    """Blocks in, whole lines out. Holds at most `row_bytes_max` bytes of an unfinished line."""

    def __init__(self, row_bytes_max: int, *, skip_bom: bool = False) -> None:
        self._max = row_bytes_max
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._dropping = False
        self._dropped_bytes = 0
        """Bytes of an over-long line that were seen but not kept."""
        self._offset = 0
        """Where in the file the held line begins."""
        self._seen = 0
        """Bytes fed so far."""
        self._skip = len(UTF8_BOM) if skip_bom else 0

    def feed(self, block: bytes) -> Iterator[Lines | LongLine]:
        """The lines that `block` completes."""
        self._seen += len(block)
        begin, before = self._skip, self._seen - len(block)
        self._skip = 0
        if not before:
            self._offset = begin
        first, last = block.find(b"\n", begin), block.rfind(b"\n", begin)
        if first >= 0 and (self._dropping or self._held):
            self._hold(block[begin:first])
            yield self._long_line() if self._dropping else self._held_line()
            begin = first + 1
            self._offset = before + begin
        if begin <= last:
            yield Lines(self._offset, block, begin, last)
            begin = last + 1
            self._offset = before + begin
        if begin < len(block):
            self._hold(block[begin:])

    def end(self) -> Iterator[Lines | LongLine]:
        """The last line, when no newline ends it."""
        if self._dropping:
            yield self._long_line()
        elif self._held_bytes:
            yield self._held_line()

    def _hold(self, piece: bytes) -> None:
        if self._dropping:
            self._dropped_bytes += len(piece)
            return
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes > self._max:
            head = b"".join(self._held)[:RAW_KEPT_BYTES]
            self._dropping, self._dropped_bytes = True, self._held_bytes - len(head)
            self._held, self._held_bytes = [head], len(head)

    def _held_line(self) -> Lines:
        line = b"".join(self._held)
        self._held, self._held_bytes = [], 0
        return Lines(self._offset, line, 0, len(line))

    def _long_line(self) -> LongLine:
        length = self._held_bytes + self._dropped_bytes
        found = LongLine(self._offset, b"".join(self._held), length)
        self._held, self._held_bytes = [], 0
        self._dropping, self._dropped_bytes = False, 0
        return found


def read_blocks(path: Path, digest: Callable[[bytes], None]) -> Iterator[bytes]:
    """The blocks of a file, each digested. More than one: read and digested one ahead."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:

        def next_block() -> bytes:
            block = os.read(descriptor, BLOCK_BYTES)
            digest(block)
            return block

        if os.fstat(descriptor).st_size <= BLOCK_BYTES:
            while block := next_block():
                yield block
            return
        with ThreadPoolExecutor(1, "admission-read") as ahead:
            coming = ahead.submit(next_block)
            while block := coming.result():
                coming = ahead.submit(next_block)
                yield block
    finally:
        os.close(descriptor)
