"""One pass over a file: lines, places and burials are those of a naive reader, for any blocks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.spool import reading
from regime3.spool.index import RECORD, RowIndex
from regime3.spool.reading import Judged, LineCutter, Lines, LongLine, Reading
from tests.spool.conftest import row


def judge(path: Path, row_bytes_max: int = 1 << 20) -> Judged:
    folder = path.parent
    return Reading(
        path, folder / "index.bin", folder / "buried.jsonl", row_bytes_max=row_bytes_max
    ).run()


@given(
    data=st.lists(st.sampled_from([b"\n", b"a", b"bcd", b"x" * 70, b"\r\n", b" "])).map(b"".join),
    cuts=st.integers(1, 50),
    longest=st.integers(4, 80),
    bom=st.booleans(),
)
def test_lines_come_out_whole_wherever_blocks_are_cut(
    data: bytes, cuts: int, longest: int, bom: bool
) -> None:
    mark = b"\xef\xbb\xbf" if bom else b""
    cutter = LineCutter(longest, skip_bom=bom)
    found: list[tuple[int, int]] = []
    whole = mark + data
    first = max(cuts, len(mark))
    blocks = [whole[:first]]
    blocks += [whole[start : start + cuts] for start in range(first, len(whole), cuts)]
    pieces = [piece for block in blocks for piece in cutter.feed(block)]
    for piece in [*pieces, *cutter.end()]:
        if isinstance(piece, LongLine):
            assert piece.length > longest
            assert piece.head and whole[piece.offset :].startswith(piece.head)
            found.append((piece.offset, piece.length))
            continue
        assert isinstance(piece, Lines)
        offset = piece.offset
        for line in piece.lines:
            assert whole[offset : offset + len(line)] == line
            found.append((offset, len(line)))
            offset += len(line) + 1
    expected, offset = [], len(mark)
    lines = data.split(b"\n")
    for line in lines if lines[-1] else lines[:-1]:
        expected.append((offset, len(line)))
        offset += len(line) + 1
    assert found == expected


def test_every_row_is_found_again_by_its_index(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = [row("one"), "", "nope", row("two", "ünï"), "  ", row("three")]
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    judged = judge(path)
    data = path.read_bytes()
    assert (judged.rows, judged.buried, judged.lines) == (3, 1, 6)
    assert judged.sha256 == hashlib.sha256(data).hexdigest()
    index = RowIndex(tmp_path / "index.bin")
    places = [index.locate(place) for place in range(len(index))]
    texts = [data[offset : offset + length].decode() for offset, length, _ in places]
    assert [text.rstrip("\r") for text in texts] == [lines[0], lines[3], lines[5]]
    assert [line for _, _, line in places] == [1, 4, 6]


def test_a_row_beyond_the_index_is_an_index_error(tmp_path: Path) -> None:
    (tmp_path / "index.bin").write_bytes(RECORD.pack(5, 6, 7))
    with RowIndex(tmp_path / "index.bin") as index:
        assert (len(index), index.locate(0)) == (1, (5, 6, 7))
        with pytest.raises(IndexError, match="row 1 of 1"):
            index.locate(1)
        with pytest.raises(IndexError):
            index.locate(-1)


def test_a_file_of_many_blocks_is_the_same_as_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(row(str(n), "y" * (n % 97)) + "\n" for n in range(500)))
    whole = judge(path), (tmp_path / "index.bin").read_bytes()
    (tmp_path / "index.bin").unlink()
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    assert (judge(path), (tmp_path / "index.bin").read_bytes()) == whole


def test_a_long_line_is_buried_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(row("one") + "\n" + "y" * 5000 + "\n" + row("two") + "\n")
    judged = judge(path, row_bytes_max=400)
    burial = judged.first_burial
    assert (judged.rows, judged.buried) == (2, 1)
    assert burial is not None and burial.line == 2 and burial.raw_bytes == 5000
    assert burial.reason == "5,000 bytes long; queue.row_bytes_max is 400"
    assert len(burial.raw) == reading.RAW_KEPT_BYTES


MEASURE = """
import sys
from pathlib import Path
from regime3.spool.reading import Reading
def peak():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
folder = Path(sys.argv[1])
idle = peak()
judged = Reading(folder / "x.jsonl", folder / "index.bin", folder / "buried.jsonl",
                 row_bytes_max=8 << 20).run()
print(judged.rows, judged.buried, judged.first_burial.raw_bytes, peak() - idle)
"""


def test_a_line_of_a_gigabyte_takes_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with open(path, "wb") as out:
        out.write(row("one").encode() + b"\n")
        out.seek(1 << 30, os.SEEK_CUR)  # a hole: reads as NUL bytes, costs no disk
        out.write(b"\n" + row("two").encode())
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows, buried, raw_bytes, peak_mb = told.stdout.split()
    assert (rows, buried, int(raw_bytes)) == ("2", "1", 1 << 30)
    assert float(peak_mb) < 100


def test_a_million_worthless_lines_take_little_memory(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(b"7\n" * 300_000 + b"\n" * 2_000_000)
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows, buried, _, peak_mb = told.stdout.split()
    assert (rows, buried) == ("0", "300000")
    assert float(peak_mb) < 140
