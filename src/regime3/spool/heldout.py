"""The rows of validation/, so that admission can refuse to train on them.

A conversation is the same when every role and content is; spacing and keys of the line do not
matter. Loaded again when a file of the folder changes. Bad rows of validation/ are passed over:
`r3 data check` tells of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from regime3.config import Settings
from regime3.errors import InputRefused
from regime3.paths import Lab
from regime3.records.rows import Row
from regime3.spool.decode import SpelledRow, decode_row
from regime3.spool.lines import LineCutter, Lines, LongLine, read_blocks
from regime3.spool.names import DATA_SUFFIX
from regime3.spool.sift import IsHeldOut

DIGEST_BYTES = 16
_encode = msgspec.json.Encoder().encode


class HeldOut:
    """Digests of the validation conversations."""

    def __init__(self, lab: Lab, settings: Settings) -> None:
        self._lab, self._row_bytes_max = lab, settings.queue.row_bytes_max
        self._signature: list[tuple[str, int, int]] = []
        self._digests: set[bytes] = set()
        self._endings: set[str] = set()
        """Last contents: a cheap first look that nearly every row passes without a digest."""

    def refresh(self) -> IsHeldOut:
        """The test for a row, or None while validation/ holds none."""
        signature = []
        if self._lab.validation.is_dir():
            for path in sorted(self._lab.validation.glob("*" + DATA_SUFFIX)):
                if path.is_file():
                    stat = path.stat()
                    signature.append((path.name, stat.st_size, stat.st_mtime_ns))
        if signature != self._signature:
            self._load([name for name, _, _ in signature])
            self._signature = signature
        return self.holds if self._digests else None

    def holds(self, row: Row | SpelledRow) -> bool:
        """Whether this conversation stands in validation/."""
        return row.messages[-1].content in self._endings and _digest(row) in self._digests

    def _load(self, names: list[str]) -> None:
        self._digests.clear()
        self._endings.clear()
        for name in names:
            lines = LineCutter(self._row_bytes_max)
            for block in read_blocks(self._lab.validation / name, lambda _: None):
                self._take(lines.feed(block))
            self._take(lines.end())

    def _take(self, pieces: Iterable[Lines | LongLine]) -> None:
        for piece in pieces:
            for line in piece.each() if isinstance(piece, Lines) else ():
                try:
                    row, _ = decode_row(line)
                except InputRefused:
                    continue
                self._digests.add(_digest(row))
                self._endings.add(row.messages[-1].content)


def _digest(row: Row | SpelledRow) -> bytes:
    spoken = _encode([(message.role, message.content) for message in row.messages])
    return hashlib.blake2b(spoken, digest_size=DIGEST_BYTES).digest()
