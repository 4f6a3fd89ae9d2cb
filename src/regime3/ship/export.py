"""The bf16 export of a checkpoint: what is served of it, at half the size and without a trainer's.

    export_folder(seal.path, lab.node_export("step-1200"), Origin(seal=7, ...))

Tensors are converted file by file in small blocks with integer arithmetic (round to nearest, ties
to even, as torch does) and hashed while they are written; no tensor is ever whole in memory and
torch is not needed. The same checkpoint gives the same bytes everywhere, so the manifest's hash
names them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from regime3 import disk
from regime3.errors import ModelError, NodeRefused
from regime3.records.checkpoint import MANIFEST_NAME, SealedFile
from regime3.records.models import (
    ModelManifest,
    Origin,
    check_file_name,
    encode_manifest,
    origin_in,
)
from regime3.records.tensors import LyingHeader, encode_header, read_header

BLOCK_BYTES: Final = 8 << 20
CACHED_VALUES: Final = 1 << 15
"""Values converted at one time: their scratch stays in the core's cache."""
NOT_SERVED: Final = (
    *("optimizer", "scheduler", "rng", "trainer_state", "budget", "training_args"),
    *("ledger", "ended", "rollback", "manifest"),
)
"""First parts of the names that only a trainer or the vault needs."""
SHRUNK: Final = frozenset({"F32"})

Progress = Callable[[int], None]
"""Told bytes as they are read."""


def served_files(source: Path) -> list[str]:
    """Names of the files of a checkpoint, or of any model folder, that a node needs."""
    found = []
    for item in sorted(source.iterdir()):
        if item.name.startswith((".", *NOT_SERVED)) or not item.is_file():
            continue
        try:
            found.append(check_file_name(item.name))
        except NodeRefused:
            continue
    return found


def origin_of(source: Path) -> Origin | None:
    """The checkpoint that lies in a folder; None when it is another model folder."""
    try:
        return origin_in((source / MANIFEST_NAME).read_bytes())
    except OSError:
        return None


def export_folder(
    source: Path,
    target: Path,
    origin: Origin | None,
    progress: Progress = lambda _: None,
    promised: Mapping[str, SealedFile] | None = None,
    durable: bool = True,
) -> ModelManifest:
    """Write and seal the export; `target` must not exist. Raises `ModelError`, OSError.

    `promised` is the checkpoint's manifest: what is read has to be what was sealed. Not `durable`
    spares the disk: for a copy whose every byte is checked again by who receives it.
    """
    disk.make_folder(target.parent)
    temp = disk.temp_folder(target.parent, target.name)
    try:
        files = {
            name: _export_file(source, temp, name, progress, (promised or {}).get(name))
            for name in served_files(source)
        }
        manifest = ModelManifest(files, origin=origin)
        disk.write_bytes(temp / MANIFEST_NAME, encode_manifest(manifest), durable=False)
        if durable:
            disk.seal_folder(temp, target)
        else:
            disk.rename(temp, target, durable=False)
    except LyingHeader as lie:
        raise ModelError(f"{source}: {lie}", "r3 checkpoints --verify") from None
    finally:
        disk.remove_folder(temp)
    return manifest


def _export_file(
    source: Path, temp: Path, name: str, progress: Progress, promised: SealedFile | None
) -> SealedFile:
    if name.endswith(".safetensors"):
        return _convert(source / name, temp / name, progress, promised)
    data = (source / name).read_bytes()
    if promised is not None and hashlib.sha256(data).hexdigest() != promised.sha256:
        raise LyingHeader(f"{name} is not what was sealed")
    if name == "config.json":
        data = _said_in_bf16(data)
    elif name.endswith(".index.json"):
        data = _without_total(data)
    disk.write_bytes(temp / name, data, durable=False)
    progress(len(data))
    return SealedFile(len(data), hashlib.sha256(data).hexdigest())


