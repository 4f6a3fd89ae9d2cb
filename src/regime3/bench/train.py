"""`r3 bench train`: supervised tokens per second beside plain HF Trainer and TRL's SFTTrainer.

Length-skewed chat examples (log-normal, up to 1,536 tokens), already tokenised for everyone; the
same nano model in fp32 on the CPU, the same AdamW, the same number of rows per optimizer step,
every row once. Each side runs in a fresh process with the same number of threads, interleaved.

Plain Trainer: random order, `DataCollatorForSeq2Seq`, 8 rows a micro-batch (its default), the
rest by accumulation. TRL: unpacked, length-grouped, loss on completions, no activation
checkpointing, fp32. `--full` gives both peers their best of several micro-batches first.

    python -m regime3.bench.train --side ours --rows 256 --window 32    # one run, by hand

It measures speed alone: no sealing, no validation, no queue.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from regime3.bench import telling
from regime3.errors import Unavailable
from regime3.records.rows import Example, RowRef, Window

LENGTH_MAX = 1536
LENGTH_MIN = 12
LENGTH_LOG_MEAN = 4.8
LENGTH_LOG_SIGMA = 1.0
VOCABULARY_FIRST, VOCABULARY_LAST = 10, 1200
SIDES = ("ours", "hf", "trl")
DEFAULT_MICRO_BATCH = {"hf": 8, "trl": 8}
CANDIDATE_MICRO_BATCHES = (2, 4, 8, 16)
RUN_S_MAX = 900
LEARNING_RATE = 2e-5


def examples(count: int) -> list[Example]:
    """Keyed examples: log-normal lengths, completions of a fifth to four fifths."""
    key = hashlib.sha256(b"bench|train").digest()
    draw = random.Random(key)
    made = []
    for _ in range(count):
        length = int(draw.lognormvariate(LENGTH_LOG_MEAN, LENGTH_LOG_SIGMA))
        length = max(LENGTH_MIN, min(LENGTH_MAX, length))
        prompt = max(1, int(length * draw.uniform(0.2, 0.8)))
        ids = [draw.randrange(VOCABULARY_FIRST, VOCABULARY_LAST) for _ in range(length)]
        made.append(Example(ids, prompt))
    return made


# ---------------------------------------------------------------------- one run of one side


class _OurHooks:
    """Windows from a list, nothing else."""

    def __init__(self, windows: list[Window]) -> None:
        self.windows = iter(windows)
        self.padded = self.tokens = 0

    def next_window(self) -> Window | None:
        return next(self.windows, None)

    def before_slice(self, rows: list[RowRef]) -> None:
        pass

    def row_given_up(self, row: RowRef, reason: str) -> None:
        raise RuntimeError(reason)

    def window_done(self, window: Window, result: Any) -> None:
        self.padded += result.padded_tokens
        self.tokens += result.tokens

    def report(self, report: Any) -> None:
        pass


def run_ours(rows: list[Example], window: int, model: Any, _micro_batch: int) -> dict[str, float]:
    from regime3.config import load
    from regime3.train.trainer import build_trainer

    refs = [RowRef("bench", n, n + 1, [example]) for n, example in enumerate(rows)]
    windows = [Window(refs[at : at + window]) for at in range(0, len(refs), window)]
    flags = {"train.learning_rate": LEARNING_RATE, "train.device": "cpu"}
    hooks = _OurHooks(windows)
    trainer = build_trainer(
        model, None, load(None, environment={}, flags=flags).settings, hooks=hooks
    )
    started = time.monotonic()
    trainer.run()
    seconds = time.monotonic() - started
    return {"seconds": seconds, "padding_percent": 100 * (1 - hooks.tokens / hooks.padded)}


def _common(window: int, micro_batch: int) -> dict[str, Any]:
    """Options that every peer gets: the same optimizer, nothing written or logged."""
    return {
        "output_dir": tempfile.mkdtemp(),
        "num_train_epochs": 1,
        "per_device_train_batch_size": micro_batch,
        "gradient_accumulation_steps": max(1, window // micro_batch),
        "learning_rate": LEARNING_RATE,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": 20,
        "adam_beta2": 0.95,
        "optim": "adamw_torch_fused",
        "use_cpu": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def run_hf(rows: list[Example], window: int, model: Any, micro_batch: int) -> dict[str, float]:
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq, Trainer, TrainingArguments

    items = [
        {
            "input_ids": row.input_ids,
            "attention_mask": [1] * row.length,
            "labels": [-100] * row.prompt_length + row.input_ids[row.prompt_length :],
        }
        for row in rows
    ]
    collator = DataCollatorForSeq2Seq(_tokenizer())
    trainer = Trainer(
        model=model,
        args=TrainingArguments(**_common(window, micro_batch)),
        train_dataset=Dataset.from_list(items),
        data_collator=collator,
    )
    started = time.monotonic()
    trainer.train()
    return {"seconds": time.monotonic() - started}


def run_trl(rows: list[Example], window: int, model: Any, micro_batch: int) -> dict[str, float]:
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    items = [
        {
            "input_ids": row.input_ids,
            "completion_mask": [0] * row.prompt_length + [1] * (row.length - row.prompt_length),
        }
        for row in rows
    ]
    options = SFTConfig(
        **_common(window, micro_batch),
        bf16=False,
        max_length=LENGTH_MAX,
        packing=False,
        completion_only_loss=True,
        gradient_checkpointing=False,
        train_sampling_strategy="group_by_length",
    )
    trainer = SFTTrainer(
        model=model,
        args=options,
        train_dataset=Dataset.from_list(items),
        processing_class=_tokenizer(),
    )
    started = time.monotonic()
    trainer.train()
    return {"seconds": time.monotonic() - started}


def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(_nano_folder())


_NANO: list[Path] = []


def _nano_folder() -> Path:
    from regime3.model.nano import build_nano

    if not _NANO:
        _NANO.append(Path(tempfile.mkdtemp()) / "nano")
        build_nano(_NANO[0])
    return _NANO[0]


def one_run(side: str, count: int, window: int, micro_batch: int, threads: int) -> dict[str, Any]:
    """Train `count` rows once on one side, in this process."""
    import torch
    from transformers import Qwen3ForCausalLM
    from transformers.utils import logging

    torch.set_num_threads(threads)
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    rows = examples(count)
    model = Qwen3ForCausalLM.from_pretrained(_nano_folder(), dtype=torch.float32)
    warm = torch.tensor([rows[0].input_ids[:64]])
    model(input_ids=warm, labels=warm).loss.backward()
    model.zero_grad(set_to_none=True)
    work = {"ours": run_ours, "hf": run_hf, "trl": run_trl}[side]
    result: dict[str, Any] = work(rows, window, model, micro_batch)
    supervised = sum(row.supervised for row in rows)
    return result | {"supervised_per_s": supervised / result["seconds"], "micro_batch": micro_batch}


# ---------------------------------------------------------------------- the comparison


def run(quick: bool) -> dict[str, Any]:
    """Interleaved rounds of the three sides; see `docs/benchmarks.md` for the contract."""
    _require_peers()
    threads = int(os.environ.get("OMP_NUM_THREADS", "0")) or min(2, os.cpu_count() or 1)
    rows, window, rounds = (160, 32, 3) if quick else (3200, 64, 5)
    micro = dict(DEFAULT_MICRO_BATCH)
    if not quick:
        micro = {side: _best_micro_batch(side, window, threads) for side in micro}
    speeds: dict[str, list[float]] = {side: [] for side in SIDES}
    padding = 0.0
    for _ in telling.rounds(rounds, "train"):
        for side in SIDES:
            found = _fresh(side, rows, window, micro.get(side, 0), threads)
            speeds[side].append(found["supervised_per_s"])
            padding = found.get("padding_percent", padding)
    return _summary(speeds, padding, micro, rows, window, threads)


def _require_peers() -> None:
    from importlib.util import find_spec

    for package in ("trl", "datasets"):
        if find_spec(package) is None:
            raise Unavailable(
                f"{package} is not installed: extra `bench`", "pip install -e .[bench]"
            )


def _best_micro_batch(side: str, window: int, threads: int) -> int:
    """The peer's fastest split of the window, found on four windows."""
    speed = {
        size: _fresh(side, 4 * window, window, size, threads)["supervised_per_s"]
        for size in CANDIDATE_MICRO_BATCHES
    }
    return max(speed, key=lambda size: speed[size])


