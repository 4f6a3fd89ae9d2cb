"""The queue for viewers: the books of the head, moved on by what the worker reports.

The supervisor's books are true of the head checkpoint; between two seals `LiveQueue` adds the
rows that the worker has trained since, so that progress does not jump back at every look.
"""

from __future__ import annotations

import msgspec

from regime3.records.messages import StepDone
from regime3.records.status import QueueState


class LiveQueue:
    """The head's books plus the steps since."""

    def __init__(self, head: QueueState | None = None) -> None:
        self._head = head
        self._positions: dict[str, int] = {}
        self._rows = 0
        self._over: set[str] = set()

    def rebase(self) -> None:
        """The worker starts again from the head: nothing has been trained since."""
        self._positions.clear()
        self._over.clear()
        self._rows = 0

    def set_head(self, head: QueueState) -> None:
        """Fresh books from the supervisor."""
        self._head = head

    def add(self, step: StepDone) -> None:
        """Rows that a step consumed."""
        self._rows += step.rows
        if step.file_id:
            self._positions[step.file_id] = step.position

    def file_over(self, file_id: str) -> None:
        """All rows of a file are consumed, though not sealed yet."""
        self._over.add(file_id)

    def sealed(self) -> None:
        """A checkpoint holds what was live until now; fresh books follow in a moment."""
        now = self.now()
        if now is not None:
            self._head = now
        self.rebase()

    def now(self) -> QueueState | None:
        """The books as of the last step; None before the supervisor has told any."""
        if self._head is None:
            return None
        live = msgspec.structs.replace(self._head)
        live.files = [
            msgspec.structs.replace(
                file,
                position=min(file.rows, max(file.position, self._positions.get(file.id, 0))),
            )
            for file in self._head.files
            if file.id not in self._over
        ]
        rows = min(self._rows, live.rows_left)
        live.rows_left -= rows
        live.rows_trained += rows
        over = sum(1 for file in self._head.files if file.id in self._over)
        live.files_open = max(0, live.files_open - over)
        live.files_ended += over
        return live
