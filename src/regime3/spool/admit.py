"""Admission: from the inbox to a lane, durable and crash-safe, a batch at a time.

    inbox/x.jsonl ─► queue/.admitting/SLOT ─► read once: hash, decode, index ─► queue/meta/ID/
                                                     └────► queue/LANE/x@id12.jsonl (one rename)

A batch is claimed (`claims`), read (`reading`), committed (`commit`). A kill at any write leaves
each file in the inbox, in its slot or in its lane; the next call takes up the slots. One call at
a time, by the process that holds the lab, in whatever thread.

What it does not do: train, move files between states, or look at rows again later.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial

from regime3 import disk
from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import DiskFull
from regime3.lang.codebook import Codebook
from regime3.paths import Lab
from regime3.records.files import is_forged
from regime3.spool.admission import Admission, AdmitProgress, refusal
from regime3.spool.catalog import Catalog
from regime3.spool.claims import Claims, Staged
from regime3.spool.commit import META_NAMES, Committer, Work
from regime3.spool.heldout import HeldOut
from regime3.spool.inbox import Arrival, Inbox, is_written
from regime3.spool.names import sanitised
from regime3.spool.proof import Proof
from regime3.spool.reading import Reading, Seen
from regime3.spool.sift import IsHeldOut

BATCH_FILES_MAX = 512
BATCH_BYTES_MAX = 64 << 20
FREE_BYTES_MIN = 64 << 20
"""Below this nothing is taken from the inbox."""

Progress = Callable[[AdmitProgress], None]
ShouldStop = Callable[[], bool]


class Admitter:
    """Admits what is whole. Shares `catalog` with the rest of the spool."""

    def __init__(
        self, lab: Lab, settings: Settings, clock: Clock, catalog: Catalog, inbox: Inbox
    ) -> None:
        self._lab, self._settings = lab, settings
        self._catalog, self._inbox = catalog, inbox
        self._claims = Claims(lab)
        self._committer = Committer(lab, settings, clock, catalog)
        self._held_out = HeldOut(lab, settings)
        self._unclean = True
        """An earlier call, or process, may have left something half done."""

    def admit_once(
        self, progress: Progress | None = None, should_stop: ShouldStop | None = None
    ) -> list[Admission]:
        """Finish what was interrupted, then admit everything that is whole.

        Raises `DiskFull`; then, as after a kill, the next call goes on where this one was.
        """
        progress = progress or (lambda _: None)
        should_stop = should_stop or (lambda: False)
        done: list[Admission] = []
        try:
            if self._unclean:
                self._catalog.files()
                disk.sweep_temp(self._lab.meta_root)
                disk.sweep_temp(self._lab.admitting)
            batches = self._batches(self._unclean, should_stop, done)
            self._unclean = True
            for batch in batches:
                done += self._admit(batch, progress, should_stop)
                self._claims.clear()
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            free = disk.free_bytes(self._lab.queue)
            raise DiskFull(str(self._lab.queue), free, FREE_BYTES_MIN) from error
        self._unclean = should_stop()
        return done

    def _batches(
        self, unclean: bool, should_stop: ShouldStop, done: list[Admission]
    ) -> Iterator[list[Staged]]:
        """What an interrupted call left, then what is whole: claimed batch by batch."""
        if unclean:
            left = self._claims.leftovers()
            for start in range(0, len(left), BATCH_FILES_MAX):
                if should_stop():
                    return
                yield left[start : start + BATCH_FILES_MAX]
            self._claims.clear()
        if disk.free_bytes(self._lab.queue) < FREE_BYTES_MIN:
            return
        for group in grouped(self._inbox.ready()):
            if should_stop():
                return
            staged, stuck = self._claims.take(group)
            for arrival, error in stuck:
                reason = f"cannot be moved into the queue: {error.strerror}"
                self._inbox.hold(arrival.path, reason)
                name = sanitised(arrival.path.stem)
                done.append(Admission("returned", name, arrival.lane, reason=reason))
            yield staged

    def _admit(
        self, batch: list[Staged], progress: Progress, should_stop: ShouldStop
    ) -> list[Admission]:
        """Read the files of a batch until told to stop, and commit those read to the end."""
        done: list[Admission] = []
        works: list[Work] = []
        held_out = self._held_out.refresh()
        for number, staged in enumerate(batch):
            name = sanitised(staged.claim.name)

            def on_block(total: int, seen: Seen, name: str = name, number: int = number) -> bool:
                progress(AdmitProgress(name, seen[0], total, *seen[1:], number, len(batch)))
                return not should_stop()

            found = self._read(staged, name, held_out, on_block)
            if found is None:
                break
            if isinstance(found, Work):
                works.append(found)
            else:
                done.append(found)
        return done + self._committer.commit(works)

    def _read(
        self,
        staged: Staged,
        name: str,
        held_out: IsHeldOut,
        on_block: Callable[[int, Seen], bool],
    ) -> Work | Admission | None:
        """Read one file into a temp folder; None when told to stop half-way."""
        temp = disk.temp_folder(self._lab.meta_root, str(staged.claim.slot))
        try:
            before = os.stat(staged.path)
            reading = Reading(
                staged.path,
                *(temp / name for name in META_NAMES),
                row_bytes_max=self._settings.queue.row_bytes_max,
                format=staged.claim.sidecar.format,
                held_out=held_out,
                proof=self._proof(staged),
                on_block=partial(on_block, before.st_size),
            )
            judged = reading.run()
            after = os.stat(staged.path)
        except FileNotFoundError:
            disk.remove_folder(temp)
            reason = "deleted while it was read"
            return Admission("lost", name, staged.claim.lane, reason=reason)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise
            disk.remove_folder(temp)
            return self._put_back(staged, name, f"cannot be read: {error.strerror}", hold=True)
        if not judged.finished:
            disk.remove_folder(temp)
            return None
        same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
        if not same or judged.size_bytes != after.st_size or is_written(staged.path):
            disk.remove_folder(temp)
            return self._put_back(staged, name, "changed while it was read; it waits again")
        refused = refusal(judged, name, self._settings)
        if refused is not None and judged.rows:
            disk.truncate(temp / META_NAMES[0], 0)
        return Work(staged, temp, name, judged, refused)

    def _proof(self, staged: Staged) -> Proof | None:
        """Proves the rows of a file about problems of the language."""
        if not self._settings.queue.check_problems:
            return None
        forged = is_forged(staged.claim.sidecar.lineage)
        return Proof(partial(_book_of, self._lab), forged=forged)

    def _put_back(self, staged: Staged, name: str, reason: str, *, hold: bool = False) -> Admission:
        target = self._claims.put_back(staged)
        if hold:
            self._inbox.hold(target, reason)
        return Admission("returned", name, staged.claim.lane, reason=reason)


def _book_of(lab: Lab) -> Codebook:
    """The codebook of the model that is trained."""
    from regime3.lang import codebook
    from regime3.model.codebooks import codebook_of, has_codes

    head = lab.current_model
    found = codebook_of(head) if head.exists() and has_codes(head) else None
    return found or codebook.shipped()


def grouped(arrivals: list[Arrival]) -> Iterator[list[Arrival]]:
    """Batches small enough to be made durable in a moment; a huge file is one by itself."""
    group: list[Arrival] = []
    size_bytes = 0
    for arrival in arrivals:
        bigger = size_bytes + arrival.identity[0]
        if group and (len(group) >= BATCH_FILES_MAX or bigger > BATCH_BYTES_MAX):
            yield group
            group, bigger = [], arrival.identity[0]
        group.append(arrival)
        size_bytes = bigger
    if group:
        yield group
