"""The event log: one JSON line for each thing worth remembering, rotated by size.

    log = EventLog(lab, log_mb_max=20.0)
    log.append("sealed", "Checkpoint 12 sealed at step 4,000", now, step=4000)
    read_events(lab, after=118)

Numbers grow for ever, so that a viewer asks only for what is newer than it has. A line is never
synced: the checkpoints hold what must survive, this is the story of it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from regime3 import disk
from regime3.paths import Lab
from regime3.records.status import Event, Level

TAIL_BYTES = 256 << 10


class EventLog:
    """The write side; the supervisor alone holds one."""

    def __init__(self, lab: Lab, log_mb_max: float) -> None:
        self.lab = lab
        self._bytes_max = int(log_mb_max * 1e6)
        disk.make_folder(lab.status)
        self._cut_torn_line()
        known = read_events(lab, limit=1)
        self._number = known[-1].number if known else 0
        self._bytes = lab.events_file.stat().st_size if lab.events_file.exists() else 0

    def _cut_torn_line(self) -> None:
        path = self.lab.events_file
        if path.exists() and path.stat().st_size:
            data = path.read_bytes()
            if not data.endswith(b"\n"):
                disk.truncate(path, data.rfind(b"\n") + 1)

    def append(
        self, kind: str, text: str, now: float, *, level: Level = "INFO", step: int | None = None
    ) -> Event:
        """Write an event and return it."""
        self._number += 1
        event = Event(self._number, now, kind, level, text, step)
        line = msgspec.json.encode(event) + b"\n"
        with disk.Appender(self.lab.events_file) as out:
            out.append(line)
        self._bytes += len(line)
        if self._bytes > self._bytes_max:
            disk.rename(self.lab.events_file, self.lab.events_rotated_file, durable=False)
            self._bytes = 0
        return event


def read_events(lab: Lab, *, after: int = 0, limit: int = 200) -> list[Event]:
    """The newest `limit` events whose number exceeds `after`, oldest first."""
    events: list[Event] = []
    for path in (lab.events_file, lab.events_rotated_file):
        if len(events) < limit and (not events or events[0].number > after + 1):
            events = _tail(path) + events
    return [event for event in events if event.number > after][-limit:] if limit else []


def _tail(path: Path) -> list[Event]:
    """Whole, readable lines in the last stretch of a log."""
    if not path.exists():
        return []
    with open(path, "rb") as source:
        size = source.seek(0, 2)
        source.seek(max(0, size - TAIL_BYTES))
        lines = source.read().split(b"\n")
    # The first may be cut by the seek, the last is empty or still being written.
    whole = lines[1 if size > TAIL_BYTES else 0 : -1]
    events = []
    for line in whole:
        try:
            events.append(msgspec.json.decode(line, type=Event))
        except msgspec.DecodeError:
            continue
    return events
