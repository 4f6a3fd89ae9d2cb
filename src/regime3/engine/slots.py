"""How many sequences may run at one time, over all models, and how many of them may be jobs'."""

from __future__ import annotations


class Slots:
    """`total` sequences; `reserved` of them are never a job's, though a job always finds one."""

    def __init__(self, total: int, reserved: int) -> None:
        self.total = total
        self.jobs_max = max(1, total - reserved)
        self.used = self.jobs = 0

    @property
    def free(self) -> int:
        """Slots that nobody has."""
        return self.total - self.used

    def take(self, interactive: bool) -> bool:
        """One more sequence; False if there is no slot for it."""
        if self.used == self.total or (not interactive and self.jobs >= self.jobs_max):
            return False
        self.used += 1
        self.jobs += not interactive
        return True

    def give(self, interactive: bool) -> None:
        """A sequence has left."""
        self.used -= 1
        self.jobs -= not interactive
