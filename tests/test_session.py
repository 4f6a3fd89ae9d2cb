"""Between two steps: orders, pauses, seals and the cursor, without a model."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from regime3 import config, disk
from regime3.clock import FakeClock
from regime3.deaths import Condemned, Note, after_death, read_condemned, write_note
from regime3.errors import InputRefused
from regime3.paths import Lab
from regime3.port import FakePort
from regime3.records import messages as say
from regime3.records.ledger import Ledger
from regime3.records.messages import AnyOrder, OpenFile
from regime3.records.rows import Example, Row, Window
from regime3.session import Session
from regime3.stream.shuffle import order_of
from regime3.stream.source import Source
from regime3.vault import Vault
from tests.stream.test_source import FakeReader, file, ten_tokens


class ScriptedPort(FakePort):
    """Gives one batch of orders at each waiting, then Stop."""

    def __init__(self, clock: FakeClock, *batches: list[AnyOrder]) -> None:
        super().__init__()
        self.clock, self.batches = clock, list(batches)

    def orders(self, wait_s: float = 0.0) -> list[AnyOrder]:
        if wait_s == 0.0:
            return super().orders()
        self.clock.advance(wait_s)
        return self.batches.pop(0) if self.batches else [say.Stop()]

    def kinds(self) -> list[str]:
        return [type(report).__name__ for report in self.reports]


class Rig:
    """A session over a real vault; the trainer is played by `step`."""

    def __init__(self, root: Path, *batches: list[AnyOrder], **settings: Any) -> None:
        self.lab = Lab(root)
        for folder in self.lab.folders():
            folder.mkdir(parents=True, exist_ok=True)
        flags = {
            "train.window_tokens": 50,
            **{k.replace("__", "."): v for k, v in settings.items()},
        }
        tree = config.load(None, environment={}, flags=flags).settings
        self.clock = FakeClock()
        self.vault = Vault(self.lab, self.clock)
        temp = self.vault.begin()
        (temp / "config.json").write_text("{}")
        genesis = self.vault.commit(temp, parent=None, step=0, reason="genesis", ledger=Ledger())
        self.port = ScriptedPort(self.clock, *batches)
        self.session = Session(self.lab, tree, self.port, self.vault, genesis, self.clock)
        self.encode: Callable[[Row, str], list[Example]] = ten_tokens
        self.session.source = Source(
            tree,
            lambda: self.session.ledger,
            FakeReader,  # type: ignore[arg-type]
            lambda row, key: self.encode(row, key),
        )
        self.session.trainer = SimpleNamespace(  # type: ignore[assignment]
            step=SimpleNamespace(budget=SimpleNamespace(tokens=64), slicing="whole", device="cpu"),
            model=SimpleNamespace(parameters=lambda: iter(())),
        )
        self.writes = 0
        self.session.write_state = self.write_state

    def write_state(self, trainer: Any, folder: Path) -> None:
        self.writes += 1
        (folder / "config.json").write_text(f'{{"write": {self.writes}}}')

    def step(self, window: Window, **given: Any) -> None:
        result = SimpleNamespace(
            step=self.session.ledger.step + 1, loss=1.0, learning_rate=0.1, grad_norm=1.0,
            tokens=window.tokens, padded_tokens=window.tokens, seconds=0.1, slices=1,
            supervised_tokens=window.supervised, token_budget=64, memory_bytes=None, skipped=None,
        )  # fmt: skip
        self.clock.advance(given.get("seconds", 0.1))
        self.session.window_done(window, result)  # type: ignore[arg-type]

    def run(self, steps: int = 10**6) -> int:
        """Train until the session ends or `steps` windows are done; how many were."""
        for done in range(steps):
            window = self.session.next_window()
            if window is None:
                return done
            self.step(window)
        return steps

    def head(self) -> Any:
        return self.vault.head()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(*batches: list[AnyOrder], **settings: Any) -> Rig:
        made.append(Rig(tmp_path / f"lab{len(made)}", *batches, **settings))
        return made[-1]

    yield make
    for item in made:
        assert item.session.source is not None
        item.session.source.close()


A, B = file("a", 12, admission=1), file("b", 6, admission=2)


def files(*items: OpenFile) -> list[AnyOrder]:
    return [say.Files(list(items))]


def test_nothing_trains_before_the_first_files_are_told(rig: Any) -> None:
    lab = rig([])
    assert lab.run() == 0
    assert lab.port.kinds().count("Beat") >= 1 and lab.writes == 0


def test_a_dry_queue_is_sealed_once(rig: Any) -> None:
    lab = rig(files(A), [], [], [])
    assert lab.run() == 3
    assert lab.head().manifest.reason == "dry" and lab.writes == 1
    assert lab.head().ledger.ended == {A.id: "done"}


def test_seals_come_by_steps(rig: Any) -> None:
    lab = rig(files(A), checkpoint__save_steps=2)
    lab.run()
    reasons = [report.reason for report in lab.port.reports if isinstance(report, say.Sealed)]
    assert reasons == ["steps", "dry"]


def test_seals_come_by_minutes(rig: Any) -> None:
    lab = rig(files(A), checkpoint__save_minutes=1.0)
    for _ in range(2):
        window = lab.session.next_window()
        lab.step(window, seconds=61.0)
    assert lab.head().manifest.reason == "minutes" and lab.writes == 2


def test_a_pause_trains_nothing_until_resumed(rig: Any) -> None:
    lab = rig([*files(A), say.Pause("disk")], [], [say.Resume()])
    assert lab.run() == 3
    states = [report.state for report in lab.port.reports if isinstance(report, say.Beat)]
    assert states.index("paused") < states.index("sealing")


def test_a_stop_seals_what_is_unsealed(rig: Any) -> None:
    lab = rig(files(A))
    assert lab.run(steps=1) == 1
    lab.port.waiting = [say.Stop()]
    assert lab.session.next_window() is None
    assert lab.head().manifest.reason == "stop" and lab.head().ledger.positions == {A.id: 5}
    assert isinstance(lab.port.reports[-1], say.Leaving)


def test_an_orphan_seals_and_leaves(rig: Any) -> None:
    lab = rig(files(A))
    lab.run(steps=1)
    lab.port.orphaned = True
    assert lab.session.next_window() is None and lab.head().manifest.step == 1


def test_a_skipped_file_is_sealed_and_the_next_one_trains(rig: Any) -> None:
    lab = rig(files(A, B))
    lab.run(steps=1)
    lab.port.waiting = [say.EndFile(A.id, "skipped")]
    lab.run()
    ledger = lab.head().ledger
    assert ledger.ended == {A.id: "skipped", B.id: "done"} and ledger.positions == {A.id: 5}


def test_a_retried_file_goes_on_where_it_was(rig: Any) -> None:
    lab = rig([*files(A), say.EndFile(A.id, "skipped")], [say.Reopen(A)], [])
    assert lab.run() == 3
    assert lab.head().ledger.ended == {A.id: "done"}


def test_a_retry_of_a_file_with_nothing_left_makes_it_done(rig: Any) -> None:
    lab = rig([say.Files([])])
    lab.session.ledger.positions[A.id] = A.rows
    lab.session.ledger.ended[A.id] = "failed"
    lab.port.waiting = [say.Reopen(A)]
    assert lab.run() == 0
    assert lab.head().ledger.ended == {A.id: "done"} and not lab.head().ledger.positions


def test_refused_rows_are_buried_and_told(rig: Any) -> None:
    lab = rig(files(A), [])

    def picky(row: Row, key: str) -> list[Example]:
        if row.messages[0].content.endswith(":3"):
            raise InputRefused("too long")
        return ten_tokens(row, key)

    lab.encode = picky
    lab.run()
    told = [report for report in lab.port.reports if isinstance(report, say.RowGivenUp)]
    assert [(report.line, report.reason) for report in told] == [(4, "too long")]
    assert lab.head().ledger.buried_at_run == {A.id: 1}


def test_a_window_of_refused_rows_takes_no_step(rig: Any) -> None:
    def refuse(row: Row, key: str) -> list[Example]:
        raise InputRefused("no")

    lab = rig(files(B), [])
    lab.encode = refuse
    assert lab.run() == 0
    assert lab.head().manifest.step == 0
    assert lab.head().ledger.ended == {B.id: "failed"}, "mostly buried fails whole"
    assert "file-failed" in [r.code for r in lab.port.reports if isinstance(r, say.Alert)]


def test_a_file_whose_bytes_are_gone_fails_and_keeps_its_place(rig: Any) -> None:
    lab = rig(files(A, B), [])

    def gone(item: OpenFile) -> Any:
        if item.id == A.id:
            raise InputRefused("its data file is gone")
        return FakeReader(item)

    lab.session.source._open_reader = gone
    lab.run()
    assert lab.head().ledger.ended == {A.id: "failed", B.id: "done"}


def test_a_file_cut_short_in_the_middle_of_a_window_fails_alone(rig: Any) -> None:
    class Cut(FakeReader):
        def read(self, row: int) -> tuple[Row, int]:
            if self.file.id == A.id and row in CUT_ROWS:
                raise InputRefused("the file was cut short after admission")
            return super().read(row)

    lab = rig(files(A, B), [])
    order = order_of(A.rows, A.content_sha256, A.pass_number, True)
    CUT_ROWS.clear()
    CUT_ROWS.add(order(7))  # the third row of its second window
    lab.session.source._open_reader = Cut
    lab.run()
    ledger = lab.head().ledger
    assert ledger.ended == {A.id: "failed", B.id: "done"} and ledger.positions == {A.id: 5}
    assert ledger.buried_at_run == {}


CUT_ROWS: set[int] = set()


def test_a_full_disk_makes_a_seal_wait_and_not_fail(
    rig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = rig(files(B), [])
    real, left = lab.vault.commit, [2]

    def full(*words: Any, **given: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*words, **given)

    monkeypatch.setattr(lab.vault, "commit", full)
    lab.run()
    alerts = [report.code for report in lab.port.reports if isinstance(report, say.Alert)]
    assert alerts == ["disk-full", "disk-full"] and lab.head().manifest.reason == "dry"


def test_a_failed_fsync_is_never_retried(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = rig(files(B), [])
    calls = []

    def broken(*words: Any, **given: Any) -> Any:
        calls.append(1)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(lab.vault, "commit", broken)
    with pytest.raises(OSError):
        lab.run()
    assert len(calls) == 1


def test_a_note_stands_while_a_window_trains_and_not_between(rig: Any) -> None:
    lab = rig(files(A))
    lab.session.next_window()
    assert lab.lab.window_note.exists()
    lab.port.waiting = [say.Stop()]
    assert lab.session.next_window() is None
    assert not lab.lab.window_note.exists()


# -------------------------------------------------------------------------------- three deaths


def note(seal: int = 1, row: tuple[str, int] | None = None) -> Note:
    return Note(seal, 3, [("a", 0), ("a", 1)], row)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    made = Lab(tmp_path / "lab")
    made.control.mkdir(parents=True)
    return made


def die(lab: Lab, at: Note | None) -> tuple[str, Condemned | None]:
    if at is not None:
        write_note(lab, at)
    return after_death(lab, "was killed by SIGKILL")


def test_one_death_accuses_nobody(lab: Lab) -> None:
    assert die(lab, note()) == ("none", None)


def test_the_third_death_on_a_note_condemns_the_row_it_names(lab: Lab) -> None:
    assert die(lab, note())[0] == "none"
    assert die(lab, note())[0] == "single-rows"
    care, condemned = die(lab, note(row=("a", 1)))
    assert care == "none" and condemned is not None
    assert (condemned.id, condemned.position) == ("a", 1)
    assert "3 times" in read_condemned(lab)["a", 1]


def test_deaths_on_different_notes_do_not_add_up(lab: Lab) -> None:
    for seal in (1, 2, 3, 4, 5):
        assert die(lab, note(seal)) == ("none", None)


def test_a_death_between_windows_counts_for_nothing(lab: Lab) -> None:
    die(lab, note())
    die(lab, note())
    assert die(lab, None) == ("none", None)


def test_torn_evidence_accuses_nobody(lab: Lab) -> None:
    disk.write_bytes(lab.window_note, b'{"seal": 1, "st')
    disk.write_bytes(lab.deaths_file, b"\x00\x00")
    assert after_death(lab, "x") == ("none", None)
