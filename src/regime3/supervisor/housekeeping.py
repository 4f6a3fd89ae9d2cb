"""What a lab needs done besides training: retention, snapshots, room on the disk, short logs.

It runs on the supervisor's own turns, so a queue that never empties starves none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from regime3 import disk
from regime3.judge.ledger import standing_of
from regime3.vault.trained import note

if TYPE_CHECKING:
    from regime3.daemon import Supervisor

DISK_LOOK_S = 5.0
SLOW_LOOK_S = 30.0


class Housekeeping:
    """Timed chores of one supervisor."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._sup = supervisor
        self._disk_looked = -DISK_LOOK_S
        self._slow_looked = -SLOW_LOOK_S
        self._disk_reason: str | None = None
        self._over = False
        self.protected: set[int] = set()
        """Checkpoints that no rule may delete now."""

    def turn(self) -> None:
        """Chores that are due now."""
        now = self._sup.clock.monotonic()
        if now - self._slow_looked >= SLOW_LOOK_S:
            self._slow_looked = now
            try:
                self._snapshot()
                self._shorten_logs()
            except OSError as error:  # a full disk, say: chores come again
                self._sup.say_line(f"a chore must wait: {error}")

    def after_seal(self) -> None:
        """Old checkpoints go by rule; file contents go when no checkpoint may need them."""
        sup = self._sup
        note(sup.lab, [sup.head_seal])
        protected = {*self.protected, *sup.pushing.needed(), *standing_of(sup.lab).needed}
        removed = sup.vault.retain(sup.settings.checkpoint, protected, sup.clock.now())
        if removed:
            sup.board.event("retention", f"Checkpoints let go by rule: {removed}")
        plan = sup.vault.last_plan
        over_before, self._over = self._over, plan is not None and plan.over_budget_bytes > 0
        if plan is not None and self._over and not over_before:
            over = f"Checkpoints take {plan.over_budget_bytes / 1e9:.1f} GB more than space_gb_max"
            sup.board.event("space", f"{over}; all of them are protected by a rule", level="WARN")
        for file_id in sup.vault.deletable_content(sup.spool.files()):
            sup.spool.delete_content(file_id)

    def disk_reason(self) -> str | None:
        """Why training must rest for want of room, or None. Looks every DISK_LOOK_S.

        Room for one more checkpoint beyond the limit must be free; training goes on only when a
        tenth more than that is, so that it does not flutter.
        """
        sup = self._sup
        now = sup.clock.monotonic()
        if now - self._disk_looked < DISK_LOOK_S:
            return self._disk_reason
        self._disk_looked = now
        needed = sup.settings.checkpoint.free_gb_min * 1e9 + sup.head_seal.size_bytes
        free = disk.free_bytes(sup.lab.checkpoints)
        if self._disk_reason is not None:
            needed *= 1.1
        if free >= needed:
            self._disk_reason = None
        else:
            wanted = sup.settings.checkpoint.free_gb_min + sup.head_seal.size_bytes / 1e9
            self._disk_reason = f"the disk is nearly full: {wanted:.1f} GB must stay free"
        return self._disk_reason

    def _snapshot(self) -> None:
        sup = self._sup
        day = sup.vault.snapshot_due(sup.settings.checkpoint, sup.clock.now())
        if day is not None:
            sup.vault.snapshot(day)
            sup.vault.prune_snapshots(sup.settings.checkpoint.snapshots_max)
            sup.board.event("snapshot", f"Snapshot of {day}")

    def _shorten_logs(self) -> None:
        """A log past its limit becomes `.log.1`; the one before that is dropped."""
        sup = self._sup
        limit = sup.settings.status.log_mb_max * 1e6
        for path in sup.lab.logs.glob("*.log"):
            if path.stat().st_size > limit:
                disk.copy_file(path, path.with_suffix(".log.1"))
                disk.truncate(path, 0)  # writers append, so they go on at the new end
