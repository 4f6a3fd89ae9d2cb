"""The event log: one JSON line for each thing worth remembering, rotated by size.

    log = EventLog(lab, log_mb_max=20.0)
    log.append("sealed", "Checkpoint 12 sealed at step 4,000", now, step=4000)
    read_events(lab, after=118)

Numbers grow for ever, so that a viewer asks only for what is newer than it has.
"""

from __future__ import annotations

from regime3.paths import Lab
from regime3.records.status import Event, Level
from regime3.status.json_log import JsonLog, tail

TAIL_BYTES = 256 << 10


class EventLog:
    """The write side; the supervisor alone holds one."""

    def __init__(self, lab: Lab, log_mb_max: float) -> None:
        self._log = JsonLog(lab.events_file, lab.events_rotated_file, log_mb_max)
        known = read_events(lab, limit=1)
        self._number = known[-1].number if known else 0

    def append(
        self, kind: str, text: str, now: float, *, level: Level = "INFO", step: int | None = None
    ) -> Event:
        """Write an event and return it."""
        self._number += 1
        event = Event(self._number, now, kind, level, text, step)
        self._log.append(event)
        return event


def read_events(lab: Lab, *, after: int = 0, limit: int = 200) -> list[Event]:
    """The newest `limit` events whose number exceeds `after`, oldest first."""
    events: list[Event] = []
    for path in (lab.events_file, lab.events_rotated_file):
        if len(events) < limit and (not events or events[0].number > after + 1):
            events = tail(path, Event, TAIL_BYTES) + events
    return [event for event in events if event.number > after][-limit:] if limit else []
