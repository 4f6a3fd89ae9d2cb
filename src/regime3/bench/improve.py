"""`r3 bench improve`: does the lab, left alone, get better at what it could hardly do?

    python -m regime3.bench.improve --lab FOLDER --minutes 60 --seed 0

A lab is founded on the shipped nano model and `r3 up` runs in it for so long: trainer, node, forge
and judge on this machine, one thread each. Oracles write rows of levels 1 to `START` alone; what
is above is only ever attempted. Before and after, with nothing else running, the first champion and
the last answer the same held-out problems, which nobody has asked meanwhile: the frontier is level
`START` of every family, and a wider set covers levels 1 to `WIDE` of each. Greedy, regime 3.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from regime3 import disk, tasks
from regime3.bench.door import START_S_MAX, address_of
from regime3.client import Client
from regime3.errors import Unavailable
from regime3.genesis import NANO_SETTINGS, found_lab
from regime3.judge import ledger
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.tasks.rows import row

START: Final = 2
WIDE: Final = 3
MINUTES_QUICK, MINUTES_FULL = 3.0, 60.0
FRONTIER_PROBLEMS, FAMILY_PROBLEMS = 600, 2000
QUICK_SHARE: Final = 0.1
"""Of those problems, in a quick run."""
ASKED_FROM: Final = 5_000
"""First index of our problems: the judge's fixed set ends below, its fresh ones begin above."""
ROWS_MAX: Final = 1000
STOP_S_MAX: Final = 240.0
POLL_S: Final = 1.0
Z95: Final = 1.96
SETTINGS: Final[dict[str, Any]] = {
    "model.max_length": 512,
    "train.learning_rate": 1e-3,
    "train.window_tokens": 2048,
    "checkpoint.save_steps": 300,
    "checkpoint.snapshot_at": "",
    "validation.rows_max": 0,
    "web.port": 0,
    "node.port": 0,
    "node.slots": 96,
    "node.slots_reserved": 4,
    "node.device": "cpu",
    # The shipped model is past the transition: it is taught in codes.
    "forge.schedule": "pure",
    "forge.level_first": START,
    "forge.oracle_level_max": START,
    "forge.shard_rows": 3000,
    "forge.queue_rows_min": 4500,
    "forge.oracle_share": 0.5,
    "forge.replay_share": 0.15,
    "forge.shrink_min": 1.0,
    "judge.problems_max": 1200,
    "judge.fixed_per_cell": 25,
    "judge.full_hours": 0.05,
}
MEANING: Final = {
    "gain_points": "exact match on the frontier, last champion less first, points; 20 wanted",
    "promotions": "by the judge; 2 wanted",
    "worst_family_points": "the least gain of a family over levels 1 to 3, points",
    "worst_family_upper": "upper end of that one's 95 % interval; above -2 wanted",
    "tokens_per_solved_ratio": "tokens for each frontier problem solved, after over before; 1 or less",
    "minutes": "of the loop",
    "trainer_idle_percent": "of samples in which the trainer waited for data, after warm-up",
    "frontier_before": "exact match, percent",
    "frontier_after": "exact match, percent",
    "families": "per family: percent before and after, gain and its 95 % interval, points",
    "cells": "per family and level: percent before and after",
    "verdicts": "of the judge, in order: checkpoint, step, word",
}


def run(quick: bool) -> dict[str, Any]:
    """One seed; the dict is what `regime3.bench` publishes."""
    minutes = MINUTES_QUICK if quick else MINUTES_FULL
    with tempfile.TemporaryDirectory(prefix="regime3-bench-") as folder:
        figures = measure(Path(folder) / "lab", minutes, 0, QUICK_SHARE if quick else 1.0)
    return {
        "figures": figures,
        "spread": {},
        "runs": 1,
        "notes": ["one seed; --seed N of python -m regime3.bench.improve runs others"],
        "meaning": MEANING,
    }


def measure(root: Path, minutes: float, seed: int, share: float) -> dict[str, Any]:
    """Found the lab, let it run, compare its last champion with its first."""
    from regime3.model.nano import build_nano

    lab = Lab(root.absolute())
    found_lab(lab.root, build_nano, {**NANO_SETTINGS, **SETTINGS, "train.seed": seed}, "nano")
    waits = _loop(lab, minutes)
    found = ledger.verdicts(lab)
    if not found:
        raise Unavailable("the judge said nothing; see the lab's logs", f"r3 doctor --lab {root}")
    first, last = found[0].model, found[-1].champion_model
    asked = _questions(share)
    with _role(lab, "node"), _client(lab) as client:
        before, after = (_answers(client, model, asked) for model in (first, last))
    figures = _figures(before, after) | {
        "promotions": sum(each.word == "promote" for each in found),
        "minutes": minutes,
        "trainer_idle_percent": round(100 * sum(waits) / len(waits), 1) if waits else None,
        "verdicts": [f"{each.seal} at {each.step}: {each.word}" for each in found],
    }
    disk.write_json(lab.root / "improve.json", {"figures": figures, "seed": seed})
    return figures


# ------------------------------------------------------------------------------------ the loop


def _loop(lab: Lab, minutes: float) -> list[bool]:
    """`r3 up` for so long; for each second after the first seal, whether the trainer waited."""
    waits: list[bool] = []
    with _role(lab, "up") as process:
        deadline = time.monotonic() + 60 * minutes
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise Unavailable(f"r3 up ended with {process.returncode}", "r3 doctor")
            time.sleep(POLL_S)
            with contextlib.suppress(OSError, ValueError):  # not written yet
                status = json.loads(lab.status_file.read_bytes())
                if status["head_seal"] > 1:
                    waits.append(status["state"] == "waiting")
            _tell(lab, minutes - (deadline - time.monotonic()) / 60)
    return waits


