"""What must be true after every recovery."""

from __future__ import annotations

from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger
from regime3.spool.books import balance
from regime3.spool.projection import folder_of
from tests.protocol.lab import Lab
from tests.protocol.rules import Rules
from tests.protocol.world import NO_ROWS, Disk, SealFolder, Violation

SHIPPED = Rules()


def check(lab: Lab) -> None:
    """Raise `Violation` for the first promise that is broken."""
    disk = lab.disk
    head = lab.head()
    _head_is_right(disk, head)
    folder = disk.seals[head]
    _nothing_is_lost(disk)
    for file_id, meta in disk.meta.items():
        _exactly_once(folder, file_id, meta)
        if disk.data.get(file_id, want := folder_of(meta, folder.ledger)) != want:
            raise Violation(f"{file_id[-4:]} lies in {disk.data[file_id]}, not {want}")
    _books(disk, folder.ledger)
    _every_target_has_its_content(disk, head)


def _head_is_right(disk: Disk, head: int) -> None:
    if head in disk.truth.abandoned:
        raise Violation(f"the head {head} was left behind")
    if disk.good() and head != disk.good()[-1]:
        raise Violation(f"the head is {head}, not {disk.good()[-1]}")
    folder = disk.seals[head]
    if set(folder.ledger.abandoned) != set(folder.manifest.abandoned):
        raise Violation("ledger and manifest disagree about what was left behind")
    if {i: n for i, n in folder.caught.items() if n} != folder.ledger.rolled_back:
        raise Violation("the ledger miscounts how often rollbacks caught a file")


def _nothing_is_lost(disk: Disk) -> None:
    somewhere = {c.id for c in (*disk.inbox.values(), *disk.admitting.values())} | set(disk.meta)
    if lost := disk.truth.dropped - somewhere:
        raise Violation(f"dropped and never seen again: {sorted(lost)}")
    if orphans := set(disk.data) - set(disk.meta):
        raise Violation(f"in a lane without meta: {sorted(orphans)}")


def _exactly_once(folder: SealFolder, file_id: str, meta: FileMeta) -> None:
    """Rows before the position are trained or given up, never both; no other row is either."""
    trained, buried = folder.weights.get(file_id, NO_ROWS)
    ledger = folder.ledger
    done = ledger.ended.get(file_id) == "done"
    position = meta.rows if done else ledger.positions.get(file_id, 0)
    if trained & buried:
        raise Violation(f"{file_id[-4:]}: rows both trained and given up")
    if trained | buried != frozenset(range(position)):
        raise Violation(f"{file_id[-4:]}: the weights have seen other rows than the ledger says")
    if len(buried) != ledger.buried_at_run.get(file_id, 0):
        raise Violation(f"{file_id[-4:]}: given up rows are miscounted")


def _books(disk: Disk, ledger: Ledger) -> None:
    books = balance(disk.meta, ledger)
    if not books.ok:
        raise Violation(f"the books do not balance: {books.errors}")


def _every_target_has_its_content(disk: Disk, head: int) -> None:
    """The head itself, each good target, and whatever damage would make head next."""
    left = disk.seals[head]
    for number in disk.good():
        target = disk.seals[number]
        ledgers = [target.ledger]
        if number < head:
            ledgers.append(
                SHIPPED.rollback_ledger(left.ledger, target.ledger, disk.meta, (head, number))
            )
        for ledger in ledgers:
            for file_id, meta in disk.meta.items():
                waits_in_admission = any(c.id == file_id for c in disk.admitting.values())
                there = file_id in disk.data or waits_in_admission
                if meta.rows and ledger.ended.get(file_id) is None and not there:
                    raise Violation(f"{number} needs {file_id[-4:]}, whose content is deleted")


def check_finished(lab: Lab) -> None:
    """After an undisturbed run to the end nothing is left to do."""
    check(lab)
    left = balance(lab.disk.meta, lab.head_folder().ledger).total.pending
    if left or lab.disk.control or lab.disk.inbox or lab.disk.admitting:
        raise Violation(f"{left} rows, requests or files are stuck for ever")
