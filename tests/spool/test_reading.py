"""One pass over a file: lines, places and burials are those of a naive reader, for any blocks."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.errors import InputRefused
from regime3.spool import block, lines, reading, sift
from regime3.spool.decode import decode_row
from regime3.spool.index import RECORD, RowIndex
from regime3.spool.lines import LineCutter, Lines, LongLine
from regime3.spool.reading import Judged, Reading
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
        for line in piece.each():
            assert whole[offset : offset + len(line)] == line
            found.append((offset, len(line)))
            offset += len(line) + 1
    expected, offset = [], len(mark)
    parts = data.split(b"\n")
    for line in parts if parts[-1] else parts[:-1]:
        expected.append((offset, len(line)))
        offset += len(line) + 1
    assert found == expected


def test_every_row_is_found_again_by_its_index(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    texts = [row("one"), "", "nope", row("two", "ünï"), "  ", row("three")]
    path.write_text("\ufeff" + "\r\n".join(texts), encoding="utf-8")
    judged = judge(path)
    data = path.read_bytes()
    assert (judged.rows, judged.buried, judged.lines) == (3, 1, 6)
    assert judged.sha256 == hashlib.sha256(data).hexdigest()
    index = RowIndex(tmp_path / "index.bin")
    places = [index.locate(place) for place in range(len(index))]
    found = [data[offset : offset + length].decode() for offset, length, _ in places]
    assert [text.rstrip("\r") for text in found] == [texts[0], texts[3], texts[5]]
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
    monkeypatch.setattr(lines, "BLOCK_BYTES", 1000)
    assert (judge(path), (tmp_path / "index.bin").read_bytes()) == whole


def test_a_long_line_is_buried_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(row("one") + "\n" + "y" * 5000 + "\n" + row("two") + "\n")
    judged = judge(path, row_bytes_max=400)
    burial = judged.first_burial
    assert (judged.rows, judged.buried) == (2, 1)
    assert burial is not None and burial.line == 2 and burial.raw_bytes == 5000
    assert burial.reason == "5,000 bytes long; queue.row_bytes_max is 400"
    assert len(burial.raw) == lines.RAW_KEPT_BYTES


CORPUS = [
    row("a"),
    row("b", 'say "role" and \\'),
    row("c", "ünï 🤔\n"),
    row("d", id=7),
    row("e", meta={"role": "x", "content": "y"}),
    row("f", "my own content"),
    row("g") + "\r",
    " " + row("h"),
    '{"messages":[{"role":"user","content":"q"},'
    '{"role":"assistant","content":"a","reasoning_content":null}]}',
    '{"messages":[{"role":"user","content":"q"},'
    '{"role":"assistant","content":"a","reasoning_content":"t"}]}',
    '{"prompt":"q","completion":"a"}',
    "",
    "   ",
    "nope",
    '{"messages":[],' + row("shadow")[1:],
    '{"messages":[{"role":"user","role":"user","content":"q"},{"role":"assistant","content":"a"}]}',
    '{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a",'
    '"reasoning_content":null,"reasoning_content":null}]}',
    row("two") + " " + row("on one line"),
    '{"messages":[{"role":"user","content":"q"},',
    '{"role":"assistant","content":"a"}]}',
    row("long", "y" * 900),
]


@given(
    picks=st.lists(st.integers(0, len(CORPUS) - 1) | st.just(0), max_size=40),
    run_bytes=st.integers(1, 2000),
    sifted_bytes=st.integers(1, 2000),
)
def test_rows_judged_together_are_judged_as_each_alone(
    tmp_path_factory: pytest.TempPathFactory, picks: list[int], run_bytes: int, sifted_bytes: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "together" / "x.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(CORPUS[pick] for pick in picks))
    expected, buried = [], []
    offset = 0
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if len(line) > 800:
            buried.append(number)
        elif line.strip():
            try:
                decode_row(line)
            except InputRefused:
                buried.append(number)
            else:
                expected.append((offset, len(line), number))
        offset += len(line) + 1
    for name in ("index.bin", "buried.jsonl"):
        (path.parent / name).unlink(missing_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block, "RUN_BYTES", run_bytes)
        patch.setattr(sift, "SIFTED_BYTES", sifted_bytes)
        patch.setattr(reading, "RUN_BYTES_MIN", 0)
        judged = judge(path, row_bytes_max=800)
    with RowIndex(path.parent / "index.bin") as index:
        assert [index.locate(place) for place in range(len(index))] == expected
    assert (judged.rows, judged.buried) == (len(expected), len(buried))
    assert sum(judged.formats.values()) == judged.rows
    if buried:
        told = (path.parent / "buried.jsonl").read_text().splitlines()
        assert sorted(json.loads(line)["line"] for line in told) == buried


def test_a_run_of_plain_rows_is_judged_at_once_and_any_oddity_is_not() -> None:
    def at_once(*texts: str) -> bool:
        body = "\n".join(texts).encode()
        whole = Lines(0, body, 0, len(body))
        return block.Runs().records(whole, 0, len(body), 1, 800) is not None

    plain = [row("a"), row("b", 'quoted "so"'), row("c", "ünï 🤔\n"), CORPUS[8], CORPUS[9]]
    assert at_once(*plain)
    for odd in [CORPUS[3], CORPUS[4], *CORPUS[10:]]:
        assert not at_once(*plain, odd), odd
    assert not at_once('{"messages":[{"role":"user","content":"q"}', ',{"role":"assistant",', "}")


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
    (tmp_path / "x.jsonl").write_bytes(b"7\n" * 100_000 + b"\n" * 2_000_000)
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    rows, buried, _, peak_mb = told.stdout.split()
    assert (rows, buried) == ("0", "100000")
    assert float(peak_mb) < 140