_told = 0


def _tell(lab: Lab, minute: float) -> None:
    """A line for each verdict."""
    global _told
    found = ledger.verdicts(lab)
    for each in found[_told:]:
        text = f"improve: minute {minute:.0f}: checkpoint {each.seal}: {each.word} ({each.reason})"
        print(text, file=sys.stderr, flush=True)
    _told = len(found)


@contextlib.contextmanager
def _role(lab: Lab, role: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours in the lab; its words go to the lab's logs."""
    disk.make_folder(lab.logs)
    with open(lab.log_file(f"bench-{role}"), "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "regime3", role, "--lab", str(lab.root)],
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _client(lab: Lab) -> Client:
    """The lab's node, once it is ready."""
    return Client(address_of(lab, START_S_MAX))


# --------------------------------------------------------------------------------- the answers


def _questions(share: float) -> list[dict[str, Any]]:
    """Held-out rows: a frontier problem is one of level START, and stands among its family's."""
    book = codebook.shipped()
    frontier = round(share * FRONTIER_PROBLEMS / len(tasks.FAMILIES))
    others = round(share * FAMILY_PROBLEMS) - frontier
    levels = [level for level in range(1, WIDE + 1) if level != START]
    return [
        row(tasks.sample(family, level, "heldout", ASKED_FROM + index), 3, book)
        for family in tasks.FAMILIES
        for level in range(1, WIDE + 1)
        for index in range(frontier if level == START else others // len(levels))
    ]


def _answers(client: Client, model: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model makes of them, in their order."""
    client.call("PUT", "/models/aliases/challenger", {"id": model})
    found: list[dict[str, Any]] = []
    for start in range(0, len(asked), ROWS_MAX):
        rows = asked[start : start + ROWS_MAX]
        order = {"model": model, "rows": rows, "max_examples": ROWS_MAX}
        job = client.evaluate({**order, "metrics": ["exact_match", "steps"]})
        *_, ended = client.wait(job["id"])
        if ended["state"] != "done" or ended["missed"]:
            raise Unavailable(f"an evaluation is not whole: {ended['error'] or ended['missed']}")
        results = sorted(client.examples(job["id"]), key=lambda each: int(each["item"]))
        found += [each["result"] for each in results]
        print(f"improve: {model} answered {len(found)} of {len(asked)}", file=sys.stderr)
    return found


def _figures(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, Any]:
    """Gains on the frontier and inside each family, on the same problems."""
    pairs = list(zip(before, after, strict=True))
    frontier = [pair for pair in pairs if pair[0]["level"] == START]
    families = {
        name: _gain([pair for pair in pairs if pair[0]["family"] == name])
        for name in tasks.FAMILIES
    }
    worst = min(families, key=lambda name: families[name]["gain"])
    whole = _gain(frontier)
    costs = [_cost([pair[side] for pair in frontier]) for side in (0, 1)]
    ratio = costs[1] / costs[0] if costs[0] and costs[1] else None
    return {
        "gain_points": whole["gain"],
        "gain_interval": whole["interval"],
        "frontier_before": whole["before"],
        "frontier_after": whole["after"],
        "worst_family_points": families[worst]["gain"],
        "worst_family_upper": families[worst]["interval"][1],
        "tokens_per_solved_ratio": None if ratio is None else round(ratio, 3),
        "families": families,
        "cells": _cells(pairs),
    }


def _gain(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """Percent before and after, and the gain in points with its 95 % interval, paired."""
    ones = [int(b["valid"]) - int(a["valid"]) for a, b in pairs]
    mean = sum(ones) / len(ones)
    spread = math.sqrt(max(0.0, sum(each * each for each in ones) / len(ones) - mean * mean))
    half = Z95 * spread / math.sqrt(len(ones))
    return {
        "problems": len(pairs),
        "before": _percent(a for a, _ in pairs),
        "after": _percent(b for _, b in pairs),
        "gain": round(100 * mean, 1),
        "interval": [round(100 * (mean - half), 1), round(100 * (mean + half), 1)],
    }


def _percent(logs: Iterator[dict[str, Any]]) -> float:
    rights = [bool(each["valid"]) for each in logs]
    return round(100 * sum(rights) / len(rights), 1)


def _cost(logs: list[dict[str, Any]]) -> float | None:
    """Tokens for each problem solved; None when none is."""
    solved = sum(bool(each["valid"]) for each in logs)
    return sum(int(each["tokens"]) for each in logs) / solved if solved else None


def _cells(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, list[float]]:
    found: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for pair in pairs:
        found.setdefault(f"{pair[0]['family']}:{pair[0]['level']}", []).append(pair)
    return {
        name: [_percent(a for a, _ in own), _percent(b for _, b in own)]
        for name, own in sorted(found.items())
    }


def _main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--lab", type=Path, required=True)
    given.add_argument("--minutes", type=float, default=MINUTES_FULL)
    given.add_argument("--seed", type=int, default=0)
    given.add_argument("--share", type=float, default=1.0, help="of the problems asked")
    asked = given.parse_args()
    print(json.dumps(measure(asked.lab, asked.minutes, asked.seed, asked.share), indent=1))


if __name__ == "__main__":
    _main()
