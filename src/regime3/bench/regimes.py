"""`r3 bench regimes`: does the form of thought matter? One nano model from scratch for each form.

Same problems in the same order, same body, same vocabulary size, same tuning; only the spelling of
the steps differs. Regime 1 (plain English) runs first, for the wall clock given; the problems and
FLOPs that it reached are where every other arm is measured too, besides the same wall clock. So
one run an arm gives three axes: equal problems, equal FLOPs, equal time.

    python -m regime3.bench.regimes --seconds 240 --seeds 3     # any other length, same output
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch

from regime3.bench.arm import Arm, Levels, Mark
from regime3.bench.forms.coded import Coded, LearnedSexpr
from regime3.bench.forms.form import (
    Form,
    ResultsOnly,
    english_plain,
    english_terse,
    sexpr,
    sexpr_least_first,
)
from regime3.bench.swap import Swapped, swap_test
from regime3.lang import codebook
from regime3.tasks import corpus

QUICK_SECONDS, FULL_SECONDS = 15.0, 720.0
QUICK_LEVELS, FULL_LEVELS = Levels(1, 2, 6), Levels(1, 3, 20)
REGIMES = ("1", "2", "3")
AXES = ("problems", "flops", "seconds")


def forms() -> dict[str, Callable[[], Form]]:
    """Every arm by name: the three regimes, then their controls."""
    book = codebook.shipped()
    makers: list[tuple[str, Callable[[], Form]]] = [
        ("1", english_plain),
        ("2", sexpr),
        ("3", lambda: Coded("3", book)),
        ("1-terse", english_terse),
        ("1-results-only", ResultsOnly),
        ("2-learned-tokens", lambda: LearnedSexpr(10)),
        ("2-least-digit-first", sexpr_least_first),
        ("3-most-digit-first", lambda: Coded("3-most-digit-first", book, most_first=True)),
        ("3-no-macros", lambda: Coded("3-no-macros", replace(book, macros=()))),
        ("3-no-references", lambda: Coded("3-no-references", _without_references(book))),
        ("3-no-prediction", lambda: Coded("3-no-prediction", _unpredicted())),
    ]
    return dict(makers)


def _without_references(book: codebook.Codebook) -> codebook.Codebook:
    return replace(book, options={**book.options, "references": False})


def _unpredicted() -> codebook.Codebook:
    return corpus.learn(corpus.PER_LEVEL // 6, 0, lambda _: None)


def run(quick: bool) -> dict[str, Any]:
    """Every arm: one seed and seconds when quick; three seeds for the regimes in full."""
    if quick:
        return measure(QUICK_SECONDS, 1, 1, QUICK_LEVELS)
    return measure(FULL_SECONDS, 3, 1, FULL_LEVELS)


def measure(seconds: float, seeds: int, control_seeds: int, levels: Levels) -> dict[str, Any]:
    """Train and mark every arm; marks at equal problems, FLOPs and seconds."""
    torch.set_num_threads(1)
    bench = _Bench(seconds, levels)
    marks: dict[str, list[dict[str, Mark]]] = {}
    swaps: list[Swapped] = []
    for name, make in forms().items():
        for seed in range(seeds if name in REGIMES else control_seeds):
            arm, found = bench.run(name, make(), seed)
            marks.setdefault(name, []).append(found)
            if name == "3-no-prediction":
                swaps.append(swap_test(arm, bench.samples))
    return _result(marks, swaps, bench)


class _Bench:
    """The budget that regime 1 sets, and the held-out problems."""

    def __init__(self, seconds: float, levels: Levels) -> None:
        self.seconds, self.levels = seconds, levels
        self.samples = levels.held_out()
        self.problems: int | None = None
        self.flops: float | None = None
        self.began = time.monotonic()

    def run(self, name: str, form: Form, seed: int) -> tuple[Arm, dict[str, Mark]]:
        longest = max(len(form.encode(sample)) for sample in self.samples)
        arm = Arm(form, seed, self.levels, longest)
        done: dict[str, Callable[[Arm], bool]] = {
            "seconds": lambda arm: arm.seconds >= self.seconds
        }
        if self.problems is not None and self.flops is not None:
            problems, flops = self.problems, self.flops
            done["problems"] = lambda arm: arm.problems >= problems
            done["flops"] = lambda arm: arm.flops >= flops
        found: dict[str, Mark] = {}
        while done:
            arm.train(lambda arm: any(reached(arm) for reached in done.values()))
            for axis in [axis for axis, reached in done.items() if reached(arm)]:
                found[axis] = arm.mark(self.samples)
                del done[axis]
                self._tell(name, seed, axis, found[axis])
        if self.problems is None:
            self.problems, self.flops = arm.problems, arm.flops
            found = {axis: found["seconds"] for axis in AXES}
        return arm, {axis: found[axis] for axis in AXES}

    def _tell(self, name: str, seed: int, axis: str, mark: Mark) -> None:
        took = time.monotonic() - self.began
        print(
            f"{took:6.0f} s  arm {name}, seed {seed}, at equal {axis}: exact {mark.em:.3f}, "
            f"{mark.tokens:.1f} tokens, {mark.problems:,} problems, {mark.flops:.2e} FLOPs, "
            f"{mark.seconds:.0f} s",
            file=sys.stderr,
            flush=True,
        )


def _result(
    marks: dict[str, list[dict[str, Mark]]], swaps: list[Swapped], bench: _Bench
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    spread: dict[str, tuple[float, float]] = {}
    for name, runs in marks.items():
        figures[name] = {axis: _figures([run[axis] for run in runs]) for axis in AXES}
        for axis in AXES:
            values = [run[axis].em for run in runs]
            spread[f"{name}.{axis}.em"] = (min(values), max(values))
    figures["random_code_swap_em"] = statistics.mean(each.swapped for each in swaps)
    figures["random_code_swap_em_unswapped"] = statistics.mean(each.kept for each in swaps)
    levels = bench.levels
    return {
        "figures": figures,
        "spread": spread,
        "runs": sum(map(len, marks.values())),
        "notes": [
            f"{bench.seconds:.0f} s of training an arm, levels {levels.first} to {levels.last} of "
            f"every family, {len(bench.samples)} held-out problems, greedy, no masks",
            "seconds are those of the one thread that trains",
            "swap: steps of the arm without prediction, their terms replaced, then it answers",
        ],
        "meaning": {
            name: "median over seeds: exact match, validity and tokens on three axes"
            for name in marks
        },
    }


def _figures(runs: list[Mark]) -> dict[str, Any]:
    """Medians over seeds."""
    rows = [asdict(mark) for mark in runs]
    found: dict[str, Any] = {"seeds": len(rows)}
    for source, name in _NAMES.items():
        values = [row[source] for row in rows]
        found[name] = None if None in values else round(statistics.median(values), 4)
    found["per_family"] = {
        family: round(statistics.median(row["per_family"][family] for row in rows), 3)
        for family in rows[0]["per_family"]
    }
    return found


_NAMES = {
    "em": "em",
    "accepted": "accepted",
    "step_validity": "step_validity",
    "tokens": "tokens_per_problem",
    "flops": "flops",
    "seconds": "seconds",
    "problems": "problems",
}


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=FULL_SECONDS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--control-seeds", type=int, default=1)
    parser.add_argument("--levels", type=int, default=FULL_LEVELS.last)
    parser.add_argument("--heldout", type=int, default=FULL_LEVELS.heldout)
    given = parser.parse_args()
    levels = Levels(1, given.levels, given.heldout)
    print(json.dumps(measure(given.seconds, given.seeds, given.control_seeds, levels)))


if __name__ == "__main__":
    _main()
