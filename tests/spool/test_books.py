"""admitted = trained + buried + pending + set aside, whatever comes in and whatever is trained."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.clock import FakeClock
from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger, RowBurial
from regime3.spool.books import balance
from regime3.spool.queue import Spool
from tests.spool.conftest import make_lab, queue_settings, row

line = st.sampled_from(
    [row("a"), row("b", "no"), row("c", "x" * 300), "", "  ", "nope", "{}", '{"messages":[]}', "\0"]
)
content = st.builds(
    lambda lines, end, mark: (mark + "\n".join(lines) + end).encode(),
    st.lists(line, max_size=8),
    st.sampled_from(["", "\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
)
lane = st.sampled_from(["high", "normal", "low"])


def counted(data: bytes, row_bytes_max: int) -> int:
    """Rows of a file by a naive reading."""
    text = data.removeprefix(b"\xef\xbb\xbf")
    return sum(bool(piece.strip()) or len(piece) > row_bytes_max for piece in text.split(b"\n"))


def train(ledger: Ledger, meta: FileMeta, data: Any) -> None:
    """Consume some rows of a file, give up some of them, maybe end it."""
    rows = data.draw(st.integers(0, meta.rows))
    for position in range(data.draw(st.integers(0, rows))):
        ledger.bury(RowBurial(meta.id, position, position + 1, "why"))
    if rows:
        ledger.consume(meta.id, rows, meta.rows)
    if meta.id not in ledger.ended and data.draw(st.booleans()):
        ledger.end(meta.id, data.draw(st.sampled_from(["skipped", "failed", "removed"])))


@settings(max_examples=40, deadline=None)
@given(files=st.lists(st.tuples(content, lane, st.integers(1, 3)), max_size=5), data=st.data())
def test_the_books_hold_over_any_files_and_any_training(
    files: list[tuple[bytes, str, int]], data: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = make_lab(Path(folder))
        spool = Spool(lab, queue_settings(row_bytes_max=256), FakeClock())
        ledger = Ledger()
        for number, (text, lane_name, passes) in enumerate(files):
            path = lab.inbox_lane(lane_name) / f"{number}.jsonl"
            path.with_name(path.name + ".meta.json").write_text(f'{{"passes": {passes}}}')
            path.write_bytes(text)
            spool.admit_once()
            (newest, *_) = spool.admit_once() or [None]
            assert newest is None
        metas = list(spool.files().values())
        sizes = {meta.content_sha256: meta.rows + meta.buried for meta in metas}
        texts = {text for text, *_ in files}
        assert sorted(sizes.values()) == sorted(counted(text, 256) for text in texts)
        for meta in metas:
            train(ledger, meta, data)
        books = spool.books(ledger)
        total = books.total
        assert books.ok and books.errors == []
        assert total.rows == sum(meta.rows + meta.buried for meta in metas)
        assert total.rows == total.trained + total.buried + total.pending + total.set_aside
        assert min(total.trained, total.buried, total.pending, total.set_aside) >= 0
        spool.reconcile(ledger)
        assert spool.problems() == [] and spool.reconcile(ledger) == []
        assert Spool(lab, queue_settings(), FakeClock()).books(ledger) == books


META = FileMeta(
    id="f" * 32, content_sha256="f" * 64, pass_number=1, passes=1, name="x", lane="normal",
    admission=1, rows=5, buried=1, size_bytes=9, admitted_at=0.0,
)  # fmt: skip


def test_a_ledger_that_lies_is_shown() -> None:
    too_far = balance({META.id: META}, Ledger(positions={META.id: 6}))
    assert not too_far.ok and too_far.errors == ["x (ffffffffffff): 6 rows consumed of 5"]
    given_up = balance({META.id: META}, Ledger(positions={META.id: 1}, buried_at_run={META.id: 2}))
    assert given_up.errors == ["x (ffffffffffff): 2 rows given up of 1 consumed"]
    stranger = balance({}, Ledger(ended={"a" * 32: "done"}))
    assert stranger.errors == [f"the checkpoint knows a file that was never admitted: {'a' * 32}"]


def test_a_skipped_file_sets_its_rest_aside_and_a_retry_makes_it_pending() -> None:
    ledger = Ledger(positions={META.id: 2}, ended={META.id: "skipped"})
    (account,) = balance({META.id: META}, ledger).files
    assert (account.trained, account.buried, account.set_aside, account.pending) == (2, 1, 3, 0)
    ledger.reopen(META.id)
    (account,) = balance({META.id: META}, ledger).files
    assert (account.set_aside, account.pending, account.state) == (0, 3, "processing")
