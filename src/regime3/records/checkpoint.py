"""What the vault says of a checkpoint: the manifest, and the seal that a reader holds."""

from __future__ import annotations

from pathlib import Path

import msgspec

from regime3.records.ledger import Ledger

MANIFEST_NAME = "manifest.json"
LEDGER_NAME = "ledger.json"
ENDED_NAME = "ended.bin"


class SealedFile(msgspec.Struct, frozen=True):
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """`manifest.json`, written last: without it, valid, the checkpoint does not exist."""

    number: int
    parent: int | None
    step: int
    created_at: float
    reason: str
    """genesis, steps, minutes, dry, skip, retry, stop, rollback, snapshot or the user's word."""
    files: dict[str, SealedFile]
    model_name: str = ""
    validation_loss: float | None = None
    rolled_back_from: int | None = None
    """For a rollback: the head that was left. `parent` is the target."""
    abandoned: list[int] = []
    versions: dict[str, str] = {}
    schema: int = 1


class Seal(msgspec.Struct, frozen=True):
    """A verified checkpoint: where it lies, its manifest and its ledger."""

    path: Path
    manifest: Manifest
    ledger: Ledger

    @property
    def number(self) -> int:
        return self.manifest.number

    @property
    def size_bytes(self) -> int:
        return sum(item.size_bytes for item in self.manifest.files.values())


class SealEntry(msgspec.Struct, frozen=True):
    """A numbered folder as `r3 checkpoints` shows it, usable or not; unknown fields are null."""

    number: int
    state: str
    """head, kept, left behind (by a rollback) or damaged."""
    reason: str
    """Why it was made; for a damaged one what is wrong with it."""
    step: int | None = None
    parent: int | None = None
    created_at: float | None = None
    validation_loss: float | None = None
    size_bytes: int | None = None
    rolled_back_from: int | None = None
