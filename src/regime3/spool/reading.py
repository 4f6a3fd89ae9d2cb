"""One pass over a file of any size: its hash, its lines, and what each of them is worth.

Blocks of BLOCK_BYTES are read and hashed one ahead in a thread (both release the interpreter
lock), cut into lines, decoded, and their places appended to the index. Memory stays at a few
blocks plus one row: a line longer than `row_bytes_max` is never held, only its first bytes.

What it does not do: decide about files already admitted, or move anything.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from regime3 import disk
from regime3.errors import InputRefused
from regime3.records.files import Burial
from regime3.records.rows import Row
from regime3.spool.decode import decode_row
from regime3.spool.encoding import UTF8_BOM, foreign_encoding
from regime3.spool.index import pack_record

# Large enough that handing a block between two threads costs little beside decoding it.
BLOCK_BYTES = 2 << 20
RAW_KEPT_BYTES = 2048
FLUSH_BURIALS_MAX = 256

_encode = msgspec.json.Encoder().encode


class Lines(NamedTuple):
    """Whole lines without their newlines; the first begins at `offset` of the file."""

    offset: int
    lines: list[bytes]


class LongLine(NamedTuple):
    """A line that was not held: where it began, its first bytes, its length in bytes."""

    offset: int
    head: bytes
    length: int


@dataclass
class Judged:
    """What one pass found. `rows` + `buried` are all rows; blank lines are none."""

    sha256: str = ""
    size_bytes: int = 0
    lines: int = 0
    rows: int = 0
    buried: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    first_burial: Burial | None = None
    encoding: str | None = None
    """A foreign encoding of the whole file, such as UTF-16LE."""
    finished: bool = False
    """False when it was asked to stop before the end."""


class Seen(NamedTuple):
    """Told after every block."""

    bytes_done: int
    rows: int
    buried: int


class Reading:
    """Reads the file at `path` and leaves `index.bin` and `buried.jsonl` in `folder`.

    `held_out` says of a row whether it belongs to validation/. `on_block` hears of every block
    and ends the reading by returning False. Nothing written here is durable until sealed.
    """

    def __init__(
        self,
        path: Path,
        index_file: Path,
        buried_file: Path,
        *,
        row_bytes_max: int,
        format: str | None = None,
        held_out: Callable[[Row], bool] | None = None,
        on_block: Callable[[Seen], bool] = lambda _: True,
    ) -> None:
        self._path, self._index_file, self._buried_file = path, index_file, buried_file
        self._row_bytes_max, self._format = row_bytes_max, format
        self._held_out, self._on_block = held_out, on_block
        self._records: list[bytes] = []
        self._burials: list[Burial] = []
        self._judged = Judged()

    def run(self) -> Judged:
        """Read to the end. Raises OSError when the file cannot be read."""
        judged = self._judged
        digest = hashlib.sha256()
        with disk.Appender(self._index_file) as index:
            for block in read_blocks(self._path, digest.update):
                if judged.size_bytes == 0:
                    judged.encoding = foreign_encoding(block)
                    lines = LineCutter(self._row_bytes_max, skip_bom=block.startswith(UTF8_BOM))
                judged.size_bytes += len(block)
                if judged.encoding is not None:
                    judged.lines += block.count(b"\n")
                else:
                    self._take(lines.feed(block), index)
                if not self._on_block(Seen(judged.size_bytes, judged.rows, judged.buried)):
                    return judged
            if judged.size_bytes and judged.encoding is None:
                self._take(lines.end(), index)
        if judged.encoding is not None:
            # Counted as far as they can be told apart: the file is refused whole.
            judged.buried = judged.lines = max(judged.lines, 1)
        self._flush_burials()
        judged.sha256 = digest.hexdigest()
        judged.finished = True
        return judged

    def _take(self, pieces: Iterator[Lines | LongLine], index: disk.Appender) -> None:
        for piece in pieces:
            if isinstance(piece, LongLine):
                self._judged.lines += 1
                self._bury(self._too_long(piece.length), piece.head, piece.length)
            else:
                self._decode(piece)
        if self._records:
            index.append(b"".join(self._records))
            self._records.clear()

    def _decode(self, piece: Lines) -> None:
        """The hot loop: some ten microseconds a row, nearly all of it in msgspec."""
        judged, held_out, keep = self._judged, self._held_out, self._records.append
        offset, longest = piece.offset, self._row_bytes_max
        for line in piece.lines:
            length = len(line)
            judged.lines += 1
            if length > longest:
                self._bury(self._too_long(length), line, length)
            elif line and not line.isspace():
                try:
                    row, adapter = decode_row(line, self._format)
                except InputRefused as refused:
                    self._bury(refused.reason, line, length)
                else:
                    if held_out is not None and held_out(row):
                        self._bury("a row of validation/: never trained", line, length)
                    else:
                        judged.formats[adapter] += 1
                        judged.rows += 1
                        keep(pack_record(offset, length, judged.lines))
            offset += length + 1

    def _too_long(self, length: int) -> str:
        return f"{length:,} bytes long; queue.row_bytes_max is {self._row_bytes_max:,}"

    def _bury(self, reason: str, raw: bytes, raw_bytes: int) -> None:
        kept = raw[:RAW_KEPT_BYTES].decode("utf-8", "replace")
        burial = Burial(self._judged.lines, reason, kept, raw_bytes)
        if self._judged.first_burial is None:
            self._judged.first_burial = burial
        self._judged.buried += 1
        self._burials.append(burial)
        if len(self._burials) >= FLUSH_BURIALS_MAX:
            self._flush_burials()

    def _flush_burials(self) -> None:
        if self._burials:
            with disk.Appender(self._buried_file) as out:
                out.append(b"".join(_encode(burial) + b"\n" for burial in self._burials))
            self._burials.clear()


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
        if self._skip:
            block, self._offset, self._skip = block[self._skip :], self._skip, 0
        pieces = block.split(b"\n")
        rest = pieces.pop()
        if pieces and self._dropping:
            self._hold(pieces.pop(0))
            yield self._long_line()
        if pieces:
            if self._held_bytes:
                pieces[0] = b"".join([*self._held, pieces[0]])
                self._held, self._held_bytes = [], 0
            yield Lines(self._offset, pieces)
            self._offset = self._seen - len(rest)
        self._hold(rest)

    def end(self) -> Iterator[Lines | LongLine]:
        """The last line, when no newline ends it."""
        if self._dropping:
            yield self._long_line()
        elif self._held_bytes:
            yield Lines(self._offset, [b"".join(self._held)])

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

    def _long_line(self) -> LongLine:
        length = self._held_bytes + self._dropped_bytes
        found = LongLine(self._offset, b"".join(self._held), length)
        self._offset += length + 1
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