def _said_in_bf16(data: bytes) -> bytes:
    """A config that names float32 names bfloat16, which the weights are now."""
    config = json.loads(data)
    for key in ("dtype", "torch_dtype"):
        if config.get(key) == "float32":
            config[key] = "bfloat16"
    return json.dumps(config, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"


def _without_total(data: bytes) -> bytes:
    """The index' total size is of the wide weights; nobody needs it."""
    index = json.loads(data)
    index.pop("metadata", None)
    return json.dumps(index, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"


# -------------------------------------------------------------------------------------- tensors


class _Hashing:
    """Hashes, and writes if there is where to, in a thread of its own, one block behind."""

    def __init__(self, out: IO[bytes] | None) -> None:
        self._out, self._digest, self._size_bytes = out, hashlib.sha256(), 0
        self._pool = ThreadPoolExecutor(1, "export")
        self._pending: Future[None] | None = None

    def put(self, block: bytes | bytearray) -> None:
        self._settle()
        self._pending = self._pool.submit(self._take, block)

    def close(self) -> SealedFile:
        try:
            self._settle()
        finally:
            self._pool.shutdown()
        return SealedFile(self._size_bytes, self._digest.hexdigest())

    def _settle(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def _take(self, block: bytes | bytearray) -> None:
        self._digest.update(block)
        self._size_bytes += len(block)
        left = memoryview(block)
        while self._out is not None and left:
            left = left[self._out.write(left) :]


def _convert(
    source: Path, target: Path, progress: Progress, promised: SealedFile | None
) -> SealedFile:
    """One safetensors file with every fp32 tensor in bf16, in the same order."""
    header = read_header(source)
    narrow = [
        (name, "BF16" if tensor.dtype in SHRUNK else tensor.dtype, tensor.shape)
        for name, tensor in header.tensors.items()
    ]
    with open(source, "rb", buffering=0) as data, open(target, "wb", buffering=0) as out:
        read, written = _Hashing(None), _Hashing(out)
        try:
            read.put(_read(data, header.data_at))
            written.put(encode_header(narrow, header.metadata))
            for tensor in header.tensors.values():
                shrink = tensor.dtype in SHRUNK
                left = tensor.end - tensor.begin
                while left:
                    block = _read(data, min(left, BLOCK_BYTES))
                    left -= len(block)
                    if promised is not None:
                        read.put(block)
                    written.put(to_bf16(block).tobytes() if shrink else block)
                    progress(len(block))
        finally:
            was, now = read.close(), written.close()
    if promised is not None and was != promised:
        raise LyingHeader(f"{source.name} is not what was sealed")
    return now


def _read(data: Any, wanted: int) -> bytearray:
    block = bytearray(wanted)
    view, got = memoryview(block), 0
    while got < wanted:
        more = data.readinto(view[got:])
        if not more:
            raise LyingHeader("the file became shorter while it was read")
        got += more
    return block


def to_bf16(block: bytes | bytearray) -> NDArray[np.uint16]:
    """Little-endian fp32 bytes as bf16 bits: to nearest, ties to even; NaN stays NaN."""
    bits = np.frombuffer(block, dtype="<u4")
    narrow = np.empty(len(bits), dtype=np.uint16)
    scratch = np.empty(min(len(bits), CACHED_VALUES), dtype=np.uint32)
    for at in range(0, len(bits), CACHED_VALUES):
        part = bits[at : at + CACHED_VALUES]
        rounded = scratch[: len(part)]
        np.right_shift(part, 16, out=rounded)
        np.bitwise_and(rounded, 1, out=rounded)
        np.add(rounded, 0x7FFF, out=rounded)
        np.add(rounded, part, out=rounded)
        np.right_shift(rounded, 16, out=rounded)
        narrow[at : at + len(part)] = rounded
        odd = np.isnan(part.view("<f4"))
        if odd.any():
            narrow[at : at + len(part)][odd] = 0x7FC0
    return narrow
