"""Writing one checkpoint: ledger, hashes, manifest last, then one rename.

The folder is filled by others (torch writes the state); this module adds what the vault knows
and publishes. It does not choose numbers or parents: `choice` does.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from regime3 import disk
from regime3.errors import SealError
from regime3.records.checkpoint import (
    ENDED_NAME,
    LEDGER_NAME,
    MANIFEST_NAME,
    Manifest,
    Seal,
    SealedFile,
)
from regime3.records.ledger import Ledger
from regime3.vault.ledger_codec import encode_ledger
from regime3.vault.manifest import check_file_name, encode_manifest
from regime3.vault.reading import Progress, hash_file
from regime3.vault.rollback import ROLLBACK_NAME

NOT_STATE = frozenset({LEDGER_NAME, ENDED_NAME, MANIFEST_NAME, ROLLBACK_NAME})


@contextlib.contextmanager
def temp_folder(parent: Path, label: str) -> Iterator[Path]:
    """A temp folder that does not outlive a failure; killed, it waits for `Vault.sweep`."""
    temp = disk.temp_folder(parent, label)
    with cleared(temp):
        yield temp


@contextlib.contextmanager
def cleared(temp: Path) -> Iterator[None]:
    """What was not published is removed: after ENOSPC it is what fills the disk."""
    try:
        yield
    finally:
        if temp.exists():
            disk.remove_folder(temp)


def link_files(source: Path, target: Path, names: Collection[str]) -> None:
    """Give files a second name in `target`; no byte is copied where the file system can link."""
    for name in sorted(names):
        disk.link(source / name, target / name)


def state_of(manifest: Manifest) -> dict[str, SealedFile]:
    """What torch wrote: everything but the vault's own files."""
    return {name: item for name, item in manifest.files.items() if name not in NOT_STATE}


def write_ledger(temp: Path, ledger: Ledger) -> None:
    """`ledger.json` and `ended.bin`."""
    ledger_json, ended_bin = encode_ledger(ledger)
    disk.write_bytes(temp / LEDGER_NAME, ledger_json)
    disk.write_bytes(temp / ENDED_NAME, ended_bin)


def promise(
    temp: Path, known: Mapping[str, SealedFile], progress: Progress | None = None
) -> dict[str, SealedFile]:
    """Size and hash of every file in the folder; `known` ones (hard links) are not read again.

    Raises `SealError` for anything but plain files with plain names.
    """
    sizes: dict[str, int] = {}
    for name in sorted(os.listdir(temp)):
        status = (temp / name).lstat()
        problem = check_file_name(name)
        if problem is None and not stat.S_ISREG(status.st_mode):
            problem = f"{name} is not a plain file"
        if problem:
            raise SealError(f"this folder cannot become a checkpoint: {problem}")
        sizes[name] = status.st_size
    total = sum(size for name, size in sizes.items() if name not in known)
    files: dict[str, SealedFile] = {}
    done = 0
    for name in sizes:
        if name in known:
            files[name] = known[name]
            continue
        files[name] = hash_file(temp / name)
        done += sizes[name]
        if progress is not None:
            progress(done, total)
    return files


def publish(temp: Path, target: Path, manifest: Manifest, ledger: Ledger) -> Seal:
    """The manifest goes in last; fsync of everything, rename, fsync of the parent."""
    disk.write_bytes(temp / MANIFEST_NAME, encode_manifest(manifest))
    disk.seal_folder(temp, target)
    return Seal(target, manifest, ledger)
