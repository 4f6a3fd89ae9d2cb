"""How many sequences may run at one time, over all models, and how many of them may be jobs'."""

from __future__ import annotations


class Slots:
    """`total` sequences; `reserved` of them are never a job's, though a job always finds one."""

    def __init__(self, total: int, reserved: int) -> None:
        self.total = total
        self.reserved = reserved
        self.limit = total
        """No more than so many now, as a power profile says; what runs is not cut short."""
        self.used = self.jobs = 0

    @property
    def free(self) -> int:
        """Slots that nobody has."""
        return max(0, self.limit - self.used)

    @property
    def jobs_max(self) -> int:
        """Slots that jobs may have."""
        return max(1, self.limit - self.reserved)

    def set_limit(self, limit: int) -> None:
        """Let so many run at one time; at least one, at most all."""
        self.limit = min(max(1, limit), self.total)

    def take(self, interactive: bool) -> bool:
        """One more sequence; False if there is no slot for it."""
        if self.used >= self.limit or (not interactive and self.jobs >= self.jobs_max):
            return False
        self.used += 1
        self.jobs += not interactive
        return True

    def give(self, interactive: bool) -> None:
        """A sequence has left."""
        self.used -= 1
        self.jobs -= not interactive
