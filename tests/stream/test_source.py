"""Windows: one lane, in order, closing at once when dry, pre-empted at the next cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3 import config
from regime3.errors import InputRefused
from regime3.records.ledger import Ledger
from regime3.records.messages import OpenFile
from regime3.records.rows import Example, Message, Row, Window
from regime3.stream.source import Source


class FakeReader:
    """Rows whose text says which they are."""

    def __init__(self, file: OpenFile) -> None:
        self.file = file

    def read(self, row: int) -> tuple[Row, int]:
        return Row([Message("user", f"{self.file.name}:{row}")]), row + 1

    def line(self, row: int) -> int:
        return row + 1

    def close(self) -> None: ...


def file(name: str, rows: int, lane: Any = "normal", admission: int = 0) -> OpenFile:
    return OpenFile(name * 32, name, lane, admission, rows, name * 64, 1)


def ten_tokens(row: Row, key: str) -> list[Example]:
    return [Example(list(range(10)), 4)]


def source_of(
    files: list[OpenFile],
    ledger: Ledger,
    encode: Callable[[Row, str], list[Example]] = ten_tokens,
    open_reader: Callable[[OpenFile], Any] = FakeReader,
    **train: int,
) -> Source:
    limits = {"window_tokens": 50, "window_rows_max": 64, **train}
    tree = config.load(None, environment={}, flags={f"train.{k}": v for k, v in limits.items()})
    source = Source(tree.settings, lambda: ledger, open_reader, encode)
    for item in files:
        source.catalogue.add(item)
    return source


def commit(window: Window, ledger: Ledger, files: list[OpenFile]) -> None:
    rows = {item.id: item.rows for item in files}
    for row in window.rows:
        ledger.consume(row.file_id, 1, rows[row.file_id])


def all_windows(source: Source, ledger: Ledger, files: list[OpenFile]) -> list[Window]:
    found = []
    while (window := source.next_window()) is not None:
        commit(window, ledger, files)
        found.append(window)
    source.close()
    return found


def names(window: Window) -> str:
    return "".join(row.file_id[0] for row in window.rows)


def test_a_window_closes_at_its_token_limit() -> None:
    files, ledger = [file("a", 12)], Ledger()
    windows = all_windows(source_of(files, ledger), ledger, files)
    assert [len(window.rows) for window in windows] == [5, 5, 2]


def test_a_window_closes_at_its_row_limit() -> None:
    files, ledger = [file("a", 5)], Ledger()
    windows = all_windows(source_of(files, ledger, window_rows_max=2), ledger, files)
    assert [len(window.rows) for window in windows] == [2, 2, 1]


def test_a_row_larger_than_the_window_still_comes_alone() -> None:
    files, ledger = [file("a", 3)], Ledger()
    source = source_of(files, ledger, lambda row, key: [Example([0] * 99, 1)])
    assert [len(window.rows) for window in all_windows(source, ledger, files)] == [1, 1, 1]


def test_a_window_spans_files_of_one_lane_in_admission_order() -> None:
    files, ledger = [file("b", 3, admission=2), file("a", 3, admission=1)], Ledger()
    windows = all_windows(source_of(files, ledger), ledger, files)
    assert [names(window) for window in windows] == ["aaabb", "b"]


def test_lanes_never_mix_and_high_comes_first() -> None:
    files = [file("n", 2, "normal", 1), file("h", 2, "high", 2), file("l", 2, "low", 0)]
    ledger = Ledger()
    windows = all_windows(source_of(files, ledger), ledger, files)
    assert [names(window) for window in windows] == ["hh", "nn", "ll"]


def test_a_high_file_preempts_at_the_next_window_and_the_other_resumes_where_it_was() -> None:
    normal, high, ledger = file("n", 8), file("h", 2, "high", 9), Ledger()
    source = source_of([normal], ledger)
    first = source.next_window()
    assert first is not None
    commit(first, ledger, [normal])
    source.catalogue.add(high)
    rest = all_windows(source, ledger, [normal, high])
    assert [names(window) for window in [first, *rest]] == ["nnnnn", "hh", "nnn"]
    assert [row.position for window in rest for row in window.rows] == [0, 1, 5, 6, 7]


def test_an_uncommitted_window_comes_again_the_same() -> None:
    files, ledger = [file("a", 12)], Ledger()
    source = source_of(files, ledger)
    assert source.next_window() == source.next_window()
    source.close()


def test_resuming_from_a_ledger_gives_the_windows_that_were_left() -> None:
    files, whole = [file("a", 23)], Ledger()
    windows = all_windows(source_of(files, whole), whole, files)
    part = Ledger()
    source = source_of(files, part)
    for _ in range(2):
        window = source.next_window()
        assert window is not None
        commit(window, part, files)
    source.close()
    resumed = part.copy()
    assert all_windows(source_of(files, resumed), resumed, files) == windows[2:]


def test_nothing_admitted_is_no_window() -> None:
    source = source_of([], Ledger())
    assert source.next_window() is None
    source.close()


def test_a_row_that_cannot_be_trained_rides_along_with_its_reason() -> None:
    def refuse_some(row: Row, key: str) -> list[Example]:
        if row.messages[0].content.endswith(("2", "3")):
            raise InputRefused("too long")
        return ten_tokens(row, key)

    files, ledger = [file("a", 5)], Ledger()
    (window,) = all_windows(source_of(files, ledger, refuse_some), ledger, files)
    refused = {row.line: row.refused for row in window.rows if row.refused}
    assert refused == {3: "too long", 4: "too long"} and window.supervised == 18


def test_a_condemned_row_is_refused_without_being_read() -> None:
    files, ledger = [file("a", 3)], Ledger()
    source = source_of(files, ledger)
    source.condemned["a" * 32, 1] = "it killed the worker 3 times"
    (window,) = all_windows(source, ledger, files)
    assert [row.refused for row in window.rows] == [None, "it killed the worker 3 times", None]


def test_an_unreadable_file_is_named_and_the_next_one_trains() -> None:
    def opened(item: OpenFile) -> FakeReader:
        if item.name == "a":
            raise InputRefused("its data file is gone")
        return FakeReader(item)

    files, ledger = [file("a", 3, admission=1), file("b", 2, admission=2)], Ledger()
    source = source_of(files, ledger, open_reader=opened)
    windows = all_windows(source, ledger, files)
    assert [names(window) for window in windows] == ["bb"]
    assert source.unreadable == {"a" * 32: "its data file is gone"}


def test_a_bug_in_the_encoder_is_not_swallowed() -> None:
    def broken(row: Row, key: str) -> list[Example]:
        raise ZeroDivisionError

    files, ledger = [file("a", 3)], Ledger()
    source = source_of(files, ledger, broken)
    with pytest.raises(ZeroDivisionError):
        source.next_window()
    source.close()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["high", "normal", "low"])), max_size=6),
    st.integers(1, 7),
)
def test_every_row_of_every_file_comes_exactly_once(
    shapes: list[tuple[int, Any]], rows_max: int
) -> None:
    files = [file("abcdef"[n], rows, lane, n) for n, (rows, lane) in enumerate(shapes)]
    ledger = Ledger()
    windows = all_windows(source_of(files, ledger, window_rows_max=rows_max), ledger, files)
    seen = [(row.file_id, row.position) for window in windows for row in window.rows]
    assert sorted(seen) == sorted((item.id, p) for item in files for p in range(item.rows))
    assert set(ledger.ended.values()) <= {"done"} and len(ledger.ended) == len(files)
