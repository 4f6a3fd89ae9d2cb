"""The only hand that writes.

Everything durable goes: temp file beside the target, fsync, rename, fsync of the folder. A
reader therefore never sees half a file under a final name. Libraries that insist on writing
write into a temp folder that `seal_folder` makes durable and publishes by one rename.

Every operation passes through `_operation`, which counts it and may fail it on request
(`Faults`), so a test can kill the process before, after or half-way through every write:
`REGIME3_DISK_FAULT="kill-before@17"`, with kinds kill-before, kill-after, half-write, enospc,
eio. What this module does not do: decide what to write, or ever delete first.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from regime3.errors import LabLocked

TEMP_PREFIX = ".tmp-"
COPY_CHUNK_BYTES = 4 << 20
SYNC_EACH_FILES_MAX = 8
LOCK_TRIES_MAX = 5
LOCK_RETRY_S = 0.05
FAULT_KINDS = ("kill-before", "kill-after", "half-write", "enospc", "eio")


@dataclass
class Faults:
    """Counts operations and fails the chosen one. `at` is 1-based; None fails nothing."""

    kind: str = ""
    at: int | None = None
    count: int = 0
    on_operation: Callable[[str, Path], None] | None = None

    @classmethod
    def from_environment(cls) -> Faults:
        text = os.environ.get("REGIME3_DISK_FAULT", "")
        if not text:
            return cls()
        kind, _, at = text.partition("@")
        if kind not in FAULT_KINDS or not at.isdigit():
            raise ValueError(f"REGIME3_DISK_FAULT={text!r}: want KIND@N with KIND in {FAULT_KINDS}")
        return cls(kind, int(at))

    def due(self) -> bool:
        return self.at is not None and self.count == self.at


faults = Faults.from_environment()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextlib.contextmanager
def _operation(name: str, path: Path) -> Iterator[bool]:
    """One countable operation; yields True when it should be torn half-way."""
    faults.count += 1
    if faults.on_operation is not None:
        faults.on_operation(name, path)
    due = faults.due()
    if due and faults.kind == "kill-before":
        _die()
    if due and faults.kind == "enospc":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    if due and faults.kind == "eio":
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
    yield due and faults.kind == "half-write"
    if due and faults.kind in ("kill-after", "half-write"):
        _die()


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    with _operation("sync-folder", path):
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make a file's bytes durable."""
    with _operation("sync-file", path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def sync_together(paths: Sequence[Path]) -> None:
    """Make many files and folders of one file system durable, at the cost of few journal commits.

    Beyond a handful, one `syncfs` (Linux) replaces an fsync each: ten thousand small files then
    cost seconds, not minutes. It reports write-back errors like fsync does (Linux 5.8).
    """
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if len(paths) <= SYNC_EACH_FILES_MAX or syncfs is None:
        for path in paths:
            sync_file(path)
        return
    with _operation("sync-together", paths[0]):
        descriptor = os.open(paths[0], os.O_RDONLY)
        try:
            if syncfs(descriptor) != 0:
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code), str(paths[0]))
        finally:
            os.close(descriptor)


def _temp_beside(path: Path) -> Path:
    return path.parent / f"{TEMP_PREFIX}{os.getpid()}-{path.name}"


def _open_private(path: str, flags: int) -> int:
    """Mode 0600 from the first byte on; one left by an interrupted write is narrowed too."""
    descriptor = os.open(path, flags, 0o600)
    os.fchmod(descriptor, 0o600)
    return descriptor


