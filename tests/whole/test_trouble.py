"""What must not stop a lab: hanging and dying workers, poison rows, memory, bad numbers, kills."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from regime3.errors import TrainerFatal
from tests.soak import soak
from tests.whole.conftest import RealLab, rows

MakeLab = Callable[..., RealLab]


def test_five_kills_lose_nothing_and_change_no_bit(tmp_path: Path) -> None:
    outcome = soak(tmp_path / "soak", kills=5, rows=900, seed=7)
    assert outcome.problems == []
    assert sum(outcome.kills.values()) == 5 and outcome.trained + outcome.buried == outcome.rows


def test_a_hanging_worker_is_killed_and_the_next_one_goes_on(make_lab: MakeLab) -> None:
    lab = make_lab(supervisor__heartbeat_timeout_s=3.0)
    lab.drop("file.jsonl", rows("file", 60))
    lab.start(REGIME3_FAULT_TRAIN="hang@3")
    lab.wait("the hang is noticed", lambda: lab.status().get("worker_restarts", 0) >= 1)
    assert any("hung" in event["text"] for event in lab.events())
    # Every new worker meets the same fault at the same step: it is the lab that must end it.
    assert lab.status()["status"] != "fatal"


def test_a_row_that_kills_three_workers_is_buried_and_the_rest_trains(make_lab: MakeLab) -> None:
    lab = make_lab()
    poison = '{"messages": [{"role": "user", "content": "the poison row"}, ' \
             '{"role": "assistant", "content": "boom"}]}'  # fmt: skip
    lab.drop("file.jsonl", [*rows("file", 30), poison, *rows("more", 30)])
    lab.start(REGIME3_FAULT_TRAIN="die-on:the poison row")
    lab.wait_until_trained()
    assert lab.stop() == 0
    total = lab.books().total
    assert (total.trained, total.buried) == (60, 1)
    (burial,) = lab.r3("queue", "list", "--file", "file")["buried"]
    assert burial["line"] == 31 and "killed the worker 3 times" in burial["reason"]


def test_a_worker_that_cannot_live_is_fatal_and_says_so(make_lab: MakeLab) -> None:
    lab = make_lab(supervisor__restarts_max=2)
    lab.drop("file.jsonl", rows("file", 10))
    lab.start(REGIME3_FAULT_TRAIN="not a fault at all")
    assert lab.process is not None
    assert lab.process.wait(120) == TrainerFatal.exit_code
    assert lab.status()["status"] == "fatal"
    lab.r3("status", code=6)
    findings = lab.r3("doctor", code=1)["findings"]
    assert any(finding["check"] == "trainer" and finding["fix"] for finding in findings)


def test_out_of_memory_halves_the_budget_and_loses_no_row(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.drop("file.jsonl", rows("file", 60))
    lab.start(REGIME3_FAULT_TRAIN="oom-above:200")
    lab.wait_until_trained()
    assert lab.stop() == 0
    assert lab.books().total.trained == 60
    assert lab.status()["token_budget"] <= 400


def test_out_of_memory_in_the_optimizer_restarts_from_the_seal(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.drop("file.jsonl", rows("file", 60))
    lab.start(REGIME3_FAULT_TRAIN="oom-step@3")
    lab.wait("a restart", lambda: lab.status().get("worker_restarts", 0) >= 1)
    assert any("exit code 8" in event["text"] for event in lab.events())


def test_a_loss_that_is_no_number_never_reaches_the_weights(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.drop("file.jsonl", rows("file", 60))
    lab.start(REGIME3_FAULT_TRAIN="nan@2")
    lab.wait_until_trained()
    assert lab.stop() == 0
    total = lab.books().total
    assert total.trained + total.buried == 60 and 0 < total.buried < 20
    from safetensors.numpy import load_file

    weights = load_file(lab.head().path / "model.safetensors")
    assert all(bool((tensor == tensor).all()) for tensor in weights.values())


def test_a_second_trainer_is_told_who_holds_the_lab(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.start()
    lab.wait("it runs", lambda: lab.status().get("supervisor_pid") is not None)
    first, lab.process = lab.process, None
    assert first is not None
    lab.start()
    assert lab.process is not None
    try:
        assert lab.process.wait(60) == 4
        assert f"trainer pid {first.pid}" in lab.logs()
    finally:
        lab.process = first
    assert lab.r3("stop")["was_running"]
    assert first.wait(60) == 0


def test_an_orphaned_worker_seals_and_leaves(make_lab: MakeLab) -> None:
    lab = make_lab(checkpoint__save_steps=10_000)
    lab.drop("file.jsonl", rows("file", 4000))
    lab.start()
    lab.wait("steps", lambda: (lab.status().get("current_step") or 0) >= 2)
    assert lab.process is not None
    os.kill(lab.process.pid, signal.SIGKILL)
    lab.process.wait()
    lab.process = None
    lab.wait("it leaves", lambda: lab.worker_pid() is None)
    assert lab.head().manifest.reason == "stop" and lab.head().manifest.step >= 2


@pytest.mark.parametrize("keep", [2])
def test_retention_deletes_content_only_when_no_checkpoint_needs_it(
    make_lab: MakeLab, keep: int
) -> None:
    lab = make_lab(checkpoint__keep_newest=keep, checkpoint__keep_daily=0, checkpoint__keep_best=0)
    lab.drop("first.jsonl", rows("first", 20))
    lab.start()
    lab.wait_until_trained()
    lab.drop("second.jsonl", rows("second", 600))
    lab.wait(
        "the first file's rows are not needed any more",
        lambda: not list(lab.lab.queue.glob("*/first@*.jsonl")),
    )
    assert lab.spool().find("first").content_deleted_at is not None
    first = lab.spool().find("first").id
    assert lab.stop() == 0  # a running trainer may prune a checkpoint between listing and opening
    entries = lab.r3("checkpoints")["checkpoints"]
    from regime3.clock import SystemClock
    from regime3.vault import Vault

    vault = Vault(lab.lab, SystemClock())
    assert all(vault.open(e["number"]).ledger.ended[first] == "done" for e in entries)
    assert lab.books().ok