def _fresh(side: str, rows: int, window: int, micro_batch: int, threads: int) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "regime3.bench.train", "--side", side]
    command += ["--rows", str(rows), "--window", str(window)]
    command += ["--micro-batch", str(micro_batch), "--threads", str(threads)]
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=RUN_S_MAX
    )
    if done.returncode != 0:
        raise RuntimeError(f"the {side} run failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def _summary(
    speeds: dict[str, list[float]],
    padding: float,
    micro: dict[str, int],
    rows: int,
    window: int,
    threads: int,
) -> dict[str, Any]:
    ratios = {
        f"vs_{name}": [a / b for a, b in zip(speeds["ours"], speeds[side], strict=True)]
        for name, side in (("hf_trainer", "hf"), ("trl", "trl"))
    }
    measured = ratios | {"supervised_tokens_per_s": speeds["ours"]}
    figures = {name: round(statistics.median(values), 3) for name, values in measured.items()}
    spread = {name: [round(min(v), 3), round(max(v), 3)] for name, v in measured.items()}
    return {
        "figures": figures | {"padding_percent": round(padding, 2)},
        "spread": spread,
        "runs": len(speeds["ours"]),
        "notes": [
            f"{rows} rows, {window} rows a step, {threads} threads, fp32 on the CPU, nano model",
            f"micro-batches: Trainer {micro['hf']}, TRL {micro['trl']} rows",
            "supervised tokens per second: "
            + ", ".join(f"{side} {statistics.median(v):.0f}" for side, v in speeds.items()),
        ],
        "meaning": {
            "vs_hf_trainer": "our supervised tokens per second over plain HF Trainer's",
            "vs_trl": "the same over TRL SFTTrainer, unpacked and length-grouped",
            "supervised_tokens_per_s": "tokens that carry loss, per second, ours",
            "padding_percent": "share of what we computed that was padding",
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="regime3.bench.train", description=__doc__)
    parser.add_argument("--side", choices=SIDES, required=True)
    parser.add_argument("--rows", type=int, default=384)
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--micro-batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    print(
        json.dumps(one_run(given.side, given.rows, given.window, given.micro_batch, given.threads))
    )


if __name__ == "__main__":
    main()
