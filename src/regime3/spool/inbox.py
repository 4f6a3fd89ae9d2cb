"""The inbox: what lies in it, what is whole, what waits or is refused, and why.

A file is whole when its size and time stood still for `queue.settle_s` between two looks and no
process holds it open for writing. Only `NAME.jsonl` is taken, with `NAME.jsonl.meta.json` beside
it as its sidecar. This module looks; it moves nothing (`admission` does) and reads only sidecars.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import signal
import stat as modes
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from regime3.clock import Clock
from regime3.config import Settings
from regime3.paths import LANES, Lab
from regime3.records.files import LANE_ORDER, Lane, Sidecar
from regime3.spool.names import (
    DATA_SUFFIX,
    is_sidecar,
    is_temporary,
    shown,
    sidecar_name,
)

SIDECAR_BYTES_MAX = 1 << 20
_sidecar = msgspec.json.Decoder(Sidecar).decode
Identity = tuple[int, int, int]
"""Size in bytes, modification time in ns, inode: what must stand still."""


class InboxNote(msgspec.Struct, frozen=True):
    """A thing in the inbox that was not taken. `name` is relative to the inbox."""

    name: str
    kind: Literal["waiting", "refused"]
    reason: str
    next_command: str | None = None


@dataclass(frozen=True)
class Arrival:
    """A file of the inbox that may be admitted once it is whole."""

    path: Path
    lane: Lane
    identity: Identity
    sidecar: Sidecar
    sidecar_raw: bytes | None
    """The sidecar's text; None without one."""


@dataclass(frozen=True)
class _Look:
    seen: tuple[Identity, bytes | None]
    """The file, and its sidecar's text."""
    since: float
    """Monotonic seconds of the first look that saw this."""


