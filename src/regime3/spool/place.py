"""Putting a file into the inbox from elsewhere (`r3 add`): a temp copy, then a rename."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from regime3 import disk
from regime3.errors import DiskFull, InputRefused
from regime3.paths import Lab
from regime3.records.files import Lane, Sidecar
from regime3.spool.claims import free_name
from regime3.spool.names import DATA_SUFFIX, sanitised, sidecar_name

SPARE_BYTES_MIN = 64 << 20


def place_in_inbox(
    lab: Lab,
    source: Path,
    lane: Lane | None = None,
    sidecar: Sidecar | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Copy `source` into the inbox (a lane's folder, or the top) and return where it lies.

    A sidecar beside the source comes along unless one is given. `progress` hears of bytes as
    they are copied. Never overwrites: a taken name gets a number. Raises `InputRefused`,
    `DiskFull`.
    """
    if not source.is_file():
        kind = "a folder" if source.is_dir() else "not there, or not a file"
        raise InputRefused(kind, file=str(source), next_command=f"ls -l {source.parent}")
    size_bytes, free = source.stat().st_size, disk.free_bytes(lab.inbox)
    if free < size_bytes + SPARE_BYTES_MIN:
        raise DiskFull(str(lab.inbox), free, size_bytes + SPARE_BYTES_MIN)
    folder = lab.inbox if lane is None else lab.inbox_lane(lane)
    target = free_name(folder / (sanitised(source.stem) + DATA_SUFFIX))
    beside = source.with_name(sidecar_name(source.name))
    # The sidecar first: a data file must never be admitted without it.
    companion = target.with_name(sidecar_name(target.name))
    if sidecar is not None:
        disk.write_bytes(companion, msgspec.json.encode(sidecar) + b"\n")
    elif source.name.endswith(DATA_SUFFIX) and beside.is_file():
        disk.copy_file(beside, companion)
    disk.copy_file(source, target, progress)
    return target
