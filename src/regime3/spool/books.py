"""The books: admitted = trained + buried + pending + set aside, for every file and in all.

Pure functions of the admitted files and a ledger. They hold for every honest ledger; a ledger
that says more rows were consumed than a file has, or knows a file that was never admitted, is
shown as what it is: `ok` false, with the reason.
"""

from __future__ import annotations

import msgspec

from regime3.records.files import FileMeta, Lane
from regime3.records.ledger import Ledger
from regime3.spool.projection import state_of


class FileBooks(msgspec.Struct, frozen=True):
    """One file's account, in rows."""

    id: str
    name: str
    state: str
    """processing, a lane, done, skipped, failed, removed, refused or content deleted."""
    lane: Lane
    admission: int
    pass_number: int
    passes: int
    rows: int
    """All rows of the file: those that can be trained and those buried at admission."""
    position: int
    """Trainable rows consumed so far, given up ones included."""
    trained: int
    buried: int
    pending: int
    set_aside: int
    """Rows left in a file that was skipped, failed or removed; a retry makes them pending."""
    refused: str | None = None
    error: str | None = None
    """Why this account does not balance."""


class Total(msgspec.Struct):
    """Sums over all files, in rows."""

    files: int = 0
    rows: int = 0
    trained: int = 0
    buried: int = 0
    pending: int = 0
    set_aside: int = 0


class Books(msgspec.Struct, frozen=True):
    """All accounts, in admission order."""

    files: list[FileBooks]
    total: Total
    errors: list[str]

    @property
    def ok(self) -> bool:
        """Whether every account and the total balance."""
        return not self.errors


def account(meta: FileMeta, ledger: Ledger) -> FileBooks:
    """One file's account relative to the ledger."""
    ending = ledger.ended.get(meta.id)
    consumed = meta.rows if ending == "done" else ledger.positions.get(meta.id, 0)
    given_up = ledger.buried_at_run.get(meta.id, 0)
    left = meta.rows - consumed
    error = None
    if not 0 <= consumed <= meta.rows:
        error = f"{consumed} rows consumed of {meta.rows}"
    elif not 0 <= given_up <= consumed:
        error = f"{given_up} rows given up of {consumed} consumed"
    return FileBooks(
        id=meta.id,
        name=meta.name,
        state=state_of(meta, ledger),
        lane=meta.lane,
        admission=meta.admission,
        pass_number=meta.pass_number,
        passes=meta.passes,
        rows=meta.rows + meta.buried,
        position=consumed,
        trained=consumed - given_up,
        buried=meta.buried + given_up,
        pending=left if ending is None else 0,
        set_aside=left if ending is not None else 0,
        refused=meta.refused,
        error=error,
    )


def balance(files: dict[str, FileMeta], ledger: Ledger) -> Books:
    """The books of all files relative to the ledger."""
    accounts = [account(meta, ledger) for meta in files.values()]
    errors = [f"{item.name} ({item.id[:12]}): {item.error}" for item in accounts if item.error]
    known = {*ledger.positions, *ledger.ended, *ledger.buried_at_run}
    errors += [
        f"the checkpoint knows a file that was never admitted: {file_id}"
        for file_id in sorted(known - files.keys())
    ]
    total = Total(len(accounts))
    for item in accounts:
        total.rows += item.rows
        total.trained += item.trained
        total.buried += item.buried
        total.pending += item.pending
        total.set_aside += item.set_aside
    if total.rows != total.trained + total.buried + total.pending + total.set_aside:
        errors.append("admitted is not trained + buried + pending + set aside")
    return Books(accounts, total, errors)
