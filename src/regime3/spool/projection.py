"""Folders as a projection of the head seal: where each file belongs, and what has to move.

State of a file = f(head, meta). Pure functions over records, plus a listing of the queue's
folders; `queue.Spool.reconcile` does the renames.
"""

from __future__ import annotations

import os

import msgspec

from regime3.paths import LANES, STATE_FOLDERS, Lab
from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger

# Where a file with rows still to train may lie comes first: that is where it is looked for.
FOLDERS = ("processing", *LANES, "recently_completed", "failed")
assert set(FOLDERS) == {*LANES, *STATE_FOLDERS}


class Move(msgspec.Struct, frozen=True):
    """A file that went from one queue folder to another."""

    id: str
    name: str
    source: str
    target: str


def folder_of(meta: FileMeta, ledger: Ledger) -> str:
    """The queue folder in which the head seal wants this file."""
    ending = ledger.ended.get(meta.id)
    if ending == "done":
        return "recently_completed"
    if ending is not None or meta.rows == 0:
        return "failed"
    if ledger.positions.get(meta.id, 0) > 0:
        return "processing"
    return meta.lane


def state_of(meta: FileMeta, ledger: Ledger) -> str:
    """The same in a word for people; content that retention deleted says so."""
    if meta.content_deleted_at is not None:
        return "content deleted"
    ending = ledger.ended.get(meta.id)
    if ending is not None:
        return ending
    return "refused" if meta.rows == 0 else folder_of(meta, ledger)


def listing(lab: Lab) -> dict[str, list[str]]:
    """Names in the queue's folders, each with the folders it lies in; every folder listed once."""
    found: dict[str, list[str]] = {}
    for folder in FOLDERS:
        try:
            names = os.listdir(lab.queue_folder(folder))
        except FileNotFoundError:
            continue
        for name in names:
            if not name.startswith("."):
                found.setdefault(name, []).append(folder)
    return found


def moves(lab: Lab, files: dict[str, FileMeta], ledger: Ledger) -> list[Move]:
    """What must be renamed so that the folders show the ledger."""
    where = listing(lab)
    needed = []
    for meta in files.values():
        name = lab.data_name(meta.name, meta.id)
        folders = where.get(name)
        wanted = folder_of(meta, ledger)
        # Lying in two folders is a person's doing: `problems` tells, nothing is overwritten.
        if folders and wanted not in folders:
            needed.append(Move(meta.id, name, folders[0], wanted))
    return needed
