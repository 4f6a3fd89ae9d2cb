"""`r3 bench improve`: does the lab, left alone, get better at what it could hardly do?

    python -m regime3.bench.improve --lab FOLDER --minutes 60 --seed 0
    python -m regime3.bench.improve --lab FOLDER --until 60     # of a lab that has run already

A lab is founded as `r3 up --demo` founds one and `r3 up` runs in it for so long: trainer, node,
forge and judge on this machine, one thread each. Oracles write rows of levels 1 to `START` alone;
what is above is only ever attempted. Before and after, with nothing else running, the first
champion and the last answer the same held-out problems, which nobody has asked meanwhile: the
frontier is level `START` of every family, and a wider set covers levels 1 to `WIDE` of each.
Greedy, regime 3.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from regime3 import disk, report, tasks
from regime3.bench.door import START_S_MAX, address_of
from regime3.client import Client
from regime3.demo import founded
from regime3.errors import NodeRefused, Unavailable
from regime3.judge import ledger
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.roles import command_of, end_roles
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
POLL_S: Final = 1.0
Z95: Final = 1.96
SETTINGS: Final[dict[str, Any]] = {
    "validation.rows_max": 0,
    "web.port": 0,
    "node.port": 0,
    "node.device": "cpu",
    "forge.level_first": START,
    "forge.oracle_level_max": START,
    # The shipped model is past the transition: it is taught in codes, of which replay would make
    # no other rows than there are.
    "forge.schedule": "pure",
    "forge.replay_share": 0.0,
    "evolution.regimes": "3",
    "judge.fixed_per_cell": 25,
    "judge.full_hours": 0.05,
}
"""Where it differs from the lab of `r3 up --demo`."""
MEANING: Final = {
    "gain_points": "exact match on the frontier, last champion less first, points; 20 wanted",
    "promotions": "by the judge; 2 wanted",
    "worst_family_points": "the least gain of a family over levels 1 to 3, points",
    "worst_family_upper": "upper end of that one's 95 % interval; above -2 wanted",
    "tokens_per_solved_ratio": "tokens for a frontier problem solved, after over before; 1 at most",
    "minutes": "from the first verdict to the last",
    "trainer_idle_percent": "of the time outside optimizer steps: data awaited, seals, validation",
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
    lab = founded(root, tell, {**SETTINGS, "train.seed": seed})
    _loop(lab, minutes)
    return compare(lab, share)


def compare(lab: Lab, share: float, until: float = math.inf) -> dict[str, Any]:
    """Of a lab that ran: its champion `until` minutes after the first verdict, and its first."""
    found = ledger.verdicts(lab)
    if not found:
        raise Unavailable(
            "the judge said nothing; see the lab's logs", f"r3 doctor --lab {lab.root}"
        )
    found = [each for each in found if each.at - found[0].at <= 60 * until]
    first, last = found[0].model, found[-1].champion_model
    asked = _questions(share)
    with running(lab, "node"), client_of(lab) as client:
        for job in client.jobs()["data"]:  # what the run left open would take the models' places
            if job["state"] in ("queued", "running"):
                with contextlib.suppress(NodeRefused):  # it ended meanwhile
                    client.cancel(job["id"])
        before, after = (answers(client, model, asked) for model in (first, last))
    trained = report.view(lab)["training"]
    figures = _figures(before, after) | {
        "promotions": sum(each.word == "promote" for each in found),
        "minutes": round((found[-1].at - found[0].at) / 60, 1),
        "trainer_idle_percent": round(100 - trained["in_steps_percent"], 1),
        "verdicts": [f"{each.seal} at {each.step}: {each.word}" for each in found],
    }
    disk.write_json(lab.root / "improve.json", {"figures": figures})
    return figures


def tell(line: str) -> None:
    """Progress, a line at a time."""
    print(f"improve: {line}", file=sys.stderr, flush=True)


# ------------------------------------------------------------------------------------ the loop


def _loop(lab: Lab, minutes: float) -> None:
    """`r3 up` for so long, with a line for each verdict."""
    told = len(ledger.verdicts(lab))
    with running(lab, "up") as process:
        began = time.monotonic()
        while (minute := (time.monotonic() - began) / 60) < minutes:
            if process.poll() is not None:
                raise Unavailable(f"r3 up ended with {process.returncode}", "r3 doctor")
            time.sleep(POLL_S)
            for each in ledger.verdicts(lab)[told:]:
                tell(f"minute {minute:.0f}: checkpoint {each.seal}: {each.word} ({each.reason})")
                told += 1


@contextlib.contextmanager
def running(lab: Lab, role: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command of ours in the lab; its words go to the lab's logs."""
    disk.make_folder(lab.logs)
    with open(lab.log_file(f"bench-{role}"), "ab") as log:
        process = subprocess.Popen(
            command_of(role, lab, {}),
            stdout=log,
            stderr=log,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end_roles({role: process})


def client_of(lab: Lab) -> Client:
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


def answers(client: Client, model: str, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
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
        tell(f"{model} answered {len(found)} of {len(asked)}")
    return found


def _figures(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> dict[str, Any]:
    """Gains on the frontier and inside each family, on the same problems."""
    pairs = list(zip(before, after, strict=True))
    frontier = [pair for pair in pairs if pair[0]["level"] == START]
    families = {
        name: gain([pair for pair in pairs if pair[0]["family"] == name]) for name in tasks.FAMILIES
    }
    worst = min(families, key=lambda name: families[name]["gain"])
    whole = gain(frontier)
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


def gain(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
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
    given.add_argument("--until", type=float, help="run nothing: minutes of one that ran")
    given.add_argument("--share", type=float, default=1.0, help="of the problems asked")
    asked = given.parse_args()
    if asked.until is None:
        figures = measure(asked.lab, asked.minutes, asked.seed, asked.share)
    else:
        figures = compare(Lab(asked.lab.absolute()), asked.share, asked.until)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    _main()
