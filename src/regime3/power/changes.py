"""When and how the node's power changed, kept with the node for the viewers' event lane.

Changes(lab).append(now, "power: quiet; simulated at 220 W")     # the keeper alone
read(lab)                                                        # oldest first
"""

from __future__ import annotations

import msgspec

from regime3.paths import Lab
from regime3.status.json_log import JsonLog, tail

LOG_MB_MAX = 0.25
TOLD_MAX = 200
"""The newest; a quiet night is two changes."""
TAIL_BYTES = 64 << 10


class Change(msgspec.Struct):
    """One line for people, and when."""

    at: float
    text: str


class Changes:
    """The write side."""

    def __init__(self, lab: Lab) -> None:
        self._log = JsonLog(lab.node_power_log_file, lab.node_power_log_rotated_file, LOG_MB_MAX)

    def append(self, now: float, text: str) -> None:
        """Keep a line."""
        self._log.append(Change(now, text))


def read(lab: Lab) -> list[Change]:
    """The newest `TOLD_MAX` changes, oldest first."""
    paths = (lab.node_power_log_rotated_file, lab.node_power_log_file)
    return [each for path in paths for each in tail(path, Change, TAIL_BYTES)][-TOLD_MAX:]
