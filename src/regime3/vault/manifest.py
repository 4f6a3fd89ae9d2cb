"""The manifest: the promise that a folder keeps. Without a valid one a checkpoint does not exist.

`decode_manifest` trusts nothing it reads: size, types, names, numbers and its own hash are
checked before any of it is used as a path. It writes nothing and opens no file it lists.
"""

from __future__ import annotations

import re

from regime3.records.checkpoint import ENDED_NAME, LEDGER_NAME, MANIFEST_NAME, Manifest
from regime3.vault.checked import Unreadable, decode_checked, encode_checked

SCHEMA = 1
FILES_MAX = 4096
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of `manifest.json`."""
    return encode_checked(manifest)


def decode_manifest(data: bytes, number: int | None) -> Manifest:
    """The manifest of seal `number` (None: any number); raises `Unreadable` with the reason."""
    manifest = decode_checked(data, Manifest)
    problem = _problem(manifest, number)
    if problem:
        raise Unreadable(problem)
    return manifest


def check_file_name(name: str) -> str | None:
    """Why `name` may not stand in a manifest; None when it may. Flat, plain, never hidden."""
    if not FILE_NAME.fullmatch(name) or name == MANIFEST_NAME:
        return f"the file name {name[:80]!r} is not allowed"
    return None


def _problem(manifest: Manifest, number: int | None) -> str | None:
    if manifest.schema != SCHEMA:
        return f"schema {manifest.schema} is not {SCHEMA}: written by another version"
    if number is not None and manifest.number != number:
        return f"it is the manifest of checkpoint {manifest.number}"
    if manifest.number < 1 or manifest.step < 0:
        return "its number or step is negative"
    earlier = [*manifest.abandoned]
    earlier += [n for n in (manifest.parent, manifest.rolled_back_from) if n is not None]
    if any(not 1 <= n < manifest.number for n in earlier):
        return "it refers to a checkpoint that is not older than itself"
    return _problem_in_files(manifest)


def _problem_in_files(manifest: Manifest) -> str | None:
    if len(manifest.files) > FILES_MAX:
        return f"it lists more than {FILES_MAX} files"
    for name, item in manifest.files.items():
        if problem := check_file_name(name):
            return problem
        if item.size_bytes < 0 or not SHA256.fullmatch(item.sha256):
            return f"size or hash of {name} is impossible"
    return None


def holds_ledger(manifest: Manifest) -> bool:
    """Whether this is a full checkpoint; a snapshot has weights only."""
    return LEDGER_NAME in manifest.files and ENDED_NAME in manifest.files
