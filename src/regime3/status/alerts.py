"""Alerts: what a person may want to act on, with what to do, raised once and cleared with care.

A lasting condition has two thresholds, one to raise and a calmer one to clear, so that it does
not flap. A single occurrence (a spike, an out of memory) stays in view for a time after the last
one. Repeats of an active alert count up instead of filling a list.

Nothing here sends anything anywhere; the board writes alerts to the status file.
"""

from __future__ import annotations

from dataclasses import dataclass

from regime3.records.status import ActiveAlert, AlertSummary, Level

GRAVITY: dict[Level, int] = {"ERROR": 0, "WARN": 1, "INFO": 2}
ALERTS_MAX = 50


@dataclass(frozen=True)
class Kind:
    """A code's level and advice. `hold_s`: how long one occurrence stays; None: until cleared."""

    level: Level
    what_to_do: str
    hold_s: float | None = None


KINDS: dict[str, Kind] = {
    "fatal": Kind("ERROR", "Read logs/worker.log, mend the cause, then run: r3 trainer"),
    "stall": Kind(
        "ERROR", "The supervisor restarts a silent worker by itself; see r3 doctor if it repeats."
    ),
    "disk-paused": Kind(
        "ERROR", "Free space or lower checkpoint.space_gb_max; training resumes by itself."
    ),
    "disk-low": Kind("WARN", "Free space on the lab's disk before training has to pause."),
    "non-finite-loss": Kind(
        "WARN", "Nothing reached the weights. If it repeats, lower train.learning_rate.", 900.0
    ),
    "loss-spike": Kind("WARN", "The gradient was clipped. Look at the file if it repeats.", 900.0),
    "out-of-memory": Kind(
        "WARN", "The window was replayed in smaller slices; no row was lost. Nothing to do.", 900.0
    ),
    "worker-restarted": Kind("WARN", "Training went on from the head. See logs/worker.log.", 900.0),
    "file-failed": Kind("ERROR", "See why: r3 queue", 3600.0),
    "disk-full": Kind("ERROR", "Free space on the lab's disk; training resumes by itself.", 900.0),
    "long-examples": Kind("WARN", "Lower model.max_length, or give the worker more memory."),
    "slow-loss": Kind("INFO", "Nothing to do; training is correct, only slower."),
    "row-given-up": Kind("WARN", "See which and why: r3 queue", 3600.0),
    "throughput-low": Kind(
        "WARN", "Look for another program on the processor or GPU, or for heat: r3 doctor"
    ),
    "divergence": Kind(
        "WARN", "Compare with the last checkpoints (r3 checkpoints) and lower train.learning_rate."
    ),
    "plateau": Kind(
        "INFO", "More or harder data may help, or a lower train.learning_rate; r3 evolution tells."
    ),
    "gap": Kind(
        "WARN",
        "It learns rows by heart, or validation/ holds other kinds: more data, fewer passes.",
    ),
    "gap-wide": Kind(
        "ERROR", "It learns rows by heart. Stop repeating data: r3 pause, then r3 queue"
    ),
    "gpu-warm": Kind("WARN", "Look at fans and airflow, or lower the limit: r3 power"),
    "gpu-hot": Kind(
        "ERROR", "Lower the power limit now: r3 power quiet; look at fans and airflow."
    ),
    "queue-dry": Kind("INFO", "Drop .jsonl files into inbox/, or run: r3 add FILE"),
    "non-finite-figure": Kind(
        "WARN", "A figure is shown as unknown. Report it if it stays.", 900.0
    ),
}
OTHER = Kind("INFO", "See logs/worker.log", 900.0)


class AlertBook:
    """Active alerts by code. Every method takes `now`, wall seconds."""

    def __init__(self, active: list[ActiveAlert] | None = None) -> None:
        self._active = {alert.code: alert for alert in active or []}

    def raise_(
        self, code: str, message: str, now: float, level: Level | None = None
    ) -> ActiveAlert | None:
        """Raise or repeat an alert. Returns it when it is new, None when it was active."""
        kind = KINDS.get(code, OTHER)
        there = self._active.get(code)
        if there is not None:
            there.message, there.last = message, now
            there.count += 1 if kind.hold_s is not None else 0
            return None
        alert = ActiveAlert(code, level or kind.level, message, kind.what_to_do, now, now)
        self._active[code] = alert
        if len(self._active) > ALERTS_MAX:
            mildest = min(self._active.values(), key=lambda a: (-GRAVITY[a.level], a.last))
            del self._active[mildest.code]
        return alert

    def clear(self, code: str) -> ActiveAlert | None:
        """End an alert; returns it when it was active."""
        return self._active.pop(code, None)

    def hold(
        self, code: str, *, raise_when: bool, clear_when: bool, message: str, now: float
    ) -> ActiveAlert | None:
        """A lasting condition between two thresholds; returns the alert when it is new."""
        if raise_when or (code in self._active and not clear_when):
            return self.raise_(code, message, now)
        if clear_when:
            self.clear(code)
        return None

    def expire(self, now: float) -> None:
        """Let single occurrences go once their time in view is over."""
        for code, alert in list(self._active.items()):
            hold_s = KINDS.get(code, OTHER).hold_s
            if hold_s is not None and now - alert.last > hold_s:
                del self._active[code]

    def active(self) -> list[ActiveAlert]:
        """Gravest first, then newest."""
        return sorted(self._active.values(), key=lambda a: (GRAVITY[a.level], -a.last))

    def summary(self) -> AlertSummary:
        """Counts by level."""
        levels = [alert.level for alert in self._active.values()]
        return AlertSummary(levels.count("ERROR"), levels.count("WARN"), levels.count("INFO"))

    def gravest_error(self) -> ActiveAlert | None:
        """The first ERROR, or None."""
        return next((alert for alert in self.active() if alert.level == "ERROR"), None)