class Inbox:
    """Watches the inbox of a lab; one look after another, by one thread."""

    def __init__(self, lab: Lab, settings: Settings, clock: Clock) -> None:
        self._lab, self._settings, self._clock = lab, settings, clock
        self._looks: dict[Path, _Look] = {}
        self._held: dict[Path, tuple[Identity, str]] = {}

    def ready(self) -> list[Arrival]:
        """Files that are whole by this look, in the order of admission: lane, age, name."""
        now, looks, whole = self._clock.monotonic(), {}, []
        for arrival in self._scan():
            if isinstance(arrival, InboxNote):
                continue
            seen = (arrival.identity, arrival.sidecar_raw)
            look = self._looks.get(arrival.path)
            if look is None or look.seen != seen:
                look = _Look(seen, now)
            looks[arrival.path] = look
            if now - look.since >= self._settings.queue.settle_s and not is_written(arrival.path):
                whole.append(arrival)
        self._looks = looks
        rank = {lane: place for place, lane in enumerate(LANE_ORDER)}
        whole.sort(key=lambda item: (rank[item.lane], item.identity[1], item.path.name))
        return whole

    def hold(self, path: Path, reason: str) -> None:
        """Leave a file alone until it changes, and say why."""
        try:
            self._held[path] = (_identity(os.lstat(path)), reason)
        except FileNotFoundError:
            return

    def notes(self) -> list[InboxNote]:
        """Everything that lies in the inbox now, and why it is not taken yet or never."""
        notes = []
        for item in self._scan():
            if isinstance(item, InboxNote):
                notes.append(item)
            elif is_written(item.path):
                notes.append(self._waiting(item.path, "a process is still writing it"))
            else:
                settle_s = self._settings.queue.settle_s
                notes.append(self._waiting(item.path, f"watched until it rests for {settle_s:g} s"))
        return notes

    # ------------------------------------------------------------ one look

    def _scan(self) -> Iterator[Arrival | InboxNote]:
        lanes: list[tuple[Path, Lane]] = [(self._lab.inbox, "normal")]
        lanes += [(self._lab.inbox_lane(lane), lane) for lane in LANE_ORDER]
        for folder, lane in lanes:
            try:
                with os.scandir(folder) as entries:
                    found = {entry.name: entry for entry in entries}
            except FileNotFoundError:
                continue
            except OSError as error:  # a link to itself, a file in its place, no permission
                yield self._refused(folder, f"cannot be looked into: {error.strerror}")
                continue
            for name, entry in found.items():
                if folder == self._lab.inbox and name in LANES:
                    continue
                item = self._judge(Path(entry.path), lane, found)
                if item is not None:
                    yield item

    def _judge(
        self, path: Path, lane: Lane, beside: dict[str, os.DirEntry[str]]
    ) -> Arrival | InboxNote | None:
        """What one entry is. None: a sidecar in its place, or it has just gone."""
        name = path.name
        if is_temporary(name):
            return self._waiting(path, "a temporary name: rename it when it is complete")
        try:
            stat = os.lstat(path)
        except FileNotFoundError:
            return None
        wrong = self._wrong_kind(path, stat)
        if wrong is not None:
            return wrong
        if is_sidecar(name):
            data = name.removesuffix(".meta.json")
            return None if data in beside else self._waiting(path, f"a sidecar; no {shown(data)}")
        identity = _identity(stat)
        held = self._held.get(path)
        if held is not None and held[0] == identity:
            return self._refused(path, held[1])
        companion = path.with_name(sidecar_name(name))
        try:
            raw = _read_sidecar(companion) if companion.name in beside else None
            sidecar = Sidecar() if raw is None else _sidecar(raw)
        except (ValueError, OSError) as error:
            return self._refused(path, f"its sidecar cannot be used: {error}", companion)
        passes = sidecar.passes if sidecar.passes is not None else self._settings.queue.passes
        if not 1 <= passes <= self._settings.queue.passes_max:
            limit = self._settings.queue.passes_max
            return self._refused(
                path, f"its sidecar asks for {passes} passes; 1 to {limit} are allowed", companion
            )
        return Arrival(path, lane, identity, sidecar, raw)

    def _wrong_kind(self, path: Path, stat: os.stat_result) -> InboxNote | None:
        """A note about what can never be admitted, or None."""
        here, mode = self._named(path), stat.st_mode
        if modes.S_ISLNK(mode):
            target = shlex.quote(shown(os.readlink(path)))
            return self._refused(
                path, "a link; put the file itself here", command=f"r3 add {target}"
            )
        if modes.S_ISDIR(mode):
            return self._refused(
                path, "a folder; only files are taken", command=f"r3 add {here}/*{DATA_SUFFIX}"
            )
        if not modes.S_ISREG(mode):
            return self._refused(path, "a device, pipe or socket", command=f"rm {here}")
        if not os.access(path, os.R_OK):
            return self._refused(path, "may not be read by us", command=f"chmod u+r {here}")
        if is_sidecar(path.name):
            return None
        if not path.name.endswith(DATA_SUFFIX):
            if path.name.endswith(DATA_SUFFIX + ".gz"):
                return self._refused(path, "compressed", command=f"gunzip {here}")
            fixed = shlex.quote(shown(str(self._relative(path).with_suffix(DATA_SUFFIX))))
            return self._refused(
                path, f"only *{DATA_SUFFIX} is taken", command=f"mv {here} {fixed}"
            )
        return None

    def _relative(self, path: Path) -> Path:
        return path.relative_to(self._lab.root)

    def _named(self, path: Path) -> str:
        """For a command line typed in the lab's folder."""
        return shlex.quote(shown(str(self._relative(path))))

    def _waiting(self, path: Path, reason: str) -> InboxNote:
        return InboxNote(shown(str(path.relative_to(self._lab.inbox))), "waiting", reason)

    def _refused(
        self, path: Path, reason: str, mend: Path | None = None, command: str | None = None
    ) -> InboxNote:
        name = shown(str(path.relative_to(self._lab.inbox)))
        command = command or f"$EDITOR {self._named(mend or path)}"
        return InboxNote(name, "refused", reason, command)


def _identity(stat: os.stat_result) -> Identity:
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


def _read_sidecar(path: Path) -> bytes:
    # Not to wait on a pipe, not to follow a link out of the lab.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as source:
        if not modes.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a file")
        raw = source.read(SIDECAR_BYTES_MAX + 1)
    if len(raw) > SIDECAR_BYTES_MAX:
        raise ValueError(f"larger than {SIDECAR_BYTES_MAX:,} bytes")
    return raw


def is_written(path: Path) -> bool:
    """Whether some process holds the file open for writing; False where nobody can tell.

    Linux grants a read lease only on a file without writers. It is given back at once.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        # Who opens the file in this very moment makes the kernel signal us. The default signal
        # is SIGIO, which kills; SIGURG is ignored.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # another owner's file, or a file system without leases
        return False
    finally:
        os.close(descriptor)
    return False
