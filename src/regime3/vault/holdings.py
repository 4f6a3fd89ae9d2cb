"""What the folders hold, as retention and lists need it: bytes, states, and ids that are over.

Reads only; decisions are in `retention` and `choice`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from regime3.errors import SealDamaged
from regime3.paths import Lab
from regime3.records.checkpoint import ENDED_NAME, SealEntry
from regime3.records.files import Ending
from regime3.vault.choice import Entry
from regime3.vault.ledger_codec import done_ids
from regime3.vault.reading import check_hashes
from regime3.vault.retention import Shelved

OVER: frozenset[Ending] = frozenset({"done", "removed"})


def shelved(lab: Lab, entry: Entry, gone: set[int]) -> Shelved:
    """The entry with its size, as `retention` wants it; `gone` are the left behind."""
    path, manifest = lab.seal(entry.number), entry.manifest
    blobs = {}
    if path.is_dir():
        for name in os.listdir(path):
            found = (path / name).lstat()
            blobs[found.st_ino] = found.st_size
    return Shelved(
        number=entry.number,
        created_at=path.lstat().st_mtime if manifest is None else manifest.created_at,
        validation_loss=None if manifest is None else manifest.validation_loss,
        damaged=entry.damage is not None,
        left_behind=entry.number in gone,
        blobs=blobs,
    )


def shown(entry: Entry, head: int | None, gone: set[int]) -> SealEntry:
    """The entry as a list shows it."""
    manifest, state = entry.manifest, _state(entry, head, gone)
    if manifest is None:
        return SealEntry(entry.number, state, entry.damage or "")
    return SealEntry(
        number=entry.number,
        state=state,
        reason=entry.damage or manifest.reason,
        step=manifest.step,
        parent=manifest.parent,
        created_at=manifest.created_at,
        validation_loss=manifest.validation_loss,
        size_bytes=sum(item.size_bytes for item in manifest.files.values()),
        rolled_back_from=manifest.rolled_back_from,
    )


def _state(entry: Entry, head: int | None, gone: set[int]) -> str:
    """One word; damage says more than being left behind."""
    if entry.damage is not None:
        return "damaged"
    if entry.number in gone:
        return "left behind"
    return "head" if entry.number == head else "kept"


class ContentNeeds:
    """Which ids are over in each checkpoint, remembered by the hash of its `ended.bin`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._over: dict[int, tuple[str, set[str]]] = {}

    def over_in_each(self, entries: Iterable[Entry], gone: set[int]) -> list[set[str] | None]:
        """One set a checkpoint; None where the ledger cannot be read.

        Those left behind (`gone`) can be no target any more: unreadable, they are passed over.
        """
        found = {entry.number: self._over_in(entry) for entry in entries}
        self._over = {n: known for n, known in self._over.items() if n in found}
        return [ids for number, ids in found.items() if ids is not None or number not in gone]

    def _over_in(self, entry: Entry) -> set[str] | None:
        if entry.manifest is None or ENDED_NAME not in entry.manifest.files:
            return None
        digest = entry.manifest.files[ENDED_NAME].sha256
        known = self._over.get(entry.number)
        if known is not None and known[0] == digest:
            return known[1]
        path = self.lab.seal(entry.number)
        try:
            check_hashes(path, entry.manifest, [ENDED_NAME])
        except SealDamaged:
            return None
        over = done_ids((path / ENDED_NAME).read_bytes(), OVER)
        self._over[entry.number] = (digest, over)
        return over
