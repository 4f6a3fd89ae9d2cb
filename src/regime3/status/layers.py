"""What each layer did at every validation: a log that the supervisor keeps, for the lab's page.

    log = LayerLog(lab, log_mb_max=20.0)
    log.append(step, now, reading)
    view(lab, points=60)

A rollback leaves readings of steps that were undone; the view goes by the newest word on a step and
leaves out what lies behind it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from regime3.paths import Lab
from regime3.records.messages import LayerReading
from regime3.status.json_log import JsonLog, tail

TAIL_BYTES: Final = 4 << 20
POINTS_MAX: Final = 200


class Told(msgspec.Struct, frozen=True):
    """A line of the log."""

    step: int
    at: float
    activity: list[float]
    steadiness: list[float] | None = None


class LayerLog:
    """The write side; the supervisor alone holds one."""

    def __init__(self, lab: Lab, log_mb_max: float) -> None:
        self._log = JsonLog(lab.layers_file, lab.layers_rotated_file, log_mb_max)

    def append(self, step: int, now: float, reading: LayerReading) -> None:
        """Write one reading."""
        self._log.append(Told(step, now, reading.activity, reading.steadiness))


def view(lab: Lab, points: int) -> dict[str, Any]:
    """Readings of the current line, oldest first, thinned evenly to `points`; the newest stays.

    `readings` holds step, at, activity and steadiness, one figure a layer. A reading of another
    number of layers than the newest is of another model and left out.
    """
    told: list[Told] = []
    for path in (lab.layers_rotated_file, lab.layers_file):
        told += tail(path, Told, TAIL_BYTES)
    line: list[Told] = []
    for each in reversed(told):
        if not line or (each.step < line[-1].step and len(each.activity) == len(line[0].activity)):
            line.append(each)
    every = max(1, -(-len(line) // max(1, min(points, POINTS_MAX))))
    return {
        "layers": len(line[0].activity) if line else 0,
        "measured": len(line),
        "readings": [msgspec.to_builtins(each) for each in reversed(line[::every])],
    }
