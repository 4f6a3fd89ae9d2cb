"""Models on their way in: parts that survive a kill, and one rename when all is whole.

    uploads = Uploads(lab, clock, bytes_max=..., adopt=registry.adopt, has=...)
    part = uploads.create("step-1200", "manifest.json", sha256, 812)
    ... tus.py lets bytes in ...
    uploads.finish(part)                     # hash; the last file publishes the model

The manifest comes first and is promised by its hash; then the files that it lists, in any order,
each with the size that it says. What counts of a file is the offset that was recorded after an
fsync; bytes beyond it are cut off before more is written. A model is verified and renamed into the
models folder when every hash is right, never before. HTTP is `tus`'; threads call these methods.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from regime3 import disk
from regime3.clock import Clock
from regime3.errors import NodeRefused
from regime3.paths import Lab
from regime3.records.checkpoint import MANIFEST_NAME
from regime3.records.models import (
    MANIFEST_BYTES_MAX,
    ModelManifest,
    check_file_name,
    check_id,
    decode_manifest,
)

STALE_S: Final = 24 * 3600.0
"""An upload that received nothing for so long is removed."""
UPLOADS_MAX: Final = 8
"""Models under way at one time."""
REHASH_BYTES: Final = 4 << 20
RETRY_AFTER_S: Final = 1.0


class Note(msgspec.Struct, frozen=True):
    """`upload.json`: what was promised."""

    manifest_sha256: str
    created_at: float


class Offset(msgspec.Struct, frozen=True):
    """`FILE.offset`: what is safe."""

    length: int
    offset: int
    verified: bool = False
    """Whole, and of the promised hash."""


class Part:
    """One file that arrives. `begin`, then `write`s and `sync`s, then `settle`."""

    def __init__(self, lab: Lab, model: str, file: str, known: Offset) -> None:
        self.model, self.file, self.length = model, file, known.length
        self.recorded, self.verified = known.offset, known.verified
        self.path = lab.node_upload_files(model) / file
        self._note = lab.node_upload_offset(model, file)
        self._claim, self._recording = threading.Lock(), threading.Lock()
        self._out: disk.Appender | None = None
        self._digest: Any = None
        self.received = known.offset
        """Written, though perhaps not safe yet."""

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """One sender at a time. Raises `NodeRefused` 409."""
        if not self._claim.acquire(blocking=False):
            raise NodeRefused(
                409,
                "upload_busy",
                f"another request is sending {self.file}",
                retry_after_s=RETRY_AFTER_S,
            )
        try:
            yield
        finally:
            self._claim.release()

    @property
    def is_claimed(self) -> bool:
        return self._claim.locked()

    def begin(self, offset: int) -> None:
        """Cut off what is beyond the recorded offset and make ready to write there.

        Raises `NodeRefused` 409 for another offset."""
        if offset != self.recorded or self.verified:
            raise NodeRefused(
                409,
                "wrong_offset",
                f"the offset of {self.file} is {self.recorded}, not {offset}",
                param="Upload-Offset",
            )
        if not self.path.exists():
            assert self.recorded == 0 or self.length == 0
            disk.write_bytes(self.path, b"")
        disk.truncate(self.path, self.recorded)
        if self._digest is None or self.received != self.recorded:
            self._digest = self._hash_again()
        self.received = self.recorded
        self._out = disk.Appender(self.path)

    def write(self, chunks: list[bytes]) -> None:
        """Append and hash. Raises OSError; then what was hashed in memory is not trusted again."""
        assert self._out is not None
        block = b"".join(chunks)
        try:
            self._out.append(block)
        except OSError:
            self._digest = None
            raise
        self._digest.update(block)
        self.received += len(block)

    def sync(self) -> None:
        """Make what is written safe, then record how much that is."""
        assert self._out is not None
        with self._recording:
            safe = self.received
            if safe > self.recorded or safe == 0:
                self._out.sync()
                self._record(Offset(self.length, safe))

    def settle(self) -> None:
        """No more bytes in this request; what came is kept if it can be."""
        if self._out is None:
            return
        try:
            self.sync()
        finally:
            self._out.close()
            self._out = None

    def digest(self) -> str:
        """The sha-256 of what was received; call when whole and settled."""
        if self._digest is None:
            self._digest = self._hash_again()
        return str(self._digest.hexdigest())

    def approve(self) -> None:
        """It is what was promised."""
        self._record(Offset(self.length, self.length, True))
        self.verified = True
        self._digest = None

    def _record(self, offset: Offset) -> None:
        disk.write_bytes(self._note, msgspec.json.encode(offset))
        self.recorded = offset.offset

    def _hash_again(self) -> Any:
        """After a kill: the only bytes that are ever read twice."""
        digest = hashlib.sha256()
        if self.recorded == 0:
            return digest
        with open(self.path, "rb", buffering=0) as data:
            while block := data.read(REHASH_BYTES):
                digest.update(block)
        return digest


class Uploads:
    """What is under way into one node. Methods are slow and safe to call from threads."""

    def __init__(
        self,
        lab: Lab,
        clock: Clock,
        *,
        bytes_max: int,
        adopt: Callable[[str, Path], object],
        has: Callable[[str], bool],
    ) -> None:
        self.lab, self.clock, self.bytes_max = lab, clock, bytes_max
        self._adopt, self._has = adopt, has
        self._lock = threading.RLock()
        self._parts: dict[tuple[str, str], Part] = {}

    # --------------------------------------------------------------------------- requests

    def create(self, model: str, file: str, manifest_sha256: str, length: int) -> Part:
        """Begin a file, or find it where it was. Raises `NodeRefused`, OSError."""
        check_id(model)
        check_file_name(file)
        with self._lock:
            self.sweep()
            if self._has(model):
                raise NodeRefused(409, "model_exists", f"{model} is there already", param="model")
            self._check_promise(model, manifest_sha256, file)
            self._check_length(model, file, length)
            self._check_room(length)
            if not self.lab.node_upload_note(model).exists():
                self._promise(model, manifest_sha256)
            part = self._part(model, file)
            if part is None:
                disk.write_bytes(
                    self.lab.node_upload_offset(model, file), msgspec.json.encode(Offset(length, 0))
                )
                part = self._part(model, file)
            assert part is not None
        if part.length == 0 and not part.verified:
            with part.claimed():
                part.begin(0)
                part.settle()
                self.finish(part)
        return part

    def find(self, model: str, file: str) -> Part:
        """A file under way. Raises `NodeRefused` 404."""
        check_id(model)
        check_file_name(file)
        with self._lock:
            part = self._part(model, file)
        if part is None:
            raise NodeRefused(404, "upload_not_found", f"no upload of {model}/{file} is under way")
        return part

    def delete(self, model: str, file: str) -> None:
        """Give up a file; with the manifest, the model. Raises `NodeRefused` 404, 409."""
        part = self.find(model, file)
        with part.claimed(), self._lock:
            if file == MANIFEST_NAME:
                if self._busy(model, file):
                    raise NodeRefused(409, "upload_busy", "a file of it is being sent")
                self._drop(model)
            else:
                self._forget(part)

    def finish(self, part: Part) -> bool:
        """A file is whole: check it, and publish when it was the last. Call while claimed.

        True when that published the model. Raises `NodeRefused` 422; then the file has to be
        sent anew, or the whole model where that is at fault."""
        promised, manifest = self._promised(part)
        if not part.verified:
            if part.digest() != promised:
                with self._lock:
                    self._forget(part)
                raise NodeRefused(
                    422,
                    "hash_mismatch",
                    f"{part.file} is not what was promised; send it anew",
                    param=part.file,
                )
            if part.file == MANIFEST_NAME:
                self._accept_manifest(part)
                return False
            part.approve()
        return manifest is not None and self._publish_if_whole(part.model, manifest)

    def sweep(self) -> None:
        """Publish what a killed node left whole, remove what nobody goes on with."""
        if not self.lab.node_uploads.is_dir():
            return
        with self._lock:
            disk.sweep_temp(self.lab.node_uploads)
            for folder in list(self.lab.node_uploads.iterdir()):
                if self._busy(folder.name):
                    continue
                if not self._is_sound(folder):
                    self._drop(folder.name)
                    continue
                # A write that a kill cut off: a model with such a file would be refused for ever.
                disk.sweep_temp(folder)
                disk.sweep_temp(self.lab.node_upload_files(folder.name))

    def recover(self) -> None:
        """At start: a model whose every file was whole when the node was killed is published."""
        self.sweep()
        for folder in self.lab.node_uploads.iterdir() if self.lab.node_uploads.is_dir() else ():
            with contextlib.suppress(NodeRefused, OSError):
                manifest = self._manifest(folder.name)
                if manifest is not None:
                    self._publish_if_whole(folder.name, manifest)

    # --------------------------------------------------------------------------- checks

    def _check_promise(self, model: str, manifest_sha256: str, file: str) -> None:
        note = self._note(model)
        if note is None and file != MANIFEST_NAME:
            raise NodeRefused(409, "manifest_first", f"{MANIFEST_NAME} has to be sent first")
        if note is None and len(list(self.lab.node_uploads.glob("[!.]*"))) >= UPLOADS_MAX:
            raise NodeRefused(
                429,
                "too_many_uploads",
                f"{UPLOADS_MAX} models are under way",
                retry_after_s=60.0,
            )
        if note is not None and note.manifest_sha256 != manifest_sha256:
            raise NodeRefused(
                409,
                "upload_conflict",
                f"another upload of {model} is under way, with another manifest; it ends by "
                f"DELETE of its {MANIFEST_NAME}, or after {STALE_S / 3600:.0f} h of silence",
                param="manifest",
            )

    def _check_length(self, model: str, file: str, length: int) -> None:
        if file == MANIFEST_NAME:
            if not 0 < length <= MANIFEST_BYTES_MAX:
                raise NodeRefused(
                    413, "too_large", f"a manifest has 1 to {MANIFEST_BYTES_MAX} bytes"
                )
            return
        manifest = self._manifest(model)
        if manifest is None:
            raise NodeRefused(409, "manifest_first", f"{MANIFEST_NAME} is not whole yet")
        listed = manifest.files.get(file)
        if listed is None:
            raise NodeRefused(
                422, "file_not_listed", f"{file} is not in the manifest", param="file"
            )
        if listed.size_bytes != length:
            raise NodeRefused(
                422,
                "size_mismatch",
                f"the manifest says {listed.size_bytes} bytes for {file}, not {length}",
                param="Upload-Length",
            )

    def _check_room(self, length: int) -> None:
        free = disk.free_bytes(self.lab.node if self.lab.node.is_dir() else self.lab.root)
        if free < length:
            raise disk_full(f"{free} bytes are free, {length} wanted")

    def _accept_manifest(self, part: Part) -> None:
        """It is as promised; what it says has to be possible too."""
        try:
            manifest = decode_manifest(part.path.read_bytes())
            if manifest.size_bytes > self.bytes_max:
                raise NodeRefused(
                    413,
                    "too_large",
                    f"the model has {manifest.size_bytes} bytes; node.upload_gb_max allows "
                    f"{self.bytes_max}",
                )
            self._check_room(manifest.size_bytes)
        except NodeRefused:
            with self._lock:
                self._drop(part.model)
            raise
        part.approve()

    # --------------------------------------------------------------------------- the folder

    def _promise(self, model: str, manifest_sha256: str) -> None:
        disk.make_folder(self.lab.node_upload_files(model))
        note = Note(manifest_sha256, self.clock.now())
        disk.write_bytes(self.lab.node_upload_note(model), msgspec.json.encode(note))

    def _promised(self, part: Part) -> tuple[str, ModelManifest | None]:
        """The hash that a file has to have."""
        if part.file == MANIFEST_NAME:
            note = self._note(part.model)
            return ("" if note is None else note.manifest_sha256), None
        manifest = self._manifest(part.model)
        if manifest is None or part.file not in manifest.files:
            raise NodeRefused(404, "upload_not_found", "the upload is gone")
        return manifest.files[part.file].sha256, manifest

    def _part(self, model: str, file: str) -> Part | None:
        part = self._parts.get((model, file))
        if part is None:
            known = _read(self.lab.node_upload_offset(model, file), Offset)
            if known is None or self._note(model) is None:
                return None
            part = self._parts[model, file] = Part(self.lab, model, file, known)
        return part

    def _note(self, model: str) -> Note | None:
        return _read(self.lab.node_upload_note(model), Note)

    def _manifest(self, model: str) -> ModelManifest | None:
        """None until it is whole."""
        known = self._part(model, MANIFEST_NAME)
        if known is None or not known.verified:
            return None
        return decode_manifest(known.path.read_bytes())

    def _publish_if_whole(self, model: str, manifest: ModelManifest) -> bool:
        with self._lock:
            parts = [self._part(model, file) for file in manifest.files]
            if not all(part is not None and part.verified for part in parts):
                return False
            try:
                self._adopt(model, self.lab.node_upload_files(model))
            except NodeRefused:
                self._drop(model)
                raise
            self._drop(model)
            return True

    def _forget(self, part: Part) -> None:
        """A file from its beginning again."""
        disk.remove(self.lab.node_upload_offset(part.model, part.file))
        disk.remove(part.path)
        self._parts.pop((part.model, part.file), None)

    def _drop(self, model: str) -> None:
        folder = self.lab.node_upload(model)
        if folder.is_dir() and not folder.is_symlink():
            disk.remove_folder(folder)
        for key in [key for key in self._parts if key[0] == model]:
            del self._parts[key]

    def _is_sound(self, folder: Path) -> bool:
        """Promised, not published yet, and gone on with lately."""
        if not (folder / "files").is_dir() or self._note(folder.name) is None:
            return False
        latest = max(path.stat().st_mtime for path in folder.iterdir())
        return self.clock.now() - latest < STALE_S

    def _busy(self, model: str, but: str = "") -> bool:
        """Whether any file of it, but one, is being sent."""
        parts = [part for key, part in self._parts.items() if key[0] == model]
        return any(part.is_claimed and part.file != but for part in parts)


def disk_full(why: str) -> NodeRefused:
    """507, which says that the same may do later."""
    return NodeRefused(507, "disk_full", f"the node's disk is full: {why}", retry_after_s=60.0)


def is_disk_full(error: OSError) -> bool:
    """Whether an error says that the disk, or a quota, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


T = TypeVar("T")


def _read(path: Path, kind: type[T]) -> T | None:
    """A small note, or None when it is not there or not one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
        return None
