"""Where the trainable rows of an admitted file lie: fixed-width records, read one at a time.

`meta/ID/index.bin` holds, for every trainable row in file order, 16 little-endian bytes: offset
u64, length u32 (bytes, without the newline), line u32 (1-based). A file of ten million rows has
an index of 160 MB, so it is never loaded: `locate` reads 16 bytes.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

RECORD = struct.Struct("<QII")
pack_record = RECORD.pack


class RowIndex:
    """The index at `path`; `len()` is its number of rows. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._rows = os.fstat(self._descriptor).st_size // RECORD.size

    def __len__(self) -> int:
        return self._rows

    def locate(self, row: int) -> tuple[int, int, int]:
        """Offset and length in bytes, and 1-based line, of the 0-based trainable `row`."""
        if not 0 <= row < self._rows:
            raise IndexError(f"row {row} of {self._rows}")
        found = os.pread(self._descriptor, RECORD.size, row * RECORD.size)
        offset, length, line = RECORD.unpack(found)
        return offset, length, line

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> RowIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()
