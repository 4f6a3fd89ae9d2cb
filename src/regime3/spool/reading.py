"""One pass over a file of any size: its hash, its lines, and what each of them is worth.

Lines are judged a run at a time where a whole run is good (`block`), a few at a time where some
are not (`sift`), and one by one where there is doubt (`decode`); all three agree. Their places
go to the index as they are found: memory stays at a few blocks plus one row.

What it does not do: decide about files already admitted, or move anything.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from regime3 import disk
from regime3.errors import InputRefused
from regime3.records.files import Burial
from regime3.spool.decode import decode_row
from regime3.spool.encoding import UTF8_BOM, foreign_encoding
from regime3.spool.index import RECORD, pack_record
from regime3.spool.lines import RAW_KEPT_BYTES, LineCutter, Lines, LongLine, read_blocks
from regime3.spool.proof import MARK, Proof
from regime3.spool.sift import IsHeldOut, Place, sift

if TYPE_CHECKING:
    from regime3.spool.block import Runs

FLUSH_BURIALS_MAX = 256
RUN_MISSES_MAX = 8
"""So many runs in vain, and the file is plainly of another kind: lines are judged singly."""
RUN_BYTES_MIN = 16 << 10
"""A piece below this is not worth the effort of a run."""

_encode = msgspec.json.Encoder().encode


@dataclass
class Judged:
    """What one pass found. `rows` + `buried` are all rows; blank lines are none."""

    sha256: str = ""
    size_bytes: int = 0
    lines: int = 0
    rows: int = 0
    buried: int = 0
    formats: Counter[str] = field(default_factory=Counter)
    first_burial: Burial | None = None
    encoding: str | None = None
    """A foreign encoding of the whole file, such as UTF-16LE."""
    finished: bool = False
    """False when it was asked to stop before the end."""


class Seen(NamedTuple):
    """Told after every block."""

    bytes_done: int
    rows: int
    buried: int


class Reading:
    """Reads the file at `path` and leaves `index.bin` and `buried.jsonl` in `folder`.

    `held_out` says of a row whether it belongs to validation/, `proof` why a row about a problem
    may not be trained. `on_block` hears of every block, and between rows that have to be proved;
    it ends the reading by returning False. Nothing written here is durable until sealed.
    """

    def __init__(
        self,
        path: Path,
        index_file: Path,
        buried_file: Path,
        *,
        row_bytes_max: int,
        format: str | None = None,
        held_out: IsHeldOut = None,
        proof: Proof | None = None,
        on_block: Callable[[Seen], bool] = lambda _: True,
    ) -> None:
        self._path, self._index_file, self._buried_file = path, index_file, buried_file
        self._row_bytes_max, self._format = row_bytes_max, format
        self._held_out, self._proof, self._on_block = held_out, proof, on_block
        self._typed = format is None or format == "messages"
        self._runs: Runs | None = None
        self._misses = 0
        """Runs of lines that had to be looked at one by one, less those that had not."""
        self._records: list[bytes] = []
        self._burials: list[Burial] = []
        self._judged = Judged()

    def run(self) -> Judged:
        """Read to the end. Raises OSError when the file cannot be read."""
        judged = self._judged
        digest = hashlib.sha256()
        with disk.Appender(self._index_file) as index:
            for block in read_blocks(self._path, digest.update):
                if judged.size_bytes == 0:
                    judged.encoding = foreign_encoding(block)
                    lines = LineCutter(self._row_bytes_max, skip_bom=block.startswith(UTF8_BOM))
                judged.size_bytes += len(block)
                if judged.encoding is not None:
                    judged.lines += block.count(b"\n")
                elif not self._take(lines.feed(block), index):
                    return judged
                if not self._on_block(Seen(judged.size_bytes, judged.rows, judged.buried)):
                    return judged
            whole = judged.encoding is not None or judged.size_bytes == 0
            if not whole and not self._take(lines.end(), index):
                return judged
        if judged.encoding is not None:
            # Counted as far as they can be told apart: the file is refused whole.
            judged.buried = judged.lines = max(judged.lines, 1)
        self._flush_burials()
        judged.formats = +judged.formats  # without zero counts
        judged.sha256 = digest.hexdigest()
        judged.finished = True
        return judged

    def _take(self, pieces: Iterator[Lines | LongLine], index: disk.Appender) -> bool:
        """Judge the lines of a block; False when told to stop on the way."""
        for piece in pieces:
            if isinstance(piece, LongLine):
                self._judged.lines += 1
                reason = self._too_long(piece.length)
                self._bury(self._judged.lines, reason, piece.head, piece.length)
            elif not self._decode(piece):
                return False
        if self._records:
            index.append(b"".join(self._records))
            self._records.clear()
        return True

    def _decode(self, piece: Lines) -> bool:
        """Judge the lines run by run: all at once where that is possible, one by one if not."""
        start, stop = piece.start, piece.start - 1
        proved = self._proof is not None and self._proof.concerns(piece.body, start, piece.stop)
        while start <= piece.stop:
            if start > stop and not proved and self._runs_pay(piece):
                stop = self._runs_end(piece, start)
                if self._take_run(piece, start, stop):
                    start = stop + 1
                    continue
            start = self._sift(piece, start, proved)
            if proved and not self._on_block(
                # Proving takes its time: a block may hold thousands of such rows.
                Seen(
                    piece.offset + min(start, piece.stop) - piece.start,
                    self._judged.rows,
                    self._judged.buried,
                )
            ):
                return False
        return True

    def _runs_pay(self, piece: Lines) -> bool:
        long_enough = piece.stop - piece.start >= RUN_BYTES_MIN
        return long_enough and self._typed and self._misses <= RUN_MISSES_MAX

    def _runs_end(self, piece: Lines, start: int) -> int:
        if self._runs is None:
            # Only here, because numpy takes a tenth of a second to load: small files do without.
            from regime3.spool.block import Runs

            self._runs = Runs()
        return self._runs.end(piece, start)

    def _take_run(self, piece: Lines, start: int, stop: int) -> bool:
        """Index a run of lines at once; False when they have to be looked at singly."""
        judged = self._judged
        assert self._runs is not None
        records = self._runs.records(
            piece, start, stop, judged.lines + 1, self._row_bytes_max, self._held_out
        )
        self._misses = max(0, self._misses + (1 if records is None else -1))
        if records is None:
            return False
        rows = len(records) // RECORD.size
        self._records.append(records)
        judged.formats["messages"] += rows
        judged.rows += rows
        judged.lines += rows
        return True

    def _sift(self, piece: Lines, start: int, proved: bool) -> int:
        """Index the good ones of the next lines, and return where the line after them begins."""
        judged, body = self._judged, piece.body
        doubted = None
        if proved and self._proof is not None:
            doubted = b"" if self._proof.forged else MARK
        good, doubtful, lines, following = sift(
            body,
            start,
            piece.stop,
            self._row_bytes_max,
            held_out=self._held_out,
            typed=self._typed,
            doubted=doubted,
        )
        judged.formats["messages"] += len(good)
        passed = [place for place in doubtful if self._judge(body, place)]
        # Both lists are in file order; only a mixture has to be put in order again.
        places = sorted([*good, *passed]) if passed else good
        before, offset = judged.lines, piece.offset - piece.start
        self._records += [
            pack_record(offset + first, end - first, before + line) for line, first, end in places
        ]
        judged.rows += len(places)
        judged.lines += lines
        return following

    def _judge(self, body: bytes, place: Place) -> bool:
        """Whether a doubtful line is a row after all; buries it with its reason if not."""
        line, first, end = place
        number, raw = self._judged.lines + line, body[first:end]
        if len(raw) > self._row_bytes_max:
            self._bury(number, self._too_long(len(raw)), raw, len(raw))
            return False
        try:
            row, adapter = decode_row(raw, self._format)
        except InputRefused as refused:
            self._bury(number, refused.reason, raw, len(raw))
            return False
        if self._held_out is not None and self._held_out(row):
            self._bury(number, "a row of validation/: never trained", raw, len(raw))
            return False
        fault = self._proof.fault(raw) if self._proof is not None else None
        if fault is not None:
            self._bury(number, fault, raw, len(raw))
            return False
        self._judged.formats[adapter] += 1
        return True

    def _too_long(self, length: int) -> str:
        return f"{length:,} bytes long; queue.row_bytes_max is {self._row_bytes_max:,}"

    def _bury(self, line: int, reason: str, raw: bytes, raw_bytes: int) -> None:
        kept = raw[:RAW_KEPT_BYTES].decode("utf-8", "replace")
        burial = Burial(line, reason, kept, raw_bytes)
        if self._judged.first_burial is None:
            self._judged.first_burial = burial
        self._judged.buried += 1
        self._burials.append(burial)
        if len(self._burials) >= FLUSH_BURIALS_MAX:
            self._flush_burials()

    def _flush_burials(self) -> None:
        if self._burials:
            with disk.Appender(self._buried_file) as out:
                out.append(b"".join(_encode(burial) + b"\n" for burial in self._burials))
            self._burials.clear()
