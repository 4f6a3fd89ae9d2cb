"""Chores on the supervisor's own turns: snapshots at their hour, room on the disk, short logs."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from regime3 import config, control, disk
from regime3.clock import FakeClock
from regime3.daemon import Supervisor
from regime3.errors import DiskFull
from regime3.paths import Lab
from regime3.records.ledger import Ledger
from regime3.spool import place_in_inbox
from regime3.vault import Vault

MORNING = datetime(2026, 5, 4, 2, 50).timestamp()


@pytest.fixture
def supervisor(tmp_path: Path) -> Callable[..., Supervisor]:
    """A supervisor at rest over a lab with one checkpoint; no worker is ever started."""

    def make(now: float = MORNING, **flags: Any) -> Supervisor:
        lab = Lab(tmp_path / "lab")
        for folder in lab.folders():
            folder.mkdir(parents=True, exist_ok=True)
        keyed = {key.replace("__", "."): value for key, value in flags.items()}
        tree = config.load(None, environment={}, flags={"queue.settle_s": "0", **keyed}).settings
        clock = FakeClock(now)
        vault = Vault(lab, clock)
        temp = vault.begin()
        (temp / "config.json").write_text("{}")
        (temp / "model.safetensors").write_bytes(b"weights" * 1000)
        vault.commit(temp, parent=None, step=0, reason="genesis", ledger=Ledger())
        made = Supervisor(lab, tree, clock=clock)
        made.take_head(made.vault.head())
        return made

    return make


def test_a_snapshot_is_taken_at_three_even_while_the_queue_is_full(supervisor: Any) -> None:
    sup = supervisor()
    sup.housekeeping.turn()
    assert sup.vault.snapshots.days() == []
    sup.clock.advance(11 * 60)
    sup.housekeeping.turn()
    assert sup.vault.snapshots.days() == ["2026-05-04"]
    assert (sup.lab.snapshot("2026-05-04") / "model.safetensors").exists()
    sup.clock.advance(3600)
    sup.housekeeping.turn()
    assert sup.vault.snapshots.days() == ["2026-05-04"]


def test_a_machine_that_slept_past_three_makes_up_for_it_once(supervisor: Any) -> None:
    sup = supervisor()
    sup.clock.advance(9 * 3600)
    sup.housekeeping.turn()
    sup.clock.advance(3600)
    sup.housekeeping.turn()
    assert sup.vault.snapshots.days() == ["2026-05-04"]


def test_training_rests_before_the_disk_is_full_and_goes_on_when_it_is_not(
    supervisor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sup = supervisor(checkpoint__free_gb_min="1")
    needed = 1e9 + sup.head_seal.size_bytes
    free = [needed - 1.0]
    monkeypatch.setattr(disk, "free_bytes", lambda path: free[0])
    reason = sup.housekeeping.disk_reason()
    assert reason is not None and "nearly full" in reason
    free[0] = needed * 1.05  # a little more: not yet, or it would flutter
    sup.clock.advance(10)
    assert sup.housekeeping.disk_reason() is not None
    free[0] = needed * 1.2
    sup.clock.advance(10)
    assert sup.housekeeping.disk_reason() is None


def test_a_long_log_is_set_aside_and_started_again(supervisor: Any) -> None:
    sup = supervisor(status__log_mb_max="0.1")
    log = sup.lab.log_file("worker")
    log.write_bytes(b"x" * 150_000)
    sup.housekeeping.turn()
    assert log.stat().st_size == 0
    assert log.with_suffix(".log.1").stat().st_size == 150_000


def admitted(sup: Supervisor, tmp_path: Path) -> str:
    source = tmp_path / "rows.jsonl"
    source.write_text(
        '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}\n'
    )
    place_in_inbox(sup.lab, source, "normal", None, lambda _: None)
    while not sup.spool.files():
        sup.spool.admit_once()
    return next(iter(sup.spool.files()))


def ask(sup: Supervisor, verb: Any, **more: Any) -> None:
    control.ask(sup.lab, control.Request(verb, sup.clock.now(), **more))
    sup.verbs.obey()


def test_without_a_worker_verbs_seal_by_themselves(supervisor: Any, tmp_path: Path) -> None:
    sup = supervisor()
    file_id = admitted(sup, tmp_path)
    ask(sup, "skip", id=file_id)
    assert sup.vault.head().ledger.ended == {file_id: "skipped"}
    assert sup.vault.head().manifest.reason == "skip"
    ask(sup, "retry", id=file_id)
    assert sup.vault.head().ledger.ended == {} and control.pending(sup.lab) == ([], [])


def test_a_verb_repeated_after_a_kill_does_nothing_twice(supervisor: Any, tmp_path: Path) -> None:
    sup = supervisor()
    file_id = admitted(sup, tmp_path)
    ask(sup, "skip", id=file_id)
    head = sup.vault.head().number
    ask(sup, "skip", id=file_id)
    assert sup.vault.head().number == head


def test_a_request_for_what_is_not_there_is_refused_and_removed(supervisor: Any) -> None:
    sup = supervisor()
    ask(sup, "skip", id="0" * 32)
    ask(sup, "rollback", seal=99)
    assert control.pending(sup.lab) == ([], [])
    refused = [event.text for event in sup.board.status.recent_events]
    assert any("99" in text for text in refused)


def test_what_is_no_request_is_kept_and_told_once(supervisor: Any) -> None:
    sup = supervisor()
    path = sup.lab.control_request("torn")
    path.write_text('{"verb": "explode"}')
    sup.verbs.obey()
    sup.verbs.obey()
    told = [e for e in sup.board.status.recent_events if e.kind == "bad-request"]
    assert len(told) == 1 and path.exists()


def test_a_content_once_deleted_is_not_retried(supervisor: Any, tmp_path: Path) -> None:
    sup = supervisor()
    file_id = admitted(sup, tmp_path)
    ask(sup, "remove", id=file_id)
    sup.spool.delete_content(file_id)
    head = sup.vault.head().number
    ask(sup, "retry", id=file_id)
    assert sup.vault.head().number == head
    assert sup.vault.head().ledger.ended == {file_id: "removed"}


def test_a_stop_asked_of_an_earlier_trainer_is_not_meant_for_this_one(supervisor: Any) -> None:
    sup = supervisor()
    control.ask(sup.lab, control.Request("stop", sup.born_at - 1.0))
    sup.verbs.drop_stale_stops()
    sup.verbs.obey()
    assert not sup.stopping
    control.ask(sup.lab, control.Request("stop", sup.born_at + 1.0))
    sup.verbs.drop_stale_stops()
    sup.verbs.obey()
    assert sup.stopping


class FakeWorker:
    """Takes orders and does nothing with them."""

    def __init__(self) -> None:
        self.orders: list[Any] = []

    def send(self, order: Any) -> None:
        self.orders.append(order)


def test_a_skip_and_a_retry_in_one_breath_are_both_obeyed(supervisor: Any, tmp_path: Path) -> None:
    sup = supervisor()
    file_id = admitted(sup, tmp_path)
    sup.worker = FakeWorker()
    ask(sup, "skip", id=file_id)
    ask(sup, "retry", id=file_id)
    assert [type(order).__name__ for order in sup.worker.orders] == ["EndFile"]
    ledger = sup.head_seal.ledger.child()
    ledger.end(file_id, "skipped")
    sup.take_head(sup.vault.reseal(sup.head_seal, ledger, "skip"))
    sup.verbs.settle()
    sup.verbs.obey()
    assert [type(order).__name__ for order in sup.worker.orders] == ["EndFile", "Reopen"]


def test_a_refused_request_is_told_to_whoever_asked(supervisor: Any, tmp_path: Path) -> None:
    sup = supervisor()
    file_id = admitted(sup, tmp_path)
    path = control.ask(sup.lab, control.Request("retry", 0.0, id=file_id))
    sup.verbs.obey()
    assert "is open" in sup.verbs.refusals[path].message and not path.exists()


def test_a_full_disk_holds_admission_and_does_not_end_the_trainer(
    supervisor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sup = supervisor(queue__poll_s="0.05")
    full = [True]

    def admit_once(**_: Any) -> list[Any]:
        if full[0]:
            raise DiskFull("queue/", 1, 2)
        return []

    monkeypatch.setattr(sup.spool, "admit_once", admit_once)
    sup.admission.start()
    try:
        while sup.admission.trouble is None:
            time.sleep(0.01)
        assert sup.admission.take() == []
        full[0] = False
        while sup.admission.rounds == 0:
            time.sleep(0.01)
        assert sup.admission.trouble is None
    finally:
        sup.admission.stop()


def test_a_status_that_cannot_be_written_does_not_stop_training(
    supervisor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sup = supervisor()
    told: list[str] = []
    sup.say_line = told.append

    def full(now: float) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sup.board, "write_if_due", full)
    sup._tell()
    sup._tell()
    assert len(told) == 1 and "No space left" in told[0]
