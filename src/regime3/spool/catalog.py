"""The memory of the spool: every admitted file's `FileMeta`, read once and kept.

`queue/meta` is the truth; this is a cache of it in admission order. Only the process that holds
the lab writes; another process (`r3 queue`) sees new files when it asks again. Safe between
threads: `lock` is held for moments only, never while a file is read or made durable.
"""

from __future__ import annotations

import os
import threading

import msgspec

from regime3 import disk
from regime3.clock import Clock
from regime3.errors import InputRefused
from regime3.paths import Lab
from regime3.records.files import FileMeta, Lane

# A folder's time is coarse: a listing made so soon after a change may miss one that follows.
LISTING_TRUSTED_AFTER_S = 2.0
_decode = msgspec.json.Decoder(FileMeta).decode


class Catalog:
    """`FileMeta` by id, in admission order."""

    def __init__(self, lab: Lab, clock: Clock) -> None:
        self._lab, self._clock = lab, clock
        self.lock = threading.RLock()
        self._files: dict[str, FileMeta] = {}
        self._broken: dict[str, str] = {}
        self._listed_at_ns = -1
        self._last_admission = 0
        self.version = 0
        """Grows with every change."""

    def files(self) -> dict[str, FileMeta]:
        """All files; a snapshot that nobody changes afterwards."""
        with self.lock:
            self._refresh()
            return dict(self._files)

    def get(self, file_id: str) -> FileMeta | None:
        """The file of that id, as of the last `files()`; our own changes are always seen."""
        with self.lock:
            if self._listed_at_ns < 0 and not self._files:
                self._refresh()
            return self._files.get(file_id)

    def known(self, file_id: str) -> FileMeta:
        """The file of that id; raises `InputRefused` when there is none."""
        meta = self.get(file_id)
        if meta is None:
            raise InputRefused(f"no admitted file has the id {file_id}", next_command="r3 queue")
        return meta

    def broken(self) -> dict[str, str]:
        """Folders of queue/meta that cannot be read, and why."""
        with self.lock:
            self._refresh()
            return dict(self._broken)

    def next_admission(self) -> int:
        """The next number in the order of admission; never given twice."""
        with self.lock:
            self._last_admission += 1
            return self._last_admission

    def admitted(self, meta: FileMeta) -> None:
        """Take in a file whose meta folder has just been sealed."""
        with self.lock:
            self._files[meta.id] = meta
            self._last_admission = max(self._last_admission, meta.admission)
            self.version += 1

    def forget(self, file_id: str) -> None:
        """Remove a file's meta folder: only for one refused whole, about to be judged anew."""
        with self.lock:
            disk.remove_folder(self._lab.meta(file_id))
            self._files.pop(file_id, None)
            self.version += 1

    def rewrite(self, meta: FileMeta) -> None:
        """Replace a file's meta, durably."""
        draft = self._lab.meta_draft(meta.id)
        disk.write_bytes(draft, encoded(meta))
        disk.rename(draft, self._lab.meta_file(meta.id))
        with self.lock:
            self._files[meta.id] = meta
            self.version += 1

    def set_lane(self, file_id: str, lane: Lane) -> None:
        """Change a file's lane; one that waits in a lane's folder moves there at once."""
        with self.lock:
            meta = self.known(file_id)
            if meta.lane == lane:
                return
            self.rewrite(msgspec.structs.replace(meta, lane=lane))
            name = self._lab.data_name(meta.name, meta.id)
            waiting = self._lab.queue_folder(meta.lane) / name
            # Killed before the rename: `reconcile` does it at the next start.
            if waiting.exists():
                disk.rename(waiting, self._lab.queue_folder(lane) / name)

    def _refresh(self) -> None:
        """Read the metas that appeared since the last listing."""
        root = self._lab.meta_root
        try:
            changed_ns = os.stat(root).st_mtime_ns
        except FileNotFoundError:
            return
        if changed_ns == self._listed_at_ns:
            return
        found = set(os.listdir(root))
        gone = self._files.keys() - found
        for name in gone:
            del self._files[name]
        fresh = [name for name in found - self._files.keys() if not name.startswith(".")]
        self._broken.clear()
        for name in fresh:
            self._read(name)
        if fresh:
            self._files = dict(sorted(self._files.items(), key=lambda item: item[1].admission))
            newest = max((meta.admission for meta in self._files.values()), default=0)
            self._last_admission = max(self._last_admission, newest)
        if gone or fresh:
            self.version += 1
        settled = self._clock.now() - changed_ns / 1e9 > LISTING_TRUSTED_AFTER_S
        self._listed_at_ns = changed_ns if settled else -1

    def _read(self, name: str) -> None:
        try:
            with open(self._lab.meta_file(name), "rb") as source:
                meta = _decode(source.read())
        except (OSError, ValueError) as error:  # surfaced by `problems`, never fatal
            self._broken[name] = f"its meta.json cannot be read: {error}"
            return
        if meta.id != name:
            self._broken[name] = f"its meta.json speaks of {meta.id}"
        else:
            self._files[name] = meta


def encoded(meta: FileMeta) -> bytes:
    """The text of a meta.json."""
    return msgspec.json.format(msgspec.json.encode(meta), indent=1) + b"\n"
