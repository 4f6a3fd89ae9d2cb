"""Spool: what comes in, what waits, and the books of it. Never imports torch.

`queue.Spool` is the door. Inside: `inbox` sees what is whole, `admit` takes it through `claims`,
`reading` (with `decode` and `adapters`) and `commit` into the queue, `catalog` remembers,
`projection` says which folder the head seal implies, `books` counts, `problems` finds what does
not fit.
"""

from regime3.spool.admission import Admission, AdmitProgress
from regime3.spool.books import Books, FileBooks
from regime3.spool.decode import decode_row
from regime3.spool.inbox import InboxNote
from regime3.spool.index import RowIndex
from regime3.spool.place import place_in_inbox
from regime3.spool.problems import Problem
from regime3.spool.projection import Move
from regime3.spool.queue import Spool

__all__ = [
    "Admission",
    "AdmitProgress",
    "Books",
    "FileBooks",
    "InboxNote",
    "Move",
    "Problem",
    "RowIndex",
    "Spool",
    "decode_row",
    "place_in_inbox",
]
