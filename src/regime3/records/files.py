"""Admitted files: their identity, their sidecar, and the ends they can come to.

Source of the rules: `docs/protocol.md`, section identity.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec

Lane = Literal["high", "normal", "low"]
LANE_ORDER: tuple[Lane, ...] = ("high", "normal", "low")
Ending = Literal["done", "skipped", "failed", "removed"]
ID_HEX_CHARACTERS = 32


def file_id(content_sha256: str, pass_number: int) -> str:
    """128 bits of identity: the content's hash, or for later passes a hash of hash and pass."""
    if pass_number == 1:
        return content_sha256[:ID_HEX_CHARACTERS]
    keyed = f"{content_sha256}|pass|{pass_number}".encode()
    return hashlib.sha256(keyed).hexdigest()[:ID_HEX_CHARACTERS]


FORGE = "forge"
"""What a lineage's `generator` says of files that the lab made itself."""


def is_forged(lineage: dict[str, Any]) -> bool:
    """Whether the lab made a file itself: its rows must be proved, and a rollback quarantines
    what it taught."""
    return lineage.get("generator") == FORGE


class Sidecar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`NAME.jsonl.meta.json` beside a file in the inbox; every field optional."""

    passes: int | None = None
    format: Literal["messages", "sharegpt", "alpaca", "completion"] | None = None
    lineage: dict[str, Any] = {}
    """Free for generators: generator, version, codebook, problem ids. Follows its file."""


class FileMeta(msgspec.Struct, frozen=True):
    """`queue/meta/ID/meta.json`: written before the file enters a lane.

    After that only `lane` and `content_deleted_at` change.
    """

    id: str
    content_sha256: str
    pass_number: int
    passes: int
    name: str
    """Its name in the inbox, without `.jsonl`."""
    lane: Lane
    admission: int
    """Order of admission; grows for ever within a lab."""
    rows: int
    """Trainable rows: the entries of the index. 0: terminal, see `refused`."""
    buried: int
    """Rows refused at admission; rows + buried are all rows of the file."""
    size_bytes: int
    admitted_at: float
    formats: dict[str, int] = {}
    """Rows by adapter that read them."""
    lineage: dict[str, Any] = {}
    refused: str | None = None
    """Why the whole file failed at admission."""
    format: str | None = None
    """The adapter that a sidecar forced; None: each row's own keys decide."""
    content_deleted_at: float | None = None
    """When retention removed the data file; its record stays and still catches duplicates."""
    schema: int = 1


class Burial(msgspec.Struct, frozen=True):
    """A row that was not trained. `line` is 1-based; `raw` is cut to a stated length."""

    line: int
    reason: str
    raw: str = ""
    raw_bytes: int = 0
