"""The judge between equal models whose answers are drawn: how often does it promote?

    python -m tests.judge.null [--verdicts 2000] [--live 20] [--pool FILE]

A node serves the nano model and draws 16 answers to each of 1,000 held-out problems (kept in FILE,
if named). Every resampled verdict sees fresh draws of that pool in a fresh order: two answers of a
problem, as champion and challenger would have given them. The live ones are the judge's own, of
checkpoints whose weights differ only below bf16, so that the node serves the same model twice.

Prints one JSON object. Exits 1 if promotions exceed the stated rate by more than three sigma.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import sys
import tempfile
from collections import Counter
from math import sqrt
from pathlib import Path

from regime3 import config
from regime3.client import Client
from regime3.clock import SystemClock
from regime3.config import Judge as Settings
from regime3.genesis import NANO_SETTINGS, found_lab
from regime3.judge import ledger
from regime3.judge.case import trial_of
from regime3.judge.judge import Judge
from regime3.judge.problems import cells_of, fresh_rows
from regime3.lang import codebook
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.score.sequential import Rates, Trial
from tests.judge.test_judge import seal_with
from tests.node.nodes import running_node

PROBLEMS, SAMPLES = 1000, 16
POOL_FROM = 900_000
"""First index of the pool's problems: no judge comes so far."""
BELOW_BF16 = 1e-7
"""Noise that changes a checkpoint's fp32 weights and nothing that is served."""
Pool = list[tuple[str, list[bool]]]
"""A problem's family, and whether each answer to it is right, step by step."""


def drawn_pool(lab: Lab, client: Client, settings: Settings) -> Pool:
    """Answers of the champion at temperature 1."""
    cells = cells_of(lab, settings)
    rounds = -(-PROBLEMS // len(cells))
    rows = fresh_rows(cells, POOL_FROM, rounds, settings.regime, codebook.shipped())[:PROBLEMS]
    found: list[list[bool]] = [[] for _ in rows]
    for seed in range(SAMPLES):
        order = {"model": "champion", "rows": rows, "max_examples": PROBLEMS, "temperature": 1.0}
        job = client.evaluate({**order, "seed": seed, "metrics": ["exact_match", "steps"]})
        *_, ended = client.wait(job["id"])
        assert ended["state"] == "done" and not ended["missed"], ended
        for each in client.examples(job["id"]):
            found[int(each["item"])].append(bool(each["result"]["valid"]))
        tell(f"{seed + 1} of {SAMPLES} answers to each problem")
    return [(str(row["family"]), right) for row, right in zip(rows, found, strict=True)]


def resampled(pool: Pool, verdicts: int, settings: Settings, seed: int = 0) -> Counter[str]:
    """What so many verdicts between equals say."""
    rates = Rates(settings.p1, settings.alpha, settings.beta, settings.differing_max)
    said: Counter[str] = Counter()
    for number in range(verdicts):
        rng = random.Random(f"null|{seed}|{number}")
        pairs: list[tuple[str, bool, bool]] = []
        while len(pairs) < settings.problems_max:
            for family, right in rng.sample(pool, len(pool)):
                first, second = rng.sample(right, 2)
                pairs.append((family, first, second))
        pairs = pairs[: settings.problems_max]
        trial, count = Trial(rates), 0
        while not trial.decided and count < len(pairs):
            trial.add(*pairs[count][1:])
            count += 1
        asked = pairs[: -(-count // settings.batch) * settings.batch]
        names = {family for family, _, _ in asked}
        vetoed = any(trial_of(asked, rates, name).outcome == "worse" for name in names)
        said["vetoed" if trial.outcome == "better" and vetoed else trial.outcome] += 1
    return said


def live(lab: Lab, client: Client, verdicts: int) -> Counter[str]:
    """Verdicts of the judge itself, on answers drawn at temperature 1, about level 1: where more is
    solved, more pairs differ, and a verdict takes fewer problems."""
    loaded = config.load(lab.settings_file).settings
    settings = dataclasses.replace(
        loaded,
        judge=dataclasses.replace(loaded.judge, temperature=1.0, levels=1, fixed_per_cell=0),
        evolution=dataclasses.replace(loaded.evolution, on=False),
    )
    judge = Judge(lab, settings, client, SystemClock(), tell)
    while ledger.standing_of(lab).verdicts <= verdicts:
        before = ledger.standing_of(lab)
        if before.due is None and before.verdicts:
            seal_with(lab, BELOW_BF16, seed=before.verdicts)
        while ledger.standing_of(lab).verdicts == before.verdicts:
            judge.clock.sleep(min(0.2, judge.turn()))
        while ledger.standing_of(lab).due is not None:
            judge.turn()
    return Counter(str(each.word) for each in ledger.verdicts(lab)[1:])


def tell(text: str) -> None:
    """Progress, a line each."""
    print(f"null: {text}", file=sys.stderr, flush=True)


def main() -> int:
    """The figures; the exit code."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--verdicts", type=int, default=2000)
    given.add_argument("--live", type=int, default=20)
    given.add_argument("--pool", type=Path, help="drawn answers; made if it is not there")
    asked = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder) / "lab")
        found_lab(lab.root, build_nano, NANO_SETTINGS, "nano")
        settings = config.load(lab.settings_file).settings.judge
        with (
            running_node(lab, slots=96, slots_reserved=4, device="cpu") as node,
            node.client() as client,
        ):
            told = live(lab, client, asked.live) if asked.live else Counter()
            pool = _pool(asked.pool, lab, client, settings)
    said = resampled(pool, asked.verdicts, settings)
    figures = {
        "alpha": settings.alpha,
        "solved_percent": round(100 * sum(map(sum, (right for _, right in pool)))
                                / sum(len(right) for _, right in pool), 2),
        "resampled": dict(said),
        "false_promotions_percent": round(100 * said["better"] / asked.verdicts, 3),
        "before_veto_percent": round(100 * (said["better"] + said["vetoed"]) / asked.verdicts, 3),
        "bound_percent": round(100 * bound(settings.alpha, asked.verdicts), 3),
        "live": dict(told),
    }  # fmt: skip
    print(json.dumps(figures))
    over = said["better"] + said["vetoed"] > asked.verdicts * bound(settings.alpha, asked.verdicts)
    many = asked.live and told["promote"] > asked.live * bound(settings.alpha, asked.live)
    return 1 if over or many else 0


def _pool(path: Path | None, lab: Lab, client: Client, settings: Settings) -> Pool:
    if path is not None and path.exists():
        return [(family, right) for family, right in json.loads(path.read_text())]
    if not ledger.verdicts(lab):  # nobody is champion yet
        live(lab, client, 0)
    pool = drawn_pool(lab, client, settings)
    if path is not None:
        path.write_text(json.dumps(pool), encoding="utf-8")
    return pool


def bound(alpha: float, verdicts: int) -> float:
    """The stated rate and three sigma of its count."""
    return alpha + 3 * sqrt(alpha * (1 - alpha) / max(1, verdicts))


if __name__ == "__main__":
    sys.exit(main())
