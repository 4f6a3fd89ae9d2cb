"""The demo: the main job, whole, on the nano model and on problems it makes itself.

`r3 demo` founds a lab on the nano model of the package, drops a lesson of the task families into
its inbox, keeps held-out problems for validation, and lets the real supervisor and worker train to
the end of it; the live page is up meanwhile. Run it again and it trains on the next lesson. Its
held-out answers are judged by the checker, step by step.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from regime3 import config, disk
from regime3.daemon import Supervisor
from regime3.errors import Unavailable
from regime3.paths import SETTINGS_NAME, Lab
from regime3.roles import command_of, end_roles
from regime3.tasks.family import Split

ROWS = 6_000
VALIDATION_ROWS = 64
LEVELS_MAX = 4
LESSONS = 12
"""The schedule's files: a demo run often enough goes from English to codes."""
DEMO_SETTINGS: Mapping[str, Any] = {
    "validation.preview_rows": 32,
    "validation.preview_tokens_max": 160,
    # The package's weights are past the rate that untrained ones want.
    "train.learning_rate": 1e-3,
    "train.average_steps": 1000,
    "train.window_tokens": 1536,
    "checkpoint.save_steps": 400,
    # The loop on two cores: shards that last until the next one is made, verdicts in a minute.
    "node.slots": 96,
    "node.slots_reserved": 4,
    "node.residents_max": 3,  # a guest to talk to, beside champion and challenger
    "forge.shard_rows": 3000,
    "forge.queue_rows_min": 4500,
    "forge.shrink_min": 1.0,
    "forge.oracle_share": 0.5,
    "forge.level_first": 2,
    "forge.schedule_rows": 1,  # the package's weights are past the transition
    # Low levels have few problems: never again would be too soon forgotten.
    "forge.duplicate_shards": 0,
    "judge.problems_max": 1200,
    "evolution.regimes": "1,2,3",
}
LINE_S = 5.0
DEMO_S_MAX = 1800.0


@dataclass(frozen=True)
class Result:
    """What the demo did, from what its own status file says."""

    lab: str
    steps: int
    loss_first: float | None
    loss_last: float | None
    validation_loss: float | None
    exact_match_percent: float | None
    checkpoint: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)

    def as_text(self) -> str:
        """For a person: what happened, and where to look."""
        lab = self.lab
        return (
            f"\ntrained {self.steps} steps in {self.seconds:.0f} s: "
            f"loss {_figure(self.loss_first)} to {_figure(self.loss_last)}, "
            f"held-out loss {_figure(self.validation_loss)}, "
            f"held-out answers right {_figure(self.exact_match_percent, '.0f')} %\n"
            f"the model: {lab}/models/current_model (checkpoint {self.checkpoint})\n"
            "where to look:\n"
            f"  r3 up --lab {lab}                    train on, with the live page on port 8080\n"
            f"  r3 add my.jsonl --lab {lab}          your own chat rows\n"
            f"  r3 queue --lab {lab}                 what was trained, row by row\n"
            f"  r3 checkpoints --lab {lab}           what can be rolled back to\n"
            "(r3 lives in .venv/bin)"
        )


def _figure(value: float | None, form: str = ".3f") -> str:
    return "not known" if value is None else format(value, form)


def founded(
    root: Path, tell: Callable[[str], None], changes: Mapping[str, Any] | None = None
) -> Lab:
    """The demo lab, founded if it is not there, then with these settings ("train.seed") changed.

    It has held-out problems and no lesson: the forge makes what it trains."""
    lab = Lab(root.absolute())
    if not (lab.root / SETTINGS_NAME).exists():
        from regime3.genesis import NANO_SETTINGS, found_lab
        from regime3.model.nano import build_nano

        tell(f"making a nano lab in {root} …")
        own = {**NANO_SETTINGS, **DEMO_SETTINGS, **(changes or {})}
        found_lab(lab.root, build_nano, own, "nano")
        disk.write_text(lab.validation / "tasks.jsonl", _lines(0, VALIDATION_ROWS, "heldout"))
    return lab


def prepare(root: Path, tell: Callable[[str], None], rows: int = ROWS) -> Lab:
    """The demo lab with a fresh file of problems in its inbox."""
    # A minute of training earns few answers at the usual 2 %: this one may look more often.
    lab = founded(root, tell, {"validation.time_share_max": 0.1})
    number = len(list(lab.meta_root.glob("[0-9a-f]*")))
    name = f"lesson-{number:03d}.jsonl"
    disk.write_text(lab.inbox / name, _lines(number, rows, "train"))
    tell(f"{rows} problems in {root}/inbox/{name}")
    return lab


def _lines(number: int, rows: int, split: Split) -> str:
    """A lesson as JSONL. What is held out is in codes, where the schedule leads."""
    from regime3.lang import codebook
    from regime3.tasks.lessons import lesson

    plan = "pure" if split == "heldout" else "transitional"
    found = lesson(
        number % LESSONS, LESSONS, rows, codebook.shipped(),
        plan=plan, split=split, levels_max=LEVELS_MAX, start=number * rows,
    )  # fmt: skip
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)


def run(root: Path, rows: int, tell: Callable[[str], None]) -> Result:
    """The whole job: found, admit, train to the end of the file, seal, report."""
    lab = prepare(root, tell, rows)
    settings = config.load(lab.settings_file).settings
    page = _start_page(lab, tell)
    started = time.monotonic()
    watch = _Watch(tell, started)
    try:
        supervisor = Supervisor(lab, settings, say_line=tell)
        code = supervisor.run(watch.finished)
    finally:
        end_roles({"web": page})
    if code != 0:
        raise Unavailable(f"the trainer ended with exit code {code}", f"r3 doctor --lab {root}")
    if not supervisor.idle:
        raise Unavailable("the demo was interrupted; nothing is lost", f"r3 up --lab {root}")
    status = supervisor.board.status
    return Result(
        lab=str(root),
        steps=supervisor.head_seal.manifest.step,
        loss_first=watch.loss_first,
        loss_last=status.loss,
        validation_loss=status.validation_loss,
        exact_match_percent=status.fixed_eval_em,
        checkpoint=supervisor.head_seal.number,
        seconds=time.monotonic() - started,
    )


class _Watch:
    """Knows when the file is trained and sealed, and remembers the first loss."""

    def __init__(self, tell: Callable[[str], None], started: float) -> None:
        from regime3.cli.progress import until_trained

        self._started, self._trained = started, until_trained(tell, LINE_S)
        self.loss_first: float | None = None

    def finished(self, supervisor: Supervisor) -> bool:
        if self.loss_first is None:
            self.loss_first = supervisor.board.status.loss
        if time.monotonic() - self._started > DEMO_S_MAX:
            raise Unavailable(f"the demo is not done after {DEMO_S_MAX:.0f} s", "r3 status")
        return self._trained(supervisor)


def _start_page(lab: Lab, tell: Callable[[str], None]) -> subprocess.Popen[bytes]:
    """The live page beside the training; without its port the training goes on."""
    settings = config.load(lab.settings_file).settings
    with open(lab.log_file("web"), "ab") as log:
        page = subprocess.Popen(
            command_of("web", lab, {}), stdout=log, stderr=log, start_new_session=True
        )
    tell(f"live page: http://{settings.web.host}:{settings.web.port}")
    return page
