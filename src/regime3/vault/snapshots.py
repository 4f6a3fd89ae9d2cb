"""Daily snapshots: weights, config and tokenizer of the head, by hard links.

A snapshot restores (`r3 init --model snapshots/DAY`) but cannot be rolled back to: it has no
optimizer and no ledger. Days are local dates. `due_day` decides from the wall clock and what is
on disk alone, so a machine that slept past the hour makes up for it once, and a clock that
jumps makes no second snapshot of a day. Pruning goes by seal number, which no clock can move.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from regime3 import disk
from regime3.errors import SealDamaged, SealError
from regime3.paths import Lab
from regime3.records.checkpoint import MANIFEST_NAME, Manifest, Seal
from regime3.vault.manifest import encode_manifest
from regime3.vault.reading import Progress, check_deep, read_manifest
from regime3.vault.sealing import link_files, state_of, temp_folder

DAY = re.compile(r"\d{4}-\d\d-\d\d")
TRAINING_ONLY = ("optimizer", "scheduler", "rng", "trainer_state", "budget", "training_args")
"""First parts of the names that only a trainer needs."""


def due_day(now: float, at: str, have: Collection[str], first_seal_at: float | None) -> str | None:
    """The day whose snapshot is due, or None.

    `at` is local HH:MM, empty for never; `have` the days on disk; `first_seal_at` the wall time
    of the oldest checkpoint: a lab made in the afternoon does not owe this morning's snapshot.
    """
    if not at or first_seal_at is None:
        return None
    local = datetime.fromtimestamp(now)
    hour, minute = (int(part) for part in at.split(":"))
    scheduled = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if local < scheduled:
        scheduled -= timedelta(days=1)
    day = scheduled.strftime("%Y-%m-%d")
    if day in have or scheduled < datetime.fromtimestamp(first_seal_at):
        return None
    return day


class Snapshots:
    """The snapshots of a lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def days(self) -> list[str]:
        """Days that have a folder, ascending."""
        if not self.lab.snapshots.is_dir():
            return []
        return sorted(p.name for p in self.lab.snapshots.iterdir() if DAY.fullmatch(p.name))

    def manifest(self, day: str) -> Manifest:
        """Raises `SealDamaged`; its number is that of the seal it was taken from."""
        return read_manifest(self.lab.snapshot(day), None)

    def verify(self, day: str, progress: Progress | None = None) -> Manifest:
        """Hash every file; raises `SealDamaged`."""
        manifest = self.manifest(day)
        check_deep(self.lab.snapshot(day), manifest, progress)
        return manifest

    def take(self, seal: Seal, day: str, now: float) -> Path:
        """Make the snapshot of `day` from `seal`; there already is fine."""
        if not DAY.fullmatch(day):
            raise SealError(f"{day!r} is not a day like 2027-01-31")
        target = self.lab.snapshot(day)
        if target.exists():
            return target
        state = state_of(seal.manifest)
        files = {name: item for name, item in state.items() if not _training_only(name)}
        manifest = msgspec.structs.replace(
            seal.manifest, parent=None, reason="snapshot", created_at=now, files=files,
            abandoned=[], rolled_back_from=None,
        )  # fmt: skip
        disk.make_folder(self.lab.snapshots)
        with temp_folder(self.lab.snapshots, day) as temp:
            link_files(seal.path, temp, files)
            disk.write_bytes(temp / MANIFEST_NAME, encode_manifest(manifest))
            disk.seal_folder(temp, target)
        return target

    def prune(self, snapshots_max: int) -> list[str]:
        """Keep those of the highest seal numbers; returns the days deleted."""
        order = sorted(self.days(), key=lambda day: (self._number(day), day))
        gone = order[: max(0, len(order) - snapshots_max)]
        for day in gone:
            disk.remove_folder(self.lab.snapshot(day))
        return gone

    def day_of(self, number: int) -> str | None:
        """The newest snapshot taken from seal `number`."""
        return max((day for day in self.days() if self._number(day) == number), default=None)

    def _number(self, day: str) -> int:
        """0 for a snapshot that cannot be read: it goes first."""
        try:
            return self.manifest(day).number
        except SealDamaged:
            return 0


def _training_only(name: str) -> bool:
    return name.startswith(TRAINING_ONLY)
