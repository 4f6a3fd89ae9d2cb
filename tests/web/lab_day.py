"""A lab whose page of verdicts, answers and codes is full: written by the lab's own code."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from regime3 import tasks
from regime3.forge import shard
from regime3.judge import ledger
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.records.messages import LayerReading
from regime3.records.probe import ProbeAnswer, ProbeSheet
from regime3.records.verdict import Verdict
from regime3.status.layers import LayerLog
from regime3.tasks.rows import row
from regime3.tasks.verdict import judge_row
from tests.web.labs import HOSTILE, loop_day

PROBES = ("entailment:1:8000:3", "lists:2:8000:3", "numbers:1:8000:3")
SEALS = ((1, 0, 0), (4, 600, 1), (7, 1200, 1), (9, 1800, 3))
"""Seal, step and how many of the probes it solves."""


def answered(name: str, solved: bool) -> ProbeAnswer:
    """The oracle's answer to a probe, or the first answer to a later problem that is wrong here."""
    family, level, index, regime = name.split(":")
    book = codebook.shipped()

    def asked(more: int) -> dict[str, Any]:
        sample = tasks.sample(family, int(level), "heldout", int(index) + more)
        return row(sample, int(regime), book)

    question = asked(0)["messages"][:-1]
    for more in range(0 if solved else 1, 20):
        told = {**asked(0), "messages": [*question, asked(more)["messages"][-1]]}
        verdict = judge_row(told, book)
        if verdict.valid == solved:
            break
    last = told["messages"][-1]
    thought = last.get("reasoning_content") or ""
    return ProbeAnswer(
        name, verdict.valid, verdict.right, verdict.steps, 1.0 if solved else 0.0, 9, thought,
        last["content"], None if solved else 1, "" if solved else f"expected 7; found {HOSTILE}",
        f"(step {name.partition(':')[0]})\n(qed {'yes' if solved else HOSTILE})",
    )  # fmt: skip


def lab_day(lab: Lab) -> None:
    """Six verdicts, the last with all it rests on; four checkpoints that answered three probes."""
    loop_day(lab)
    for old in lab.evolution.iterdir():
        old.unlink()
    now = time.time()
    log = LayerLog(lab, 1.0)
    for step in (100, 200, 300):
        log.append(step, now, LayerReading([step / 1000, 0.05], [0.998, 0.875]))
    for seal, step, solved in SEALS:
        sheet = ProbeSheet(seal, step, f"checkpoint-{seal:08}-0123abcd", now - 3600 + step, 3)
        lines = [sheet] + [answered(name, at < solved) for at, name in enumerate(PROBES)]
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        lab.evolution_file(seal).write_bytes(data)
    trial = {"outcome": "better", "pairs": 480, "wins": 60, "losses": 32}
    group = {
        "family": "lists", "level": 2, "regime": 3, "answers": 25, "exact_match": 0.24,
        "solved": 0.2, "steps_valid": 0.31, "cross_entropy": 0.39, "calibration_error": 0.05,
        "tokens": 14.0,
    }  # fmt: skip
    ledger.append(
        lab,
        Verdict(
            6, now - 60, "promote", 13, 3000, "nano-13", 13, "nano-13", 4, "nano-4",
            reason="60 won, 32 lost of 480: better than the champion", against=4,
            problems=[9000, 9079], overall=trial,
            families={"lists": trial, "numbers": {**trial, "wins": 3, "losses": 30}},
            vetoes=["numbers"], best_test=trial, fixed={"groups": [group]}, seconds=62.9,
        ),
    )  # fmt: skip
    shard.note(
        lab,
        {"shard": 6, "at": now, "rows": 400, "file": "forge-000006.jsonl", "kinds": {"oracle": 400},
         "levels": {}, "dropped": {}, "tokens": 9, "seconds": 1.0, "note": None,
         "places": {"lists:2": 300, "numbers:1": 100}},
    )  # fmt: skip
