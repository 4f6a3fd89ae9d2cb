"""A log of one JSON object a line, rotated by size: the file, and the one before it.

A line is never synced: the checkpoints hold what must survive, logs are the story of it. A line
that a kill tore is cut when the log is opened, and read over.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from regime3 import disk

T = TypeVar("T")


class JsonLog:
    """The write side; one process alone holds one."""

    def __init__(self, path: Path, rotated: Path, mb_max: float) -> None:
        self.path, self.rotated = path, rotated
        self._bytes_max = int(mb_max * 1e6)
        disk.make_folder(path.parent)
        self._cut_torn_line()
        self._bytes = path.stat().st_size if path.exists() else 0

    def _cut_torn_line(self) -> None:
        if self.path.exists() and self.path.stat().st_size:
            data = self.path.read_bytes()
            if not data.endswith(b"\n"):
                disk.truncate(self.path, data.rfind(b"\n") + 1)

    def append(self, item: Any) -> None:
        """Write one object."""
        line = msgspec.json.encode(item) + b"\n"
        with disk.Appender(self.path) as out:
            out.append(line)
        self._bytes += len(line)
        if self._bytes > self._bytes_max:
            disk.rename(self.path, self.rotated, durable=False)
            self._bytes = 0


def tail(path: Path, kind: type[T], bytes_max: int) -> list[T]:
    """Whole, readable lines in the last stretch of a log, oldest first."""
    if not path.exists():
        return []
    with open(path, "rb") as source:
        size = source.seek(0, 2)
        source.seek(max(0, size - bytes_max))
        lines = source.read().split(b"\n")
    # The first may be cut by the seek, the last is empty or still being written.
    whole = lines[1 if size > bytes_max else 0 : -1]
    found = []
    for line in whole:
        try:
            found.append(msgspec.json.decode(line, type=kind))
        except msgspec.DecodeError:
            continue
    return found
