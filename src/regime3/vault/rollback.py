"""What a rollback does to the ledger: pure, and told as a story that is sealed with it.

In one sentence: rows consumed come from the target, verdicts come from the head that is left.

- A file of the forge whose rows were touched since the target is `failed`: quarantine, because
  what the model wrote about itself may be why it got worse.
- A user's file falls back to the target's position and trains again; caught a second time it
  is held (`failed`, with its story) until a person says retry.
- skipped, removed and failed stand as the left head has them, reopenings too: the user's word
  is newer than the target. Only `done` is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger

ROLLBACK_NAME = "rollback.json"
HOLD_AT = 2


class SetBack(msgspec.Struct, frozen=True):
    """A file whose rows between `to_row` and `from_row` are unlearned. `from_row` None: done."""

    id: str
    name: str
    from_row: int | None
    to_row: int
    times: int = 0
    """How often a rollback has caught it, this one included."""

    def story(self, left: int, target: int) -> str:
        """One sentence for the person who finds the file in failed/."""
        reached = "its end" if self.from_row is None else f"row {self.from_row}"
        return (
            f"set back from {reached} to row {self.to_row} by the rollback from checkpoint "
            f"{left} to {target}"
        )


class RollbackStory(msgspec.Struct, frozen=True):
    """`rollback.json` in the seal: everything that happened to files, by id and name."""

    target: int
    left: int
    left_step: int
    step: int
    quarantined: list[SetBack] = []
    """Forge files: failed."""
    fell_back: list[SetBack] = []
    """User files that train again from `to_row`."""
    held: list[SetBack] = []
    """User files caught a second time: failed until retried."""
    verdicts_kept: list[str] = []
    """Ids whose rows fell back but whose skipped, removed or failed stands."""


def rollback_ledger(
    left: Ledger,
    target: Ledger,
    files: Mapping[str, FileMeta],
    is_forge: Callable[[FileMeta], bool],
    *,
    left_number: int,
    target_number: int,
) -> tuple[Ledger, RollbackStory]:
    """The ledger of the rollback seal, and its story. `abandoned` is filled in by the commit."""
    ledger = target.child()
    ledger.rolled_back = dict(left.rolled_back)
    _keep_verdicts(ledger, left)
    story = RollbackStory(target_number, left_number, left.step, target.step, [], [], [], [])
    for file_id in touched(left, target):
        times = left.rolled_back.get(file_id, 0) + 1
        ledger.rolled_back[file_id] = times
        meta = files.get(file_id)
        from_row = None if left.ended.get(file_id) == "done" else left.positions.get(file_id, 0)
        name = meta.name if meta is not None else ""
        change = SetBack(file_id, name, from_row, target.positions.get(file_id, 0), times)
        if meta is not None and is_forge(meta):
            ledger.ended.setdefault(file_id, "failed")
            story.quarantined.append(change)
        elif file_id in ledger.ended:
            story.verdicts_kept.append(file_id)
        elif times >= HOLD_AT:
            ledger.ended[file_id] = "failed"
            story.held.append(change)
        else:
            story.fell_back.append(change)
    return ledger, story


def touched(left: Ledger, target: Ledger) -> list[str]:
    """Ids whose consumed rows differ between the two, in a stable order."""
    known = {*left.positions, *left.ended, *target.positions, *target.ended}
    return sorted(i for i in known if _consumed(left, i) != _consumed(target, i))


def _consumed(ledger: Ledger, file_id: str) -> int | None:
    """Rows consumed; None for all of them."""
    return None if ledger.ended.get(file_id) == "done" else ledger.positions.get(file_id, 0)


def _keep_verdicts(ledger: Ledger, left: Ledger) -> None:
    """Endings other than done as the left head has them; done as the target has it."""
    done = {i: ending for i, ending in ledger.ended.items() if ending == "done"}
    kept = {i: ending for i, ending in left.ended.items() if ending != "done" and i not in done}
    ledger.ended = {**done, **kept}
