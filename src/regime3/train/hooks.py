"""What the trainer asks of whoever drives it. The worker implements `TrainHooks`.

All calls come from the training thread, in this order for each window: `next_window`,
`before_slice` (once a slice and again on a replay), `row_given_up` for rows that were not
trained, `window_done`; `report` at any time.
"""

from __future__ import annotations

from typing import Protocol

from regime3.records.messages import AnyReport
from regime3.records.rows import RowRef, Window
from regime3.train.metrics import WindowResult


class TrainHooks(Protocol):
    """The worker's side."""

    def next_window(self) -> Window | None:
        """The next window; None ends training.

        May block, pause or seal: the trainer's state is then exactly that after the last step.
        """

    def before_slice(self, rows: list[RowRef]) -> None:
        """A slice of these rows is about to be computed: a sign of life, and the note."""

    def row_given_up(self, row: RowRef, reason: str) -> None:
        """This row of the current window was not trained and never will be."""

    def window_done(self, window: Window, result: WindowResult) -> None:
        """The window is behind us: stepped, or refused with `result.skipped`."""

    def report(self, report: AnyReport) -> None:
        """An alert, an out of memory or a validation, for the supervisor."""
