"""The main job with a real supervisor and a real worker: drop, train, seal, steer, go back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.whole.conftest import RealLab, rows

MakeLab = Callable[..., RealLab]


def test_files_dropped_in_the_inbox_become_a_sealed_model(make_lab: MakeLab) -> None:
    lab = make_lab(validation__every_steps=5, validation__time_share_max=1.0)
    held_out = rows("validation", 8)
    (lab.lab.validation / "held.jsonl").write_text("\n".join(held_out) + "\n", encoding="utf-8")
    lab.drop("good.jsonl", rows("good", 120))
    lab.drop("mixed.jsonl", [*rows("mixed", 20), "{broken", '{"messages": []}', held_out[0]])
    lab.drop("hopeless.jsonl", ["nothing", "of", "this", "is", "json"])
    (lab.lab.inbox / "folder.jsonl").mkdir()
    lab.start()
    lab.wait("the files", lambda: len(lab.spool().files()) == 3)
    lab.wait("all trained", lambda: not lab.spool().open_files(lab.head().ledger))
    assert lab.stop() == 0

    total = lab.books().total
    assert (total.rows, total.trained, total.buried) == (148, 140, 8)
    assert lab.books().ok
    assert lab.folder_of("good") == lab.folder_of("mixed") == "recently_completed"
    assert lab.folder_of("hopeless") == "failed"
    assert lab.lab.current_model.resolve() == lab.head().path.resolve()
    queue = lab.r3("queue", "list", "--file", "mixed")
    assert [row["line"] for row in queue["buried"]] == [21, 22, 23]
    assert "folder" in json.dumps(lab.r3("queue", "list")["inbox"])

    status = lab.status()
    assert status["status"] == "stopped" and status["current_step"] == lab.head().manifest.step
    assert status["loss"] is not None and status["validation_loss"] is not None
    assert status["total_evals"] > 0 and status["recent_examples"]


def test_the_sealed_model_loads_in_plain_transformers(make_lab: MakeLab) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    lab = make_lab()
    tokenizer = AutoTokenizer.from_pretrained(lab.lab.current_model)
    model = AutoModelForCausalLM.from_pretrained(lab.lab.current_model)
    ids = tokenizer("What is 1 + 2?", return_tensors="pt")
    assert model(**ids).logits.shape[-1] >= len(tokenizer)


def test_a_user_steers_a_running_trainer(make_lab: MakeLab) -> None:
    """Pause, resume, priority, skip, retry, rollback: one lab, one long file, no restart."""
    lab = make_lab(checkpoint__keep_newest=1000, checkpoint__save_steps=2)
    lab.drop("long.jsonl", rows("long", 3000))
    lab.start()
    lab.wait("training", lambda: lab.head().manifest.step >= 2)

    lab.r3("pause", "--reason", "quiet please")
    lab.wait("paused", lambda: lab.status()["status"] == "paused")
    step = lab.status()["current_step"]
    lab.drop("urgent.jsonl", rows("urgent", 12), lane="high")
    lab.wait("admitted", lambda: len(lab.spool().files()) == 2)
    assert lab.status()["current_step"] == step
    lab.r3("resume")
    urgent = lab.spool().find("urgent").id
    lab.wait("urgent first", lambda: lab.head().ledger.ended.get(urgent) == "done")
    long = lab.spool().find("long").id
    assert 0 < lab.head().ledger.positions[long] < 3000

    lab.r3("skip")
    lab.wait("skipped", lambda: lab.head().ledger.ended.get(long) == "skipped")
    lab.wait("shown", lambda: lab.folder_of("long") == "failed")
    position = lab.head().ledger.positions[long]
    lab.r3("queue", "retry", "long")
    lab.wait("goes on", lambda: lab.head().ledger.positions.get(long, 0) > position)
    lab.wait("shown again", lambda: lab.folder_of("long") == "processing")

    target = lab.head().number
    lab.wait("further", lambda: lab.head().number > target + 1)
    lab.r3("rollback", str(target))
    lab.wait("back", lambda: lab.head().manifest.rolled_back_from is not None
             or lab.head().ledger.abandoned != [])  # fmt: skip
    lab.wait("and on", lambda: lab.head().manifest.reason == "steps")
    assert lab.head().ledger.abandoned
    assert "rollback" in {event["kind"] for event in lab.events()}
    assert lab.stop() == 0
    assert lab.books().ok


def test_the_demo_trains_its_own_problems_and_says_where_to_look(tmp_path: Path) -> None:
    lab = tmp_path / "demo"
    words = ["demo", "--lab", str(lab), "--rows", "150"]
    done = subprocess.run(
        [sys.executable, "-m", "regime3", *words], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "where to look" in done.stdout and "live page: http://127.0.0.1:8080" in done.stderr
    again = subprocess.run(
        [sys.executable, "-m", "regime3", *words, "--json"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    found = json.loads(again.stdout)
    assert found["steps"] > 10 and found["loss_last"] < 7.0
    assert found["exact_match_percent"] is None or 0 <= found["exact_match_percent"] <= 100


def test_queue_verbs_work_without_a_trainer(make_lab: MakeLab) -> None:
    lab = make_lab()
    lab.drop("one.jsonl", rows("one", 40))
    spool = lab.spool()
    lab.wait("admitted", lambda: bool(spool.admit_once() or spool.files()))
    before = lab.head().number
    assert lab.r3("queue", "skip", "one")["done"]
    assert lab.head().number == before + 1 and lab.folder_of("one") == "failed"
    assert lab.r3("queue", "retry", "one")["done"]
    assert lab.folder_of("one") == "normal"
    assert lab.r3("queue", "move", "one", "high")["done"]
    assert lab.folder_of("one") == "high"
    assert lab.r3("queue", "remove", "one")["done"]
    books = lab.r3("queue", "books")
    assert books["ok"] and books["total"]["set_aside"] == 40
    assert lab.r3("rollback", str(before))["done"]
    assert lab.r3("doctor")["ok"]


def test_add_places_files_whole_with_their_passes(make_lab: MakeLab, tmp_path: Path) -> None:
    lab = make_lab()
    source = tmp_path / "mine.jsonl"
    source.write_text("\n".join(rows("mine", 30)) + "\n", encoding="utf-8")
    lab.r3("add", str(source), "--passes", "2", "--priority", "low")
    lab.start()
    lab.wait("two passes", lambda: len(lab.spool().files()) == 2)
    lab.wait_until_trained()
    assert lab.stop() == 0
    assert lab.books().total.trained == 60
    assert source.exists()