def write_bytes(path: Path, data: bytes, *, durable: bool = True, private: bool = False) -> None:
    """Replace `path` by `data`, whole or not at all. `private`: only we may read it, ever.

    `durable=False` skips both fsyncs: right for what is only evidence or display (the status
    file), where a power cut may bring back the older text but never a torn one.
    """
    temp = _temp_beside(path)
    with _operation("write", path) as torn:
        with open(temp, "wb", opener=_open_private if private else None) as out:
            out.write(data[: len(data) // 2] if torn else data)
            if durable:
                out.flush()
                os.fsync(out.fileno())
        if torn:
            return
    with _operation("rename", path):
        os.replace(temp, path)
    if durable:
        sync_folder(path.parent)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """`write_bytes` for UTF-8 text."""
    write_bytes(path, text.encode("utf-8"), durable=durable)


def write_json(path: Path, value: Any, *, durable: bool = True, private: bool = False) -> None:
    """`write_bytes` for JSON; NaN and infinities are refused, sets of keys stay in order."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1)
    write_bytes(path, text.encode("utf-8") + b"\n", durable=durable, private=private)


def make_folder(path: Path) -> None:
    """Create a folder and its parents; there already is fine."""
    if path.is_dir():
        return
    with _operation("make-folder", path):
        path.mkdir(parents=True, exist_ok=True)
    sync_folder(path.parent)


def rename(source: Path, target: Path, *, durable: bool = True) -> None:
    """Move within one file system; the target is replaced. The unit of every state change."""
    with _operation("rename", target):
        os.replace(source, target)
    if durable:
        sync_folder(target.parent)
        if source.parent != target.parent:
            sync_folder(source.parent)


def rename_together(pairs: Iterable[tuple[Path, Path]]) -> None:
    """Many renames, then one fsync of every folder concerned; each alone is still atomic."""
    folders: dict[Path, None] = {}
    for source, target in pairs:
        rename(source, target, durable=False)
        folders[target.parent] = folders[source.parent] = None
    for folder in folders:
        sync_folder(folder)


def link(source: Path, target: Path) -> None:
    """Give a file a second name (hard link); copies where the file system cannot."""
    with _operation("link", target):
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                raise
            shutil.copyfile(source, target)


def replace_link(path: Path, target: str) -> None:
    """Point the symbolic link `path` at the relative `target`, atomically."""
    temp = _temp_beside(path)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temp)
    with _operation("symlink", path):
        os.symlink(target, temp)
    with _operation("rename", path):
        os.replace(temp, path)
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Delete one file; gone already is fine."""
    with _operation("remove", path), contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def remove_folder(path: Path) -> None:
    """Delete a folder so that no half of it keeps its name: rename aside first, then delete."""
    if not path.exists():
        return
    aside = path if path.name.startswith(TEMP_PREFIX) else _temp_beside(path)
    if aside != path:
        rename(path, aside)
    with _operation("remove-folder", path):
        shutil.rmtree(aside)


def sweep_temp(folder: Path) -> int:
    """Delete what interrupted writes left in `folder`; returns how many. Callers hold the lock."""
    swept = 0
    for path in folder.glob(f"{TEMP_PREFIX}*"):
        with _operation("sweep", path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        swept += 1
    return swept


def temp_folder(parent: Path, label: str) -> Path:
    """A fresh folder in `parent` for a library to write into; `seal_folder` publishes it."""
    path = parent / f"{TEMP_PREFIX}{os.getpid()}-{label}"
    with _operation("make-folder", path):
        if path.exists():
            shutil.rmtree(path)
        path.mkdir(parents=True)
    return path


def seal_folder(temp: Path, target: Path) -> None:
    """Publish a folder: fsync every file and folder in it, rename, fsync the parent.

    Raises FileExistsError when the target is there: a sealed folder is never replaced.
    """
    if target.exists():
        raise FileExistsError(str(target))
    for path in sorted(temp.rglob("*")):
        if path.is_file() and not path.is_symlink():
            sync_file(path)
        elif path.is_dir():
            sync_folder(path)
    sync_folder(temp)
    with _operation("rename", target):
        os.rename(temp, target)
    sync_folder(target.parent)


def copy_file(source: Path, target: Path, progress: Callable[[int], None] | None = None) -> None:
    """Copy durably under a temp name, then rename. `progress` is told bytes as they pass."""
    temp = _temp_beside(target)
    with _operation("write", target) as torn, open(source, "rb") as src, open(temp, "wb") as out:
        while chunk := src.read(COPY_CHUNK_BYTES):
            out.write(chunk[: len(chunk) // 2] if torn else chunk)
            if progress is not None:
                progress(len(chunk))
        out.flush()
        os.fsync(out.fileno())
    rename(temp, target)


class Appender:
    """An append-only log file. Whole lines go out in one write; `sync` makes them durable."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._out: IO[bytes] = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by close()

    def append(self, data: bytes) -> None:
        with _operation("append", self.path) as torn:
            left = memoryview(data)[: len(data) // 2 if torn else len(data)]
            while left:  # a disk that fills takes a part first, and only then says so
                left = left[self._out.write(left) :]

    def sync(self) -> None:
        with _operation("sync-file", self.path):
            os.fsync(self._out.fileno())

    def close(self) -> None:
        self._out.close()

    def __enter__(self) -> Appender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def truncate(path: Path, size_bytes: int) -> None:
    """Cut a log back to `size_bytes`, durably."""
    with _operation("truncate", path):
        descriptor = os.open(path, os.O_RDWR)
        try:
            os.ftruncate(descriptor, size_bytes)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Lock:
    """An exclusive `flock`, freed by the kernel however its holder ends.

    `holder` is a line about us that a second process is shown in `LabLocked`.
    """

    def __init__(self, path: Path, what: str, holder: str) -> None:
        self.path, self.what, self.holder = path, what, holder
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock now or raise `LabLocked`."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        for attempt in range(LOCK_TRIES_MAX):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # `is_locked` of another process holds it for a moment: look more than once.
                if attempt + 1 < LOCK_TRIES_MAX:
                    time.sleep(LOCK_RETRY_S)
                    continue
                holder = os.read(descriptor, 512).decode("utf-8", "replace").strip()
                os.close(descriptor)
                raise LabLocked(self.what, holder) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, self.holder.encode("utf-8"), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock at `path` right now."""
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Bytes that an ordinary user may still write on the file system of `path`."""
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize
