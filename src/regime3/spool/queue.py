"""The queue of a lab: what was admitted, where it lies, and how much of it is done.

    spool = Spool(lab, settings, SystemClock())
    spool.admit_once(); spool.reconcile(head.ledger); spool.open_files(head.ledger)

The door of this room. Only the process that holds the lab may call what changes it (`admit_once`,
`reconcile`, `set_lane`, `delete_content`, `note_burial`); anyone may read. All methods may be
called while another thread admits. What it does not do: decide about trained rows; that is the
ledger's, and the ledger is an argument everywhere.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from regime3 import disk
from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import InputRefused
from regime3.paths import Lab
from regime3.records.files import LANE_ORDER, Burial, FileMeta, Lane
from regime3.records.ledger import Ledger
from regime3.records.messages import OpenFile
from regime3.records.status import QueueFile, QueueState
from regime3.spool import projection
from regime3.spool.admission import Admission
from regime3.spool.admit import FREE_BYTES_MIN, Admitter, Progress, ShouldStop
from regime3.spool.books import Books, balance
from regime3.spool.catalog import Catalog
from regime3.spool.inbox import Inbox, InboxNote
from regime3.spool.index import RowIndex
from regime3.spool.names import DATA_SUFFIX
from regime3.spool.problems import Problem, problems
from regime3.spool.projection import Move

NAMES_SHOWN_MAX = 5
STATUS_FILES_MAX = 50
OPEN_TRIES_MAX = 5
_burial = msgspec.json.Decoder(Burial).decode


class Spool:
    """Inbox and queue of the lab."""

    def __init__(self, lab: Lab, settings: Settings, clock: Clock) -> None:
        self._lab, self._clock = lab, clock
        self._catalog = Catalog(lab, clock)
        self._inbox = Inbox(lab, settings, clock)
        self._admitter = Admitter(lab, settings, clock, self._catalog, self._inbox)
        self._counted: tuple[Ledger, int, QueueState] | None = None

    # ------------------------------------------------------------ coming in

    def admit_once(
        self, progress: Progress | None = None, should_stop: ShouldStop | None = None
    ) -> list[Admission]:
        """Take in everything in the inbox that is whole; first what a kill left half admitted.

        `progress` hears of every block read. `should_stop` is asked at every block; a file given
        up half-way is taken up by the next call. Raises `DiskFull`.
        """
        return self._admitter.admit_once(progress, should_stop)

    def inbox_notes(self) -> list[InboxNote]:
        """What lies in the inbox and why it waits or is refused."""
        notes = self._inbox.notes()
        free = disk.free_bytes(self._lab.queue)
        if free < FREE_BYTES_MIN:
            reason = f"nothing is taken: {free / 1e6:.0f} MB free on the disk"
            notes.insert(0, InboxNote(".", "waiting", reason, "r3 doctor"))
        return notes

    # ------------------------------------------------------------ looking

    def files(self) -> dict[str, FileMeta]:
        """Every file ever admitted, by id, in admission order."""
        return self._catalog.files()

    def find(self, text: str) -> FileMeta:
        """The file of that name or start of an id. Raises `InputRefused` for none or several.

        A name may be given with `.jsonl` or as it stands in the queue's folders. Of several
        passes the first is meant.
        """
        wanted = text.strip().rsplit("/", 1)[-1].removesuffix(DATA_SUFFIX)
        files = self.files().values()
        found = [meta for meta in files if wanted and meta.id.startswith(wanted)]
        found = found or [
            meta for meta in files if wanted in (meta.name, f"{meta.name}@{meta.id[:12]}")
        ]
        if len({meta.content_sha256 for meta in found}) == 1:
            return min(found, key=lambda meta: meta.pass_number)
        if not found:
            raise InputRefused(f"no admitted file is called {text!r}", next_command="r3 queue")
        shown = ", ".join(f"{meta.name} {meta.id[:12]}" for meta in found[:NAMES_SHOWN_MAX])
        more = "…" if len(found) > NAMES_SHOWN_MAX else ""
        raise InputRefused(
            f"{text!r} means {len(found)} files: {shown}{more}; give the start of an id",
            next_command="r3 queue",
        )

    def open_file(self, meta: FileMeta) -> OpenFile:
        """What the worker needs to know of a file."""
        return OpenFile(
            id=meta.id,
            name=meta.name,
            lane=meta.lane,
            admission=meta.admission,
            rows=meta.rows,
            content_sha256=meta.content_sha256,
            pass_number=meta.pass_number,
            format=meta.format,
        )

    def open_files(self, ledger: Ledger) -> list[OpenFile]:
        """Files that may be trained now, by lane, then admission.

        One whose data file is nowhere is left out; `problems` tells of it.
        """
        with self._catalog.lock:
            files, there = self.files(), projection.listing(self._lab)
        trainable = [
            self.open_file(meta)
            for meta in files.values()
            if meta.rows > 0
            and meta.id not in ledger.ended
            and self._lab.data_name(meta.name, meta.id) in there
        ]
        return sorted(trainable, key=lambda file: (LANE_ORDER.index(file.lane), file.admission))

    def data_path(self, file_id: str) -> Path:
        """Where the file's rows lie right now. Raises `InputRefused` when they are nowhere."""
        meta = self._catalog.known(file_id)
        name = self._lab.data_name(meta.name, meta.id)
        for _ in range(OPEN_TRIES_MAX):  # it may be renamed between two looks
            for folder in projection.FOLDERS:
                path = self._lab.queue_folder(folder) / name
                if path.is_file():
                    return path
        raise InputRefused("its data is in no queue folder", file=name, next_command="r3 doctor")

    def index(self, file_id: str) -> RowIndex:
        """Where its trainable rows lie in the data file."""
        return RowIndex(self._lab.index_file(self._catalog.known(file_id).id))

    def buried(self, file_id: str, limit: int = 1000) -> list[Burial]:
        """Its buried rows in the order they were buried, each line once, at most `limit`."""
        path = self._lab.buried_file(self._catalog.known(file_id).id)
        found: dict[int, Burial] = {}
        if path.exists():
            with open(path, "rb") as lines:
                for line in lines:
                    if len(found) >= limit or not line.endswith(b"\n"):
                        break
                    burial = _burial(line)
                    found.setdefault(burial.line, burial)
        return list(found.values())

    def books(self, ledger: Ledger) -> Books:
        """admitted = trained + buried + pending + set aside, per file and in all."""
        return balance(self.files(), ledger)

    def counts(self, ledger: Ledger) -> QueueState:
        """The books in short, for the status file; kept until the ledger or the files change.

        `ledger` is a sealed one: it must not change between two calls.
        """
        files = self.files()
        version = self._catalog.version
        if self._counted is None or self._counted[:2] != (ledger, version):
            self._counted = (ledger, version, self._count(files, ledger))
        waiting = sum(note.kind == "waiting" for note in self._inbox.notes())
        return msgspec.structs.replace(self._counted[2], inbox_waiting=waiting)

    def _count(self, files: dict[str, FileMeta], ledger: Ledger) -> QueueState:
        books = balance(files, ledger)
        open_now = [item for item in books.files if item.pending and item.refused is None]
        open_now.sort(key=lambda item: (LANE_ORDER.index(item.lane), item.admission))
        failed = sum(item.state in ("failed", "refused") for item in books.files)
        return QueueState(
            files=[
                QueueFile(
                    id=item.id,
                    name=item.name,
                    lane=item.lane,
                    rows=files[item.id].rows,
                    position=item.position,
                    pass_number=item.pass_number,
                    passes=item.passes,
                )
                for item in open_now[:STATUS_FILES_MAX]
            ],
            files_open=len(open_now),
            files_ended=len(books.files) - len(open_now),
            files_failed=failed,
            rows_admitted=books.total.rows,
            rows_trained=books.total.trained,
            rows_buried=books.total.buried,
            rows_set_aside=books.total.set_aside,
            rows_left=books.total.pending,
        )

    def problems(self) -> list[Problem]:
        """What does not fit together, each with the command that mends it."""
        return problems(self._lab, self.files(), self._catalog.broken())

    # ------------------------------------------------------------ changing

    def reconcile(self, ledger: Ledger) -> list[Move]:
        """Rename whatever lies elsewhere than the ledger says. Idempotent; returns the renames."""
        with self._catalog.lock:
            found = projection.moves(self._lab, self.files(), ledger)
            folder = self._lab.queue_folder
            disk.rename_together(
                (folder(move.source) / move.name, folder(move.target) / move.name) for move in found
            )
            return found

    def set_lane(self, file_id: str, lane: Lane) -> None:
        """Give a file another priority, for good."""
        self._catalog.set_lane(file_id, lane)

    def delete_content(self, file_id: str) -> None:
        """Delete a file's rows for good. Its meta stays: books hold, duplicates are caught.

        Only for a file that every full checkpoint has done (the vault knows which).
        """
        meta = self._catalog.known(file_id)
        if meta.content_deleted_at is None:
            now = self._clock.now()
            self._catalog.rewrite(msgspec.structs.replace(meta, content_deleted_at=now))
        name = self._lab.data_name(meta.name, meta.id)
        for folder in projection.FOLDERS:
            path = self._lab.queue_folder(folder) / name
            if path.exists():
                disk.remove(path)

    def note_burial(self, file_id: str, line: int, reason: str) -> None:
        """Write a row given up while training beside those buried at admission.

        For people; the count that matters is the ledger's. Told twice after a crash, shown once.
        """
        burial = Burial(line, reason)
        with disk.Appender(self._lab.buried_file(self._catalog.known(file_id).id)) as out:
            out.append(msgspec.json.encode(burial) + b"\n")
            out.sync()
