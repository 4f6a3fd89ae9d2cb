"""`python -m tests.soak --kills 60`: kill worker, supervisor and both, at random moments.

Two labs that admitted the same files train to the end: one in peace, one under kill -9. In the
end every row must be trained exactly once or buried, relative to the head, and weights, Adam
state and random generators must be the same to the bit. Attention dropout is on, so a random
generator restored a step too early would show. The seed is printed, and repeats the run's plan.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regime3 import config, disk
from regime3.clock import SystemClock
from regime3.genesis import found_lab
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.spool import Spool
from regime3.vault import Vault
from tests.additions import problem

SMALL: dict[str, Any] = {
    "model.name": "nano",
    "model.max_length": 512,
    "train.learning_rate": 1e-3,
    "train.window_tokens": 400,
    "train.window_rows_max": 16,
    "train.threads": 1,
    "train.device": "cpu",
    "checkpoint.save_steps": 4,
    "checkpoint.free_gb_min": 0.05,
    "checkpoint.snapshot_at": "",
    "queue.settle_s": 0.05,
    "queue.poll_s": 0.05,
    "supervisor.backoff_s": 0.05,
    "supervisor.backoff_s_max": 0.2,
    "status.write_s": 0.05,
}
"""Small windows and short waits: a real lab that shows in seconds what a home lab shows in days."""
SETTINGS: dict[str, Any] = {
    **SMALL,
    "checkpoint.keep_newest": 1_000_000,
    "queue.settle_s": 0.0,
    "supervisor.restarts_max": 1000,
}
FILES = 3
BAD_ROWS = 2
ROUND_S_MAX = 120.0
WHOLE_S_MAX = 3600.0
TARGETS = ("worker", "supervisor", "both")


@dataclass
class Outcome:
    """What a soak showed. `ok` is the verdict; the rest is for the record."""

    kills: Counter[str] = field(default_factory=Counter)
    killed_while: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    seals: int = 0
    rows: int = 0
    trained: int = 0
    buried: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return not self.problems


def nano_with_dropout(target: Path) -> None:
    """The nano model with attention dropout, so that every step draws random numbers."""
    build_nano(target)
    path = target / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["attention_dropout"] = 0.1
    path.write_text(json.dumps(settings), encoding="utf-8")


def prepare(root: Path, rows: int) -> Lab:
    """A lab that has admitted FILES files of `rows` rows in all, a few of them bad."""
    found_lab(root, nano_with_dropout, SETTINGS, "nano")
    lab = Lab(root)
    for number in range(FILES):
        lines = [json.dumps(problem(f"soak{number}", i)) for i in range(rows // FILES)]
        lines[1:1] = ["not json", '{"messages": []}'][:BAD_ROWS]
        path = lab.inbox_lane(("low", "high", "normal")[number]) / f"part{number}.jsonl"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    spool = Spool(lab, config.load(lab.settings_file).settings, SystemClock())
    while len(spool.files()) < FILES:
        spool.admit_once()
    return lab


class Trainer:
    """One `r3 trainer` after another, over the same lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with open(self.lab.root / "trainer.out", "ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "regime3", "trainer", "--lab", str(self.lab.root)],
                stdout=out,
                stderr=out,
                env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
                start_new_session=True,
            )

    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.lab.status_file.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def worker_pid(self) -> int | None:
        """The worker that holds the worker's lock now."""
        if not disk.is_locked(self.lab.worker_lock):
            return None
        return int(self.lab.worker_lock.read_text().rsplit(" ", 1)[1])

    def kill(self, target: str) -> str:
        """SIGKILL the target; says what the worker was doing."""
        assert self.process is not None
        doing = str(self.status().get("status", "starting"))
        pids = []
        if target in ("supervisor", "both"):
            pids.append(self.process.pid)
        worker = self.worker_pid()
        if target in ("worker", "both") and worker is not None:
            pids.append(worker)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it had just ended by itself
        if target != "worker":
            self.process.wait()
            self._wait_for_orphan()
        return doing

    def _wait_for_orphan(self) -> None:
        """A worker without a supervisor seals and leaves by itself."""
        deadline = time.monotonic() + ROUND_S_MAX
        while disk.is_locked(self.lab.worker_lock):
            assert time.monotonic() < deadline, "an orphaned worker did not leave"
            time.sleep(0.05)

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(ROUND_S_MAX)


def head_of(lab: Lab) -> Seal:
    return Vault(lab, SystemClock()).head()


def finished(lab: Lab) -> bool:
    """Whether the head says that every admitted file is over."""
    settings = config.load(lab.settings_file).settings
    return not Spool(lab, settings, SystemClock()).open_files(head_of(lab).ledger)


def wait_until_finished(trainer: Trainer, deadline: float) -> None:
    while not finished(trainer.lab):
        assert time.monotonic() < deadline, "the lab did not finish in time"
        assert trainer.process is not None and trainer.process.poll() is None, "the trainer ended"
        time.sleep(0.3)


