"""Reading checkpoints: what lies in the folder, and whether it keeps its manifest's promise.

The cheap check (manifest, every size, the hashes of the ledger) runs on every look and is
remembered while no file of the folder changes. The deep check hashes every byte; at about
1 GB/s and core it belongs to the start of a trainer, to rollbacks and to `r3 checkpoints
--verify`. Nothing here writes, and nothing outside the manifest's flat list is ever opened.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from regime3.errors import SealDamaged
from regime3.paths import SEAL_DIGITS, Lab
from regime3.records.checkpoint import (
    ENDED_NAME,
    LEDGER_NAME,
    MANIFEST_NAME,
    Manifest,
    Seal,
    SealedFile,
)
from regime3.vault.checked import Unreadable, read_bounded
from regime3.vault.choice import Entry
from regime3.vault.ledger_codec import decode_ledger
from regime3.vault.manifest import decode_manifest, holds_ledger

HASH_CHUNK_BYTES = 1 << 20
NUMBERED = re.compile(rf"\d{{{SEAL_DIGITS}}}")

Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all) while large files are hashed."""
Signature = tuple[tuple[str, int, int, int], ...]


class Shelf:
    """The numbered folders of a lab. Findings are cached by every file's inode, size and mtime."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._seen: dict[int, tuple[Signature, Entry]] = {}

    def entries(self, damaged: Mapping[int, str]) -> list[Entry]:
        """Every numbered folder, ascending. `damaged` are verdicts of earlier deep checks."""
        found = [self._entry(number) for number in numbers_in(self.lab.checkpoints)]
        found = [e for e in found if e.damage is None or os.path.lexists(self.lab.seal(e.number))]
        self._seen = {e.number: self._seen[e.number] for e in found if e.number in self._seen}
        return [Entry(e.number, e.manifest, e.damage or damaged.get(e.number)) for e in found]

    def _entry(self, number: int) -> Entry:
        path = self.lab.seal(number)
        signature = _signature(path)
        before = self._seen.get(number)
        if before is not None and before[0] == signature:
            return before[1]
        entry = _examine(path, number)
        self._seen[number] = (signature, entry)
        return entry


def numbers_in(checkpoints: Path) -> list[int]:
    """Numbers that are taken, whatever bears them; ascending."""
    if not checkpoints.is_dir():
        return []
    return sorted(int(name) for name in os.listdir(checkpoints) if NUMBERED.fullmatch(name))


def _signature(path: Path) -> Signature:
    """Changes whenever a file of the folder is replaced, cut or rewritten in the ordinary way.

    Empty for what is no folder, and for one that is being deleted under our eyes.
    """
    found = []
    try:
        if path.is_symlink():
            return ()
        for name in sorted(os.listdir(path)):
            status = (path / name).lstat()
            found.append((name, status.st_ino, status.st_size, status.st_mtime_ns))
    except OSError:
        return ()
    return tuple(found)


def _examine(path: Path, number: int) -> Entry:
    try:
        manifest = read_manifest(path, number)
    except SealDamaged as damaged:
        return Entry(number, None, damaged.reason)
    try:
        if not holds_ledger(manifest):
            raise SealDamaged(number, "it holds no ledger")
        check_sizes(path, manifest)
        check_hashes(path, manifest, (LEDGER_NAME, ENDED_NAME))
    except SealDamaged as damaged:
        return Entry(number, manifest, damaged.reason)
    return Entry(number, manifest)


def read_manifest(path: Path, number: int | None) -> Manifest:
    """The manifest of the folder; raises `SealDamaged`. `number` None accepts any."""
    shown = number or 0
    if path.is_symlink() or not path.is_dir():
        raise SealDamaged(shown, "it is not a folder")
    try:
        return decode_manifest(_read_plain(path / MANIFEST_NAME), number)
    except (OSError, Unreadable) as error:
        raise SealDamaged(shown, f"{MANIFEST_NAME}: {error}") from None


def _read_plain(path: Path) -> bytes:
    """A link could lead anywhere, and a pipe would block for ever."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise Unreadable("not a plain file")
    return read_bounded(path)


def check_sizes(path: Path, manifest: Manifest) -> None:
    """Every listed file is there, plain and of the promised size; raises `SealDamaged`."""
    for name, item in manifest.files.items():
        try:
            status = (path / name).lstat()
        except OSError as error:
            raise SealDamaged(manifest.number, f"{name}: {error.strerror}") from None
        if not stat.S_ISREG(status.st_mode):
            raise SealDamaged(manifest.number, f"{name} is not a plain file")
        if status.st_size != item.size_bytes:
            raise SealDamaged(
                manifest.number, f"{name} has {status.st_size} bytes, not {item.size_bytes}"
            )


def check_hashes(
    path: Path,
    manifest: Manifest,
    names: Iterable[str],
    progress: Progress | None = None,
) -> None:
    """The named files have the promised bytes; raises `SealDamaged`."""
    names = list(names)
    total = sum(manifest.files[name].size_bytes for name in names)
    done = 0
    for name in names:
        try:
            found = hash_file(path / name, _onwards(progress, done, total))
        except OSError as error:
            raise SealDamaged(manifest.number, f"{name}: {error.strerror}") from None
        if found != manifest.files[name]:
            raise SealDamaged(manifest.number, f"the bytes of {name} do not match their hash")
        done += found.size_bytes


def check_deep(path: Path, manifest: Manifest, progress: Progress | None = None) -> None:
    """Sizes, then the hash of every listed file; raises `SealDamaged`."""
    check_sizes(path, manifest)
    check_hashes(path, manifest, manifest.files, progress)


def hash_file(path: Path, tell: Callable[[int], None] | None = None) -> SealedFile:
    """Size and sha-256 of a file; `tell` hears the bytes read so far."""
    digest, done = hashlib.sha256(), 0
    with open(path, "rb", buffering=0) as source:
        while chunk := source.read(HASH_CHUNK_BYTES):
            digest.update(chunk)
            done += len(chunk)
            if tell is not None:
                tell(done)
    return SealedFile(done, digest.hexdigest())


def _onwards(progress: Progress | None, done: int, total: int) -> Callable[[int], None] | None:
    return None if progress is None else lambda part: progress(done + part, total)


def read_seal(path: Path, manifest: Manifest) -> Seal:
    """The seal with its ledger; raises `SealDamaged`."""
    try:
        ledger = decode_ledger((path / LEDGER_NAME).read_bytes(), (path / ENDED_NAME).read_bytes())
    except (OSError, Unreadable) as error:
        raise SealDamaged(manifest.number, str(error)) from None
    return Seal(path, manifest, ledger)
