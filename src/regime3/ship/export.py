"""The bf16 export of a checkpoint: what is served of it, at half the size and without a trainer's.

    with Export(seal.path) as export:
        export.describe(Origin(seal=7, ...))       # one reading: hashes, and with them the manifest
        export.blocks("model.safetensors", at, length)

    export_folder(source, target, origin)          # the same as files

An export need not be written down to be sent: any part of a file is made when it is asked for
(`narrow`), the same bytes each time and everywhere, so the manifest's hash names them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import IO, Final

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
from regime3.records.tensors import LyingHeader
from regime3.ship.narrow import Block, Narrow

NOT_SERVED: Final = (
    *("optimizer", "scheduler", "rng", "trainer_state", "budget", "training", "training_args"),
    *("ledger", "ended", "rollback", "manifest"),
)
"""First parts of the names that only a trainer or the vault needs."""

Progress = Callable[[int], None]
"""Told bytes as they are read."""
Promised = Mapping[str, SealedFile]
"""A checkpoint's manifest: what is read has to be what was sealed."""


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


class Export:
    """The files of an export, open: a checkpoint that is pruned meanwhile is still read to its end.

    Raises `ModelError` for a checkpoint that is not sound, OSError."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._weights: dict[str, Narrow] = {}
        self._texts: dict[str, tuple[bytes, bytes]] = {}
        """As they lie there, and as they are served."""
        with _believed(source), contextlib.ExitStack() as opened:
            for name in served_files(source):
                if name.endswith(".safetensors"):
                    self._weights[name] = opened.enter_context(Narrow(source / name))
                else:
                    was = (source / name).read_bytes()
                    self._texts[name] = (was, _served(name, was))
            self._opened = opened.pop_all()

    def __enter__(self) -> Export:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._opened.close()

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each file, as it is served."""
        texts = {name: len(now) for name, (_, now) in self._texts.items()}
        return texts | {name: each.size_bytes for name, each in self._weights.items()}

    def blocks(self, name: str, at: int, length: int) -> Iterator[Block]:
        """A part of a file; each block stays as it is until the one after the next is asked for."""
        if name in self._texts:
            yield self._texts[name][1][at : at + length]
            return
        with _believed(self.source):
            for _, narrow in self._weights[name].pieces(at, length):
                yield narrow

    def describe(
        self,
        origin: Origin | None,
        progress: Progress = lambda _: None,
        promised: Promised | None = None,
        into: Path | None = None,
    ) -> ModelManifest:
        """Read all of it once, for its hashes; `into` is a folder to write it to as well."""
        with _believed(self.source):
            files = {
                name: self._describe_file(name, progress, promised, into) for name in self.sizes
            }
        return ModelManifest(files, origin=origin)

    def _describe_file(
        self, name: str, progress: Progress, promised: Promised | None, into: Path | None
    ) -> SealedFile:
        sealed = (promised or {}).get(name)
        with contextlib.ExitStack() as opened:
            out = opened.enter_context(open(into / name, "wb", buffering=0)) if into else None
            read, written = opened.enter_context(_Hashing()), opened.enter_context(_Hashing(out))
            pieces = self._weights[name].pieces() if name in self._weights else [self._texts[name]]
            for was, now in pieces:
                if sealed is not None:
                    read.put(was)
                written.put(now)
                progress(len(was))
            found, made = read.settled(), written.settled()
        if sealed is not None and found != sealed:
            raise LyingHeader(f"{name} is not what was sealed")
        return made


def export_folder(
    source: Path,
    target: Path,
    origin: Origin | None,
    progress: Progress = lambda _: None,
    promised: Promised | None = None,
) -> ModelManifest:
    """Write and seal the export; `target` must not exist. Raises `ModelError`, OSError."""
    disk.make_folder(target.parent)
    temp = disk.temp_folder(target.parent, target.name)
    try:
        with Export(source) as export:
            manifest = export.describe(origin, progress, promised, temp)
        disk.write_bytes(temp / MANIFEST_NAME, encode_manifest(manifest), durable=False)
        disk.seal_folder(temp, target)
    finally:
        disk.remove_folder(temp)
    return manifest


@contextlib.contextmanager
def _believed(source: Path) -> Iterator[None]:
    try:
        yield
    except LyingHeader as lie:
        raise ModelError(f"{source}: {lie}", "r3 checkpoints --verify") from None


def _served(name: str, data: bytes) -> bytes:
    """What becomes of a file that holds no weights."""
    if name == "config.json":
        return _said_in_bf16(data)
    return _without_total(data) if name.endswith(".index.json") else data


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


class _Hashing:
    """Hashes, and writes if there is where to, in a thread of its own, one block behind."""

    def __init__(self, out: IO[bytes] | None = None) -> None:
        self._out, self._digest, self._size_bytes = out, hashlib.sha256(), 0
        self._pool = ThreadPoolExecutor(1, "export")
        self._pending: Future[None] | None = None

    def put(self, block: Block) -> None:
        """Take a block, which has to stay as it is until the next one has been put."""
        self._settle()
        self._pending = self._pool.submit(self._take, block)

    def settled(self) -> SealedFile:
        """Size and hash of what was put."""
        self._settle()
        return SealedFile(self._size_bytes, self._digest.hexdigest())

    def __enter__(self) -> _Hashing:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def _settle(self) -> None:
        if self._pending is not None:
            pending, self._pending = self._pending, None
            pending.result()

    def _take(self, block: Block) -> None:
        self._digest.update(block)
        self._size_bytes += len(block)
        left = memoryview(block)
        while self._out is not None and left:
            left = left[self._out.write(left) :]