def soak(root: Path, kills: int, rows: int, seed: int, tell: Any = print) -> Outcome:
    """The whole experiment in folder `root`."""
    started = time.monotonic()
    outcome, rng = Outcome(), random.Random(seed)
    lab = prepare(root / "killed", rows)
    peace = root / "peace"
    shutil.copytree(lab.root, peace, symlinks=True)
    for target in (TARGETS * (kills // 3 + 1))[:kills]:
        _one_kill(lab, target, rng, outcome, tell)
    survivor = _running.pop(lab.root, None)
    if survivor is None:
        survivor = Trainer(lab)
        survivor.start()
    wait_until_finished(survivor, started + WHOLE_S_MAX)
    survivor.stop()
    reference = Trainer(Lab(peace))
    reference.start()
    wait_until_finished(reference, started + WHOLE_S_MAX)
    reference.stop()
    _judge(lab, Lab(peace), outcome)
    outcome.seconds = time.monotonic() - started
    return outcome


_running: dict[Path, Trainer] = {}


def _one_kill(lab: Lab, target: str, rng: random.Random, outcome: Outcome, tell: Any) -> None:
    """Start a trainer if none lives, wait a random while, kill."""
    trainer = _running.get(lab.root)
    if trainer is None or trainer.process is None or trainer.process.poll() is not None:
        trainer = _running[lab.root] = Trainer(lab)
        trainer.start()
    if rng.random() < 0.8:  # mostly while it trains; else while it starts, loads or sweeps
        before = head_of(lab).number
        deadline = time.monotonic() + ROUND_S_MAX
        while head_of(lab).number == before and not finished(lab):
            assert time.monotonic() < deadline, f"no progress: see {lab.root}/logs/worker.log"
            time.sleep(0.02)
    time.sleep(rng.uniform(0.0, 1.5))
    doing = trainer.kill(target)
    outcome.kills[target] += 1
    outcome.killed_while[doing] += 1
    tell(f"kill {sum(outcome.kills.values())}: {target} while {doing}, head {head_of(lab).number}")
    if target != "worker":
        _running.pop(lab.root)


def _judge(lab: Lab, peace: Lab, outcome: Outcome) -> None:
    """Every row once, books balanced, bits equal."""
    head, calm = head_of(lab), head_of(peace)
    outcome.steps, outcome.seals = head.manifest.step, head.number
    if head.manifest.step != calm.manifest.step:
        outcome.problems.append(f"steps {head.manifest.step} and {calm.manifest.step} in peace")
    for name in ("model.safetensors", "optimizer.safetensors", "rng.safetensors"):
        if _sha(head.path / name) != _sha(calm.path / name):
            outcome.problems.append(f"{name} differs from the uninterrupted run")
    settings = config.load(lab.settings_file).settings
    spool = Spool(lab, settings, SystemClock())
    books = spool.books(head.ledger)
    total = books.total
    outcome.rows, outcome.trained, outcome.buried = total.rows, total.trained, total.buried
    if not books.ok or total.trained + total.buried != total.rows:
        outcome.problems.append(f"the books: {total}")
    outcome.problems += _rows_not_once(lab, spool)


def _rows_not_once(lab: Lab, spool: Spool) -> list[str]:
    """Walk the head's chain: the ranges must tile every file exactly."""
    vault = Vault(lab, SystemClock())
    seen: dict[str, list[tuple[int, int]]] = {}
    number: int | None = vault.head().number
    while number is not None:
        seal = vault.open(number)
        for part in seal.ledger.trained:
            seen.setdefault(part.id, []).append((part.first, part.stop))
        number = seal.manifest.parent
    problems = []
    for meta in spool.files().values():
        at = 0
        for first, stop in sorted(seen.get(meta.id, [])):
            if first != at:
                problems.append(f"{meta.name}: rows {at} to {first} are missing or doubled")
            at = stop
        if at != meta.rows:
            problems.append(f"{meta.name}: {at} of {meta.rows} rows")
    return problems


def _sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--rows", type=int, default=0, help="0: enough for the kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--folder", type=Path, help="keep the labs here")
    options = parser.parse_args()
    rows = options.rows or 300 * options.kills
    root = options.folder or Path(tempfile.mkdtemp(prefix="r3-soak-"))
    print(f"seed {options.seed}, {options.kills} kills, {rows} rows, in {root}", flush=True)
    outcome = soak(root, options.kills, rows, options.seed, lambda line: print(line, flush=True))
    print(json.dumps({**outcome.__dict__, "ok": outcome.ok, "seed": options.seed}, indent=1))
    if options.folder is None and outcome.ok:
        shutil.rmtree(root)
    return 0 if outcome.ok else 1


if __name__ == "__main__":
    sys.exit(main())
