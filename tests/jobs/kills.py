"""Kills a running runner with -9, over and over, and looks what came of its jobs.

    python -m tests.jobs.kills --kills 60 [--seed 0] [--json]

A process of its own, because it forks. Every life goes on with the same lab and dies at a random
moment, or at a random write of the output (before it, after it, half-way through it); in the end
one is let live. The lab must then be what an undisturbed run of the same jobs leaves: every item
once, shards and manifests byte for byte. Prints each broken promise; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from regime3 import disk
from regime3.config import Settings
from regime3.errors import NodeRefused
from regime3.jobs.office import Jobs
from regime3.jobs.orders import (
    ChatRow,
    CompareOrder,
    DataGenOrder,
    EvalOrder,
    FilterOrder,
    GenerateOrder,
    Order,
)
from regime3.jobs.record import State
from regime3.jobs.sets import drawn
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.records.wire import Generate
from tests.jobs.double import FakeEngine, models

FAULTS = ("kill-before", "kill-after", "half-write")
LIFE_S_MAX = 60.0
AWAY_SHARE = 0.05
"""Of requests that find the engine away."""


def orders() -> list[Order]:
    book = codebook.shipped()
    rows = [
        ChatRow.model_validate(drawn("numbers", 1, "train", n, 2, book).row | {"family": "numbers"})
        for n in range(20)
    ]
    rows[3].messages[-1].content = "(qed 12345)"
    return [
        EvalOrder(
            model="mixed", dataset_ref="tasks:arithmetic:1-2", regimes=[1, 3], max_examples=16
        ),
        DataGenOrder(
            model="mixed",
            family="arithmetic",
            levels=[1, 2],
            problems=30,
            distinct=True,
            priority=9,
        ),
        CompareOrder(
            first="mixed", second="right", dataset_ref="tasks:arithmetic:1-2", max_examples=12
        ),
        FilterOrder(rows=rows),
        GenerateOrder(model="garbage", prompt="hello", n=3),
    ]


def engine_that_wavers(seed: int) -> FakeEngine:
    """Answers after some milliseconds; now and then it is away."""
    draw = random.Random(seed)

    async def before(ask: Generate) -> None:
        await asyncio.sleep(draw.uniform(0.0, 0.012))
        if draw.random() < AWAY_SHARE:
            raise NodeRefused(503, "engine_restarted", "gone for a moment", retry_after_s=1.0)

    return FakeEngine(before=before)


async def make_jobs(lab: Lab) -> None:
    jobs = await Jobs.open(lab, Settings(), FakeEngine(), models())
    for order in orders():
        await jobs.create(order)
    await jobs.close()


async def work(lab: Lab, engine: FakeEngine) -> None:
    """Until no job is open."""
    jobs = await Jobs.open(lab, Settings(), engine, models(), requests=4, backoff_s=0.001)
    await jobs.start()
    while True:
        found = await jobs.recent(state=None, kind=None, before=None, limit=100)
        if all(job.ended_for_good for job in found):
            break
        await asyncio.sleep(0.003)
    await jobs.close()


def in_child(
    lab: Lab, seed: int, replies: dict[tuple[str, str], str], die: random.Random | None
) -> bool:
    """One life. False if it was killed."""
    child = os.fork()
    if child == 0:
        try:
            if die is not None and die.random() < 0.4:
                disk.faults.kind, disk.faults.at = die.choice(FAULTS), die.randint(1, 20)
                disk.faults.count = 0
            engine = engine_that_wavers(seed)
            engine.replies = replies
            asyncio.run(work(lab, engine))
            os._exit(0)
        finally:
            os._exit(3)
    deadline = time.monotonic() + (die.uniform(0.01, 0.15) if die else LIFE_S_MAX)
    while time.monotonic() < deadline:
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            break
        time.sleep(0.001)
    else:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert die is not None, "an undisturbed life took too long"
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"a life failed: {status}"
    return not os.WIFSIGNALED(status)


def broken_promises(lab: Lab, calm: Lab) -> list[str]:
    """How the lab differs from that of an undisturbed run."""
    found = []
    with sqlite3.connect(lab.node_jobs_file) as db:
        for job, state, total, done, error in db.execute(
            "SELECT id, state, total, done, error FROM jobs"
        ):
            counts = db.execute(
                "SELECT COUNT(*), COUNT(DISTINCT item) FROM items WHERE job = ?", (job,)
            ).fetchone()
            if state != State.DONE or (done, *counts) != (total, total, total):
                found.append(f"{job}: {state}, {done} of {total}, items {counts}, {error}")
    mine, theirs = contents(lab.node_jobs), contents(calm.node_jobs)
    found += [f"{name}: {'lost' if name in theirs else 'extra'}" for name in mine.keys() ^ theirs]
    found += [f"{name}: other bytes" for name in mine.keys() & theirs if mine[name] != theirs[name]]
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def story(
    root: Path, seed: int, kills: int, replies: dict[tuple[str, str], str]
) -> tuple[int, list[str]]:
    """Jobs made once, worked on undisturbed and, in a copy, through kills; kills done, faults."""
    die = random.Random(seed)
    first = root / f"{seed}"
    child = os.fork()
    if child == 0:
        asyncio.run(make_jobs(Lab(first / "killed")))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    shutil.copytree(first / "killed", first / "calm")
    lab, calm = Lab(first / "killed"), Lab(first / "calm")
    assert in_child(calm, seed, replies, None)
    done = 0
    while done < kills and not in_child(lab, seed * 1000 + done, replies, die):
        done += 1
    assert in_child(lab, seed, replies, None)
    return done, broken_promises(lab, calm)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    taught = FakeEngine().learn("arithmetic", [1, 2], "heldout", 8)
    replies = taught.learn("arithmetic", [1, 2], "train", 15).replies
    kills, stories, broken = 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        while kills < asked.kills:
            seed = asked.seed + stories
            done, found = story(Path(folder), seed, asked.kills - kills, replies)
            kills, stories = kills + done, stories + 1
            broken += [f"seed {seed}: {each}" for each in found]
    told = {"kills": kills, "stories": stories, "broken": broken}
    print(json.dumps(told) if asked.json else "\n".join([*broken, str(told)]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
