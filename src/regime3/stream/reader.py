"""Reading one admitted file by id, row by row, wherever the supervisor has renamed it to.

The descriptor is opened once and kept: a rename between lanes never disturbs a reader. What it
does not do: decode rows itself; the worker hands in the spool's decoder and index.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from regime3.errors import InputRefused
from regime3.paths import LANES, STATE_FOLDERS, Lab
from regime3.records.messages import OpenFile
from regime3.records.rows import Row

OPEN_TRIES_MAX = 5


class Index(Protocol):
    """Where the trainable rows of a file lie."""

    def __len__(self) -> int: ...

    def locate(self, row: int) -> tuple[int, int, int]:
        """Offset and length in bytes, and the 1-based line."""


class RowReader:
    """Random access to the rows of one file. Raises `InputRefused` when the file is not usable."""

    def __init__(self, lab: Lab, file: OpenFile, index: Index, decode: Callable[[bytes], Row]):
        self.file, self._index, self._decode = file, index, decode
        if len(index) != file.rows:
            raise InputRefused(
                f"its index holds {len(index)} rows, admitted were {file.rows}",
                file=file.name,
                next_command="r3 doctor",
            )
        self._descriptor = os.open(_find(lab, file), os.O_RDONLY | os.O_CLOEXEC)

    def read(self, row: int) -> tuple[Row, int]:
        """The row and its 1-based line; `InputRefused` when the bytes changed since admission."""
        offset, length, line = self._index.locate(row)
        raw = os.pread(self._descriptor, length, offset)
        if len(raw) != length:
            raise InputRefused(
                f"the file was cut short after admission (line {line})", file=self.file.name
            )
        return self._decode(raw), line

    def line(self, row: int) -> int:
        """The 1-based line of a row, without reading it."""
        return self._index.locate(row)[2]

    def close(self) -> None:
        os.close(self._descriptor)


def _find(lab: Lab, file: OpenFile) -> Path:
    """Its path now. Looks again, since the supervisor may rename it between two looks."""
    name = lab.data_name(file.name, file.id)
    for _ in range(OPEN_TRIES_MAX):
        for folder in (*LANES, *STATE_FOLDERS):
            path = lab.queue_folder(folder) / name
            if path.is_file():
                return path
    raise InputRefused(
        "its data file is in no queue folder any more", file=name, next_command="r3 doctor"
    )
