"""A third of the rows is wrong and admission is told not to look: does the lab get worse?

    python -m tests.judge.poisoned [--lab FOLDER] [--seeds 3]

A nano lab runs `r3 up` with a judge and no forge. Its files claim to be the forge's; two rows of
three are right, each third has the body of another problem of its family. `queue.check_problems` is
off, so that nothing stands between them and the trainer. When `SEALS` checkpoints have been
judged the run ends, and first and last champion answer the same 1,200 held-out problems.

Prints one JSON object a seed. Exits 1 if a champion tests worse than the first, or if the
poisoned checkpoints were all promoted.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from regime3 import tasks
from regime3.bench import improve
from regime3.clock import SystemClock
from regime3.demo import founded
from regime3.forge import shard
from regime3.judge import ledger
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.tasks.draw import Draw
from regime3.tasks.rows import row
from regime3.vault import Vault

SEALS = 3
LEVELS = (1, 2)
FILES, ROWS = 4, 4000
WRONG_EACH = 3
ASKED = 100
"""Problems of each family and level in the end."""
RUN_S_MAX = 1500.0
SETTINGS: dict[str, Any] = {
    **improve.SETTINGS,
    "forge.on": False,
    "queue.check_problems": False,
    "checkpoint.save_steps": 150,
    "judge.fixed_per_cell": 0,
    "evolution.on": False,
}


def poison(lab: Lab, seed: int) -> None:
    """Files as the forge drops them, a third of them wrong."""
    book, families = codebook.shipped(), list(tasks.FAMILIES)
    for number in range(1, FILES + 1):
        draw = Draw(f"poisoned|{seed}|{number}")
        rows = []
        for index in range(ROWS):
            family, level = draw.choice(families), draw.choice(LEVELS)
            at = (seed * FILES + number) * ROWS + index
            good = row(tasks.sample(family, level, "train", at), 3, book)
            if index % WRONG_EACH == 0:
                other = row(tasks.sample(family, level, "train", at + 10**7), 3, book)
                good["messages"][-1] = other["messages"][-1]
            rows.append(good)
        shard.stage(lab, number, rows, [])
        shard.drop(lab, number, "normal", 1, {"shard": number, "poisoned": True})


def run(root: Path, seed: int) -> dict[str, Any]:
    """One lab's life."""
    lab = founded(root, improve.tell, {**SETTINGS, "train.seed": seed})
    poison(lab, seed)
    with improve.running(lab, "up") as process:
        deadline = time.monotonic() + RUN_S_MAX
        while len(ledger.verdicts(lab)) <= SEALS and time.monotonic() < deadline:
            assert process.poll() is None, f"r3 up ended with {process.returncode}"
            time.sleep(1.0)
    found = ledger.verdicts(lab)
    first, last = found[0].model, found[-1].champion_model
    asked = [
        row(tasks.sample(family, level, "heldout", improve.ASKED_FROM + at), 3, codebook.shipped())
        for family in tasks.FAMILIES
        for level in LEVELS
        for at in range(ASKED)
    ]
    with improve.running(lab, "node"), improve.client_of(lab) as client:
        before, after = (improve.answers(client, model, asked) for model in (first, last))
    head = Vault(lab, SystemClock()).head()
    return {
        "seed": seed,
        "verdicts": [f"{each.seal} at {each.step}: {each.word}, {each.reason}" for each in found],
        "refused": sum(each.word in ("hold", "worse", "rollback") for each in found),
        "rolled_back": head.manifest.rolled_back_from is not None,
        "champion": improve.gain(list(zip(before, after, strict=True))),
    }


def main() -> int:
    """Each seed's figures; the exit code."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--lab", type=Path, help="kept; default: a folder that is removed")
    given.add_argument("--seeds", type=int, default=1)
    asked, bad = given.parse_args(), 0
    for seed in range(asked.seeds):
        with tempfile.TemporaryDirectory() as folder:
            root = (asked.lab or Path(folder) / "lab").absolute()
            told = run(root.with_name(f"{root.name}-{seed}") if asked.lab else root, seed)
        print(json.dumps(told), flush=True)
        bad += not told["refused"] or told["champion"]["interval"][1] < 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
