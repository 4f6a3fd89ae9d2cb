"""The probe set: which problems, and asking a checkpoint for its answers.

Probes are held-out problems at fixed indexes that neither the judge nor a benchmark asks. The set
of a lab may grow with its settings and never changes: a probe's name says all about it. One file a
seal, written whole: a kill leaves a checkpoint asked or not asked, never half.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from regime3 import disk, tasks
from regime3.client import Client
from regime3.clock import Clock
from regime3.config import Evolution as Settings
from regime3.errors import Unavailable
from regime3.lang.codebook import Codebook
from regime3.paths import Lab
from regime3.records.probe import ProbeAnswer, ProbeSheet
from regime3.tasks.rows import row

FROM: Final = 8_000
"""First index of probes: above what benchmarks ask, below the judge's fresh problems."""
ROWS_MAX: Final = 1000
"""Of one job."""
PRIORITY: Final = 40
"""After verdicts and generated data: nobody waits for it."""


def names(settings: Settings) -> list[str]:
    """Every probe of the settings, level by level, so that a longer list begins with a shorter."""
    regimes = [int(each) for each in settings.regimes.split(",")]
    return [
        f"{family}:{level}:{FROM + number}:{regime}"
        for level in range(1, settings.levels + 1)
        for number in range(settings.per_level)
        for family in tasks.FAMILIES
        for regime in regimes
    ]


def row_of(name: str, book: Codebook) -> dict[str, Any]:
    """The chat row of a probe."""
    family, level, index, regime = name.split(":")
    return row(tasks.sample(family, int(level), "heldout", int(index)), int(regime), book)


def is_recorded(lab: Lab, seal: int) -> bool:
    """Whether a checkpoint has answered."""
    return lab.evolution_file(seal).exists()


def record(
    lab: Lab,
    settings: Settings,
    client: Client,
    clock: Clock,
    book: Callable[[], Codebook],
    sheet: tuple[int, int, str],
) -> None:
    """Have a model answer every probe, and keep the answers; `sheet` is seal, step and model.

    Blocks while the node works. Raises `NodeRefused`, `Unavailable`; then nothing is kept.
    """
    seal, step, model = sheet
    asked = names(settings)
    answers: list[ProbeAnswer] = []
    for start in range(0, len(asked), ROWS_MAX):
        part = asked[start : start + ROWS_MAX]
        answers += _answered(client, model, part, [row_of(name, book()) for name in part])
    head = ProbeSheet(seal, step, model, clock.now(), len(answers))
    lines = [msgspec.json.encode(head), *map(msgspec.json.encode, answers)]
    disk.make_folder(lab.evolution)
    disk.write_bytes(lab.evolution_file(seal), b"\n".join(lines) + b"\n")


def _answered(
    client: Client, model: str, part: list[str], rows: list[dict[str, Any]]
) -> list[ProbeAnswer]:
    """The answers to some probes, in their order."""
    order = {"model": model, "rows": rows, "max_examples": ROWS_MAX, "priority": PRIORITY}
    job = client.evaluate({**order, "metrics": ["exact_match", "steps"]})
    *_, ended = client.wait(job["id"])
    if ended["state"] != "done" or ended["missed"]:
        why = ended["error"] or f"{ended['missed']} answers are missing"
        raise Unavailable(f"{model} did not answer the probes: {why}")
    found = sorted(client.examples(job["id"]), key=lambda each: int(each["item"]))
    return [_answer(name, each["result"]) for name, each in zip(part, found, strict=True)]


def _answer(name: str, log: dict[str, Any]) -> ProbeAnswer:
    return ProbeAnswer(
        probe=name,
        valid=log["valid"],
        right=log["right"],
        steps=log["steps"],
        share=log["share"],
        tokens=log["tokens"],
        thought=log["thought"],
        answer=log["answer"],
        bad_step=log.get("first_bad_step"),
        reason=log.get("reason", ""),
        canonical=log.get("canonical", ""),
    )
