"""Which checkpoints may go: pure decisions, no disk.

Never deleted: the head; the checkpoint it would fall back to, and the first such whose weights
are not the head's own by a hard link (rollbacks and reseals share bytes, and so share rot); what
the caller protects (champion, previous); and the highest number on disk, so that no number is
ever used twice.
Kept while the space budget allows, most precious last to go: the newest, the best by
validation loss, the last of each day, and for a while what is damaged or left behind, so that
a person can look at it. Bytes that hard links share are counted once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from regime3.config import Checkpoint

DAMAGED_KEEP_S = 7 * 86400.0
LEFT_BEHIND_KEEP_S = 86400.0
RANKS = ("left behind", "damaged", "daily", "best", "newest")


class Shelved(msgspec.Struct, frozen=True):
    """A checkpoint as retention sees it. `blobs` maps an inode to its bytes."""

    number: int
    created_at: float
    validation_loss: float | None = None
    damaged: bool = False
    left_behind: bool = False
    blobs: Mapping[int, int] = {}


class Plan(msgspec.Struct, frozen=True):
    """What retention decided. `kept` says why; `over_budget_bytes` > 0: rules forbid more."""

    deleted: list[int]
    kept: dict[int, str]
    bytes_used: int
    over_budget_bytes: int


def choose_deletions(
    shelf: Iterable[Shelved],
    settings: Checkpoint,
    *,
    head: int | None,
    fallbacks: Sequence[int],
    protected: Collection[int],
    now: float,
) -> Plan:
    """Split the shelf into kept and deleted. `fallbacks`: best first; `now` is wall time."""
    by_number = {item.number: item for item in shelf}
    never = _never(by_number, head, fallbacks, protected)
    kept = {**_wanted(by_number, settings, now), **never}
    limit = int(settings.space_gb_max * 1e9)
    expendable = sorted(
        (n for n in kept if n not in never), key=lambda n: (RANKS.index(kept[n]), n)
    )
    for number in expendable:
        if _bytes(by_number, kept) <= limit:
            break
        del kept[number]
    used = _bytes(by_number, kept)
    deleted = sorted(set(by_number) - set(kept))
    return Plan(deleted, dict(sorted(kept.items())), used, max(0, used - limit))


def _never(
    shelf: Mapping[int, Shelved],
    head: int | None,
    fallbacks: Sequence[int],
    protected: Collection[int],
) -> dict[int, str]:
    """Without a head nothing may go: a person has to look first."""
    if head is None:
        return {number: "no head: nothing is deleted" for number in shelf}
    never = {number: "protected" for number in protected}
    never |= {max(shelf): "highest number"}
    apart = [n for n in fallbacks if not _shares_weights(shelf[head], shelf[n])]
    never |= {number: "fallback" for number in (*fallbacks[:1], *apart[:1])}
    never |= {head: "head"}
    return {number: why for number, why in never.items() if number in shelf}


def _shares_weights(one: Shelved, other: Shelved) -> bool:
    """Whether the largest file of one is a hard link into the other."""
    largest = max(one.blobs, key=lambda inode: one.blobs[inode], default=None)
    return largest in other.blobs


def _wanted(shelf: Mapping[int, Shelved], settings: Checkpoint, now: float) -> dict[int, str]:
    line = [item for item in shelf.values() if not item.damaged and not item.left_behind]
    line.sort(key=lambda item: item.number)
    wanted = {n: "left behind" for n in _fresh_left_behind(shelf.values(), line, now)}
    wanted |= {i.number: "damaged" for i in shelf.values() if _fresh_damage(i, now)}
    days = {datetime.fromtimestamp(item.created_at).date(): item.number for item in line}
    last_days = [days[day] for day in sorted(days)][-settings.keep_daily :]
    if settings.keep_daily:
        wanted |= {number: "daily" for number in last_days}
    scored = [item for item in line if item.validation_loss is not None]
    scored.sort(key=lambda item: (item.validation_loss or 0.0, -item.number))
    wanted |= {item.number: "best" for item in scored[: settings.keep_best]}
    return wanted | {item.number: "newest" for item in line[-settings.keep_newest :]}


def _fresh_damage(item: Shelved, now: float) -> bool:
    return item.damaged and now - item.created_at < DAMAGED_KEEP_S


def _fresh_left_behind(shelf: Iterable[Shelved], line: list[Shelved], now: float) -> Iterable[int]:
    """Left behind by a checkpoint that is younger than a day."""
    for item in shelf:
        after = [other.created_at for other in line if other.number > item.number]
        lately = bool(after) and now - min(after) < LEFT_BEHIND_KEEP_S
        if item.left_behind and not item.damaged and lately:
            yield item.number


def _bytes(shelf: Mapping[int, Shelved], numbers: Iterable[int]) -> int:
    blobs: dict[int, int] = {}
    for number in numbers:
        blobs.update(shelf[number].blobs)
    return sum(blobs.values())


def deletable(over_in_each: Collection[Collection[str] | None], ids: Iterable[str]) -> set[str]:
    """Ids over (done or removed) in **every** full checkpoint; none when there is none.

    None stands for a checkpoint that cannot be read now: it may be mended and rolled back to,
    so until it is gone nothing may go.
    """
    known = [over for over in over_in_each if over is not None]
    if not known or len(known) < len(over_in_each):
        return set()
    return {file_id for file_id in ids if all(file_id in over for over in known)}
