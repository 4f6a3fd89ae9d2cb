"""Which checkpoint is the head: pure decisions over manifests, no disk.

The rule in one sentence: **the head is the highest valid number that no later checkpoint has
left behind.** Checkpoint N with parent P leaves behind every number between P and N, because
none of them can be its ancestor, and hands on the list of its parent. A rollback is the case
where there are such numbers on purpose; a fall back after damage is the other. From this
follows what `docs/protocol.md` asks for: a damaged head falls to its parent, never to what a
rollback abandoned. Later words win: what a left-behind checkpoint claimed is not heard.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from regime3.errors import SealError
from regime3.records.checkpoint import Manifest
from regime3.vault.verdicts import Verdicts


class Entry(msgspec.Struct, frozen=True):
    """A numbered folder as found. `damage` None: valid. `manifest` None: not even readable."""

    number: int
    manifest: Manifest | None
    damage: str | None = None


def left_behind(entries: Iterable[Entry], verdicts: Verdicts) -> set[int]:
    """Numbers on disk that will never be head again."""
    entries = list(entries)
    present = {entry.number for entry in entries}
    claims = {
        by: present.intersection(numbers) for by, numbers in verdicts.standing(present).items()
    }
    for entry in entries:
        if entry.manifest is not None:
            claims.setdefault(entry.number, set()).update(_claims(entry.manifest, present))
    abandoned: set[int] = set()
    for number in sorted(claims, reverse=True):
        if number not in abandoned:
            abandoned |= claims[number]
    return abandoned


def _claims(manifest: Manifest, present: set[int]) -> set[int]:
    between = {n for n in present if (manifest.parent or 0) < n < manifest.number}
    return between | present.intersection(manifest.abandoned)


def choose_head(entries: Iterable[Entry], verdicts: Verdicts) -> int | None:
    """The head's number; None when no valid checkpoint is left."""
    entries = list(entries)
    abandoned = left_behind(entries, verdicts)
    valid = [e.number for e in entries if e.damage is None and e.number not in abandoned]
    return max(valid, default=None)


def fallbacks(entries: Iterable[Entry], verdicts: Verdicts) -> list[int]:
    """What would be head if the head were damaged, and so on, best first.

    A damaged checkpoint's words still count, so this is not simply the list without its head.
    """
    entries = list(entries)
    found: list[int] = []
    while (number := choose_head(entries, verdicts)) is not None:
        found.append(number)
        entries = [
            Entry(e.number, e.manifest, "supposed") if e.number == number else e for e in entries
        ]
    return found[1:]


def next_number(entries: Iterable[Entry]) -> int:
    """One more than any number that folders, damaged ones too, have or speak of."""
    known = [0]
    for entry in entries:
        known.append(entry.number)
        if entry.manifest is not None:
            known += [entry.manifest.parent or 0, *entry.manifest.abandoned]
    return max(known) + 1


class Publication(msgspec.Struct, frozen=True):
    """What a commit has to write: number and list, and the verdicts that must come first."""

    number: int
    abandoned: list[int]
    verdicts_first: Verdicts | None


def plan_publication(
    entries: Iterable[Entry], verdicts: Verdicts, parent: int | None, carried: Iterable[int]
) -> Publication:
    """Number the next checkpoint and say what it leaves behind.

    `verdicts` are settled; `carried` is the list of the ledger that is going to be written.
    """
    entries = list(entries)
    number = next_number(entries)
    present = {entry.number for entry in entries}
    between = {n for n in present if (parent or 0) < n < number}
    abandoned = between | left_behind(entries, verdicts) | set(carried)
    for entry in entries:
        if entry.number == parent and entry.manifest is not None:
            abandoned |= set(entry.manifest.abandoned)
    abandoned = {n for n in abandoned if n < number} - {parent}
    gone = abandoned & present
    told = {n for numbers in verdicts.standing(present).values() for n in numbers}
    first = verdicts.announcing(number, gone) if gone - told else None
    return Publication(number, sorted(abandoned), first)


def check_continues(entries: Iterable[Entry], verdicts: Verdicts, parent: int | None) -> None:
    """Refuse a commit by someone who missed a rollback or another commit; raises `SealError`.

    A parent that was damaged while its child was being trained is no reason to refuse: the
    child is whole, and better than falling back.
    """
    entries = list(entries)
    head = choose_head(entries, verdicts)
    if parent is not None and parent in left_behind(entries, verdicts):
        raise SealError(f"checkpoint {parent} was left behind while this was trained", "r3 status")
    if head is not None and head > (parent or 0):
        raise SealError(f"the head is checkpoint {head} by now, not {parent}", "r3 status")
