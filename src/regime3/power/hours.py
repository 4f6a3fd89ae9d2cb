"""Quiet hours: which boundary of the day was the last one, across midnight and clock changes.

A boundary is an instant, not a reading of the wall clock: 02:30 comes once on the night when the
hour from two to three comes twice (the first time counts), and on the night when that hour is
skipped it falls on the moment of the skip. So nothing is entered or left twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo


@dataclass(frozen=True)
class Boundary:
    """A moment (seconds since the epoch) from which it is quiet, or no longer."""

    at: float
    quiet: bool


class QuietHours:
    """Hours as "22:00-07:00", local time; `zone` None is the machine's own."""

    def __init__(self, text: str, zone: tzinfo | None = None) -> None:
        begin, _, end = text.partition("-")
        self._begin, self._end = _minutes(begin), _minutes(end)
        self._zone = zone

    def last(self, now: float) -> Boundary:
        """The boundary that holds at `now`. Of two on one moment the later of the day wins."""
        return [edge for edge in self._around(now) if edge.at <= now][-1]

    def next(self, now: float) -> Boundary:
        """The first boundary after `now`."""
        edges = [edge for edge in self._around(now) if edge.at > now]
        return [edge for edge in edges if edge.at == edges[0].at][-1]

    def _around(self, now: float) -> list[Boundary]:
        """Boundaries of the days about `now`, in order."""
        today = datetime.fromtimestamp(now, self._zone).date()
        edges = sorted([(self._begin, True), (self._end, False)])
        return [
            Boundary(self._instant(today + timedelta(days=day), minutes), quiet)
            for day in (-2, -1, 0, 1, 2)
            for minutes, quiet in edges
        ]

    def _instant(self, day: date, minutes: int) -> float:
        wall = datetime(day.year, day.month, day.day, minutes // 60, minutes % 60)
        late = wall.replace(tzinfo=self._zone).timestamp()
        early = wall.replace(tzinfo=self._zone, fold=1).timestamp()
        if early >= late:
            return late  # an hour that comes twice: the first time
        # An hour that is skipped: the skip itself lies between the two readings of the wall.
        low, high = int(early), int(late)
        offset = self._offset(high)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._offset(middle) == offset else (middle, high)
        return float(high)

    def _offset(self, at: int) -> timedelta | None:
        return datetime.fromtimestamp(at, self._zone).astimezone(self._zone).utcoffset()


def _minutes(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * 60 + int(minutes)
