"""The ledger inside a checkpoint: which rows of which files the weights have seen.

It is the single truth about the queue; folders are its projection. Positions count rows in the
file's keyed order: a row before the position was trained or buried, never both.
"""

from __future__ import annotations

import msgspec

from regime3.records.files import Ending


class TrainedRange(msgspec.Struct, frozen=True):
    """Rows [first, stop) of a file, consumed since the parent seal. This is the lineage."""

    id: str
    first: int
    stop: int


class RowBurial(msgspec.Struct, frozen=True):
    """A row given up while training, with its story."""

    id: str
    position: int
    line: int
    reason: str


class Ledger(msgspec.Struct):
    """State of every file relative to one seal. `ended` never forgets."""

    step: int = 0
    positions: dict[str, int] = {}
    """Rows consumed of files that are open, or ended other than done."""
    ended: dict[str, Ending] = {}
    buried_at_run: dict[str, int] = {}
    """Rows given up while training, by file, since its first row; absent: none."""
    trained: list[TrainedRange] = []
    buried: list[RowBurial] = []
    abandoned: list[int] = []
    """Seal numbers that a rollback left behind; they never become head again."""
    rolled_back: dict[str, int] = {}
    """How often a rollback has set this file back; twice holds it."""

    def copy(self) -> Ledger:
        """An independent ledger with the same content."""
        return msgspec.convert(msgspec.to_builtins(self), Ledger)

    def child(self) -> Ledger:
        """The ledger a next seal starts from: same state, nothing trained since."""
        ledger = self.copy()
        ledger.trained, ledger.buried = [], []
        return ledger

    def consume(self, file_id: str, rows: int, file_rows: int) -> None:
        """Move a file's position by `rows`; at its end it is done."""
        first = self.positions.get(file_id, 0)
        stop = first + rows
        assert rows > 0 and stop <= file_rows and file_id not in self.ended
        last = self.trained[-1] if self.trained else None
        if last is not None and last.id == file_id and last.stop == first:
            self.trained[-1] = TrainedRange(file_id, last.first, stop)
        else:
            self.trained.append(TrainedRange(file_id, first, stop))
        self.positions[file_id] = stop
        if stop == file_rows:
            self.ended[file_id] = "done"
            del self.positions[file_id]

    def bury(self, burial: RowBurial) -> None:
        """Record a row inside the range about to be consumed as given up, not trained."""
        self.buried.append(burial)
        self.buried_at_run[burial.id] = self.buried_at_run.get(burial.id, 0) + 1

    def end(self, file_id: str, ending: Ending) -> None:
        """Close a file early (skipped, failed, removed); its position is kept for a retry."""
        assert ending != "done" and file_id not in self.ended
        self.ended[file_id] = ending

    def fail(self, file_id: str, position: int) -> None:
        """End a file as failed at `position`, even if its last row was just consumed."""
        self.ended[file_id] = "failed"
        self.positions[file_id] = position

    def reopen(self, file_id: str) -> None:
        """Retry a file that ended other than done; it goes on where it was."""
        assert self.ended.get(file_id) not in (None, "done")
        del self.ended[file_id]
