"""Status: the status file, the metric history, the event log, and how to judge them.

The supervisor owns a `board.StatusBoard` and is the only writer; viewers (`web`, `r3 status`,
`r3 top`) read with `reading`, `history_files` and `liveness`. Nothing here imports torch or acts
on training.
"""

from regime3.status.board import StatusBoard

__all__ = ["StatusBoard"]
