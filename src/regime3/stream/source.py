"""Cutting the stream into windows.

A window takes rows of one lane in order, possibly of several files, until `window_tokens` or
`window_rows_max`; it closes at once when nothing more is admitted. Rows are tokenised early, in
a thread, and the cut is made late, in `next_window`: so a file dropped in `high/` pre-empts at
the very next window. The source holds no cursor of its own: it reads the worker's ledger, and
only the worker moves it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from regime3.config import Settings
from regime3.errors import InputRefused
from regime3.records.ledger import Ledger
from regime3.records.messages import OpenFile
from regime3.records.rows import Example, Row, RowRef, Window
from regime3.stream.catalogue import Catalogue
from regime3.stream.reader import RowReader
from regime3.stream.shuffle import InOrder, Permutation, order_of

LOOKAHEAD_WINDOWS = 2

Encode = Callable[[Row, str], list[Example]]
"""Row and its stable key to examples; raises `InputRefused` for a row that cannot be trained."""


class Opened:
    """A file being read: its rows and their order."""

    def __init__(self, reader: RowReader, order: Permutation | InOrder) -> None:
        self.reader, self.order = reader, order


class Source:
    """Windows from the files of a catalogue, relative to a ledger.

    `open_reader` raises `InputRefused` for a file that cannot be read: it lands in `unreadable`
    (id to reason), is passed over, and the worker ends it. `condemned` maps (id, position) to the
    story of a row that killed workers.
    """

    def __init__(
        self,
        settings: Settings,
        ledger: Callable[[], Ledger],
        open_reader: Callable[[OpenFile], RowReader],
        encode: Encode,
    ) -> None:
        self.catalogue = Catalogue()
        self.condemned: dict[tuple[str, int], str] = {}
        self.unreadable: dict[str, str] = {}
        self._train, self._shuffle = settings.train, settings.queue.shuffle
        self._ledger, self._open_reader, self._encode = ledger, open_reader, encode
        self._opened: dict[str, Opened] = {}
        self._ahead: dict[tuple[str, int], Future[RowRef]] = {}
        self._opening = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="tokenise")

    def next_window(self) -> Window | None:
        """The next window, or None when nothing is admitted. Does not move the cursor."""
        rows: list[RowRef] = []
        tokens = 0
        lane = None
        for file, position in self._upcoming():
            if lane not in (None, file.lane) or len(rows) == self._train.window_rows_max:
                break
            row = self._take(file, position)
            if row is None:
                continue  # the file turned out to be unreadable
            size = sum(example.length for example in row.examples)
            if rows and tokens + size > self._train.window_tokens:
                self._ahead[file.id, position] = _finished(row)
                break
            rows.append(row)
            lane = file.lane
            tokens += size
        self._look_ahead(len(rows))
        return Window(rows) if rows else None

    def close_file(self, file_id: str) -> None:
        """Forget a file that is over; its descriptor is closed."""
        self.catalogue.remove(file_id)
        opened = self._opened.pop(file_id, None)
        for key in [key for key in self._ahead if key[0] == file_id]:
            _settle(self._ahead.pop(key))
        if opened is not None:
            opened.reader.close()

    def close(self) -> None:
        """Stop the thread and close every file."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        for opened in self._opened.values():
            opened.reader.close()
        self._opened.clear()

    def _upcoming(self) -> Iterator[tuple[OpenFile, int]]:
        """Rows to come, in order, as things stand now."""
        ledger = self._ledger()
        for file in list(self.catalogue):
            if file.id in ledger.ended or file.id in self.unreadable:
                continue
            for position in range(ledger.positions.get(file.id, 0), file.rows):
                if file.id in self.unreadable:
                    break
                yield file, position

    def _take(self, file: OpenFile, position: int) -> RowRef | None:
        """The tokenised row, from the thread when it is ready there, else at once."""
        future = self._ahead.pop((file.id, position), None)
        try:
            return future.result() if future is not None else self._read(file, position)
        except InputRefused as refusal:
            self.unreadable[file.id] = refusal.reason
        except OSError as error:
            self.unreadable[file.id] = f"it cannot be read: {error}"
        return None

    def _look_ahead(self, taken: int) -> None:
        """Start tokenising what comes after the `taken` rows just cut, unless it is under way."""
        wanted = list(islice(self._upcoming(), taken, taken + LOOKAHEAD_WINDOWS * max(1, taken)))
        keys = {(file.id, position) for file, position in wanted}
        for key in [key for key in self._ahead if key not in keys]:
            _settle(self._ahead.pop(key))
        for file, position in wanted:
            if (file.id, position) not in self._ahead:
                self._ahead[file.id, position] = self._thread.submit(self._read, file, position)

    def _read(self, file: OpenFile, position: int) -> RowRef:
        """Read and tokenise one row; a row that cannot be trained comes back refused."""
        opened = self._open(file)
        row_number = opened.order(position)
        story = self.condemned.get((file.id, position))
        if story is not None:
            line = opened.reader.line(row_number)
            return RowRef(file.id, position, line, [], refused=story)
        row, line = opened.reader.read(row_number)
        try:
            examples = self._encode(row, f"{file.content_sha256}|{file.pass_number}|{row_number}")
        except InputRefused as refusal:
            return RowRef(file.id, position, line, [], refused=refusal.reason)
        return RowRef(file.id, position, line, examples)

    def _open(self, file: OpenFile) -> Opened:
        with self._opening:  # the thread and the trainer may want the same new file
            opened = self._opened.get(file.id)
            if opened is None:
                order = order_of(file.rows, file.content_sha256, file.pass_number, self._shuffle)
                opened = self._opened[file.id] = Opened(self._open_reader(file), order)
            return opened


def _finished(row: RowRef) -> Future[RowRef]:
    future: Future[RowRef] = Future()
    future.set_result(row)
    return future


def _settle(future: Future[RowRef]) -> None:
    """Drop a future; one already running is waited for, so that no file closes under it."""
    if not future.cancel():
        future.exception()
