"""`r3 bench first-step`: how soon a dropped file trains, beside TRL's SFTTrainer.

Ours, in one process that has imported everything, loaded the nano model and waits for a window
(a worker that is up): the file is admitted by the spool (read, validated, hashed, indexed), its
first window is read, rendered and tokenised, and one optimizer step is made. `s_100_rows` and
`s_100k_rows` count from the end of admission to the end of that step; the ratio counts admission
too. TRL, imported and with its model loaded as well: `load_dataset("json")`, `SFTTrainer` with
its defaults but fp32 and no checkpointing, to the end of its first step. Both train eight rows.

`--quick` uses rows of some 290 bytes; `--full` the 287 MB file of 100,000 rows. The settling
time of the inbox (`queue.settle_s`) is set to nothing: it waits for the user's copy, not for us.

    python -m regime3.bench.first_step --side ours --file FILE     # one run, by hand
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from regime3 import disk
from regime3.bench import telling
from regime3.clock import SystemClock
from regime3.config import Settings, load
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.records.ledger import Ledger
from regime3.records.rows import RowRef, Window

OURS_ROUNDS = 5
ROWS_FEW, ROWS_MANY = 100, 100_000
ROW_BYTES_QUICK, ROW_BYTES_FULL = 290, 2870
STEP_ROWS = 8
PARAGRAPHS = 997
RUN_S_MAX = 3000
TEXT = (
    "the sum of two numbers is found by adding first ones then tens and so on until nothing "
    "is left while a remainder stays smaller than what we divide by because each step takes as "
    "many whole parts as fit and carries what is over to the next place where it counts ten"
)


def write_rows(path: Path, rows: int, row_bytes: int) -> None:
    """A keyed chat file: every row its own, of about `row_bytes`."""
    draw = random.Random(hashlib.sha256(b"bench|first-step").digest())
    half = row_bytes // 2 - 40
    paragraphs = [_words(draw, half) for _ in range(PARAGRAPHS)]
    with open(path, "w", encoding="utf-8") as out:
        for row in range(rows):
            question = f"{row}: {paragraphs[row % PARAGRAPHS]}"
            answer = paragraphs[(row * 31 + row // PARAGRAPHS) % PARAGRAPHS]
            turns = [("user", question), ("assistant", answer)]
            messages = [{"role": role, "content": text} for role, text in turns]
            out.write(json.dumps({"messages": messages}) + "\n")


def _words(draw: random.Random, characters: int) -> str:
    words, text = TEXT.split(), ""
    while len(text) < characters:
        text += draw.choice(words) + " "
    return text.strip()


# ---------------------------------------------------------------------- ours


class _Waiting:
    """A worker that is up: its first `next_window` admits the file, its first step ends it."""

    def __init__(self, lab: Lab, settings: Settings, renderer: Any) -> None:
        self.lab, self.settings, self.renderer = lab, settings, renderer
        self.started = self.admitted = self.stepped = 0.0
        self.source: Any = None

    def next_window(self) -> Window | None:
        if self.stepped:
            return None
        from regime3.spool.queue import Spool
        from regime3.stream.source import Source
        from regime3.worker import open_reader

        spool, ledger = Spool(self.lab, self.settings, SystemClock()), Ledger()
        self.started = time.monotonic()
        while not (files := spool.open_files(ledger)):
            spool.admit_once()
        self.admitted = time.monotonic()
        self.source = Source(
            self.settings,
            lambda: ledger,
            lambda file: open_reader(self.lab, file),
            self.renderer.examples,
        )
        self.source.catalogue.add(files[0])
        window: Window = self.source.next_window()
        return window

    def before_slice(self, rows: list[RowRef]) -> None:
        pass

    def row_given_up(self, row: RowRef, reason: str) -> None:
        raise RuntimeError(reason)

    def window_done(self, window: Window, result: Any) -> None:
        self.stepped = time.monotonic()

    def report(self, report: Any) -> None:
        pass


def run_ours(file: Path) -> dict[str, float]:
    """Seconds of admission and from there to the first step."""
    from regime3.model.chat import ChatRenderer
    from regime3.model.load import load_model, load_tokenizer
    from regime3.model.nano import build_nano
    from regime3.train.trainer import build_trainer, prepare_process

    flags = {
        "queue.settle_s": 0.0,
        "train.window_rows_max": STEP_ROWS,
        "train.window_tokens": 1 << 20,
        "train.device": "cpu",
        "train.threads": int(os.environ["OMP_NUM_THREADS"]),
    }
    settings = load(None, environment={}, flags=flags).settings
    prepare_process(settings)
    home = Path(tempfile.mkdtemp(dir=file.parent))
    lab = Lab(home / "lab")
    for folder in lab.folders():
        disk.make_folder(folder)
    build_nano(home / "nano")
    tokenizer = load_tokenizer(home / "nano")
    model = load_model(home / "nano", settings)
    _warm(model)
    os.link(file, lab.inbox / file.name)
    hooks = _Waiting(lab, settings, ChatRenderer(tokenizer, settings.examples, 4096))
    build_trainer(model, tokenizer, settings, hooks=hooks).run()
    hooks.source.close()
    shutil.rmtree(home)
    return {
        "admission_s": hooks.admitted - hooks.started,
        "first_step_s": hooks.stepped - hooks.admitted,
    }


def _warm(model: Any) -> None:
    """A process that is up has computed before."""
    import torch

    ids = torch.arange(10, 74)[None]
    model(input_ids=ids, labels=ids).loss.backward()
    model.zero_grad(set_to_none=True)


# ---------------------------------------------------------------------- TRL


def run_trl(file: Path) -> dict[str, float]:
    """Seconds from the file to the end of SFTTrainer's first step."""
    import torch
    from datasets import load_dataset
    from transformers import AutoTokenizer, Qwen3ForCausalLM, TrainerCallback
    from transformers.utils import logging
    from trl import SFTConfig, SFTTrainer

    from regime3.model.nano import build_nano

    logging.disable_progress_bar()
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    home = Path(tempfile.mkdtemp(dir=file.parent))
    build_nano(home / "nano")
    tokenizer = AutoTokenizer.from_pretrained(home / "nano")
    model = Qwen3ForCausalLM.from_pretrained(home / "nano", dtype=torch.float32)
    _warm(model)
    stepped: list[float] = []

    class First(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            stepped.append(time.monotonic())

    options = SFTConfig(
        output_dir=str(home / "out"),
        max_steps=1,
        per_device_train_batch_size=STEP_ROWS,
        max_length=4096,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    started = time.monotonic()
    data = load_dataset("json", data_files=str(file), split="train", cache_dir=str(home / "cache"))
    trainer = SFTTrainer(
        model=model,
        args=options,
        train_dataset=data,
        processing_class=tokenizer,
        callbacks=[First()],
    )
    trainer.train()
    shutil.rmtree(home)
    return {"first_step_s": stepped[0] - started}


# ---------------------------------------------------------------------- the comparison


def run(quick: bool) -> dict[str, Any]:
    """Ours on 100 and on 100,000 rows, TRL on 100,000, interleaved in fresh processes."""
    from importlib.util import find_spec

    for package in ("trl", "datasets"):
        if find_spec(package) is None:
            raise Unavailable(
                f"{package} is not installed: extra `bench`", "pip install -e .[bench]"
            )
    row_bytes, rounds = (ROW_BYTES_QUICK, 1) if quick else (ROW_BYTES_FULL, 2)
    few, many, admission, ratio, trl = [], [], [], [], []
    with tempfile.TemporaryDirectory(prefix="regime3-bench-") as name:
        small, large = Path(name) / "few.jsonl", Path(name) / "many.jsonl"
        write_rows(small, ROWS_FEW, row_bytes)
        write_rows(large, ROWS_MANY, row_bytes)
        size_mb = large.stat().st_size / 1e6
        for number in telling.rounds(OURS_ROUNDS, "first-step"):
            few.append(_fresh("ours", small)["first_step_s"])
            ours = _fresh("ours", large)
            many.append(ours["first_step_s"])
            admission.append(ours["admission_s"])
            if number < rounds:  # TRL takes a minute and more: fewer rounds of it
                total = ours["first_step_s"] + ours["admission_s"]
                trl.append(_fresh("trl", large)["first_step_s"])
                ratio.append(trl[-1] / total)
    measured = {
        "sooner_than_trl": ratio,
        "s_100_rows": few,
        "s_100k_rows": many,
        "admission_s_100k_rows": admission,
    }
    return {
        "figures": {key: round(statistics.median(v), 3) for key, v in measured.items()},
        "spread": {key: [round(min(v), 3), round(max(v), 3)] for key, v in measured.items()},
        "runs": OURS_ROUNDS,
        "notes": [
            f"the large file: {ROWS_MANY} rows, {size_mb:.0f} MB; {STEP_ROWS} rows in the step",
            f"TRL took {statistics.median(trl):.0f} s, in {rounds} rounds of the {OURS_ROUNDS}",
        ],
        "meaning": {
            "sooner_than_trl": "TRL from file to first step, over ours with admission included",
            "s_100_rows": "seconds from admission to the first step, file of 100 rows",
            "s_100k_rows": "the same, file of 100,000 rows",
            "admission_s_100k_rows": "seconds of that file's admission",
        },
    }


def _fresh(side: str, file: Path) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", "-m", "regime3.bench.first_step"]
    threads = os.environ.get("OMP_NUM_THREADS", str(min(2, os.cpu_count() or 1)))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [*command, "--side", side, "--file", str(file)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=RUN_S_MAX,
    )
    if done.returncode != 0:
        raise RuntimeError(f"the {side} run failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="regime3.bench.first_step", description=__doc__)
    parser.add_argument("--side", choices=("ours", "trl"), required=True)
    parser.add_argument("--file", type=Path, required=True)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(json.dumps({"ours": run_ours, "trl": run_trl}[given.side](given.file)))


if __name__ == "__main__":
    main()
