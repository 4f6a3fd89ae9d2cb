"""Real trainers on real labs: a nano lab, and a process that is stopped whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from regime3 import config, disk
from regime3.clock import SystemClock
from regime3.genesis import found_lab
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.spool import Spool
from regime3.spool.books import Books
from regime3.vault import Vault
from tests.additions import problem
from tests.soak import SMALL

WAIT_S_MAX = 180.0


def rows(split: str, count: int) -> list[str]:
    return [json.dumps(problem(split, index), ensure_ascii=False) for index in range(count)]


class RealLab:
    """A lab, its trainer process, and what a person would look at."""

    def __init__(self, root: Path, **settings: Any) -> None:
        found_lab(root, build_nano, {**SMALL, **settings}, "nano")
        self.lab = Lab(root)
        self.process: subprocess.Popen[bytes] | None = None

    # ------------------------------------------------------------ what a user does

    def drop(self, name: str, lines: list[str], lane: str = "") -> None:
        """Put a file in the inbox, as a careful user would: written aside, then moved."""
        folder = self.lab.inbox_lane(lane) if lane else self.lab.inbox
        aside = self.lab.root / f".{name}"
        aside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        aside.rename(folder / name)

    def start(self, **environment: str) -> None:
        with open(self.lab.log_file("trainer"), "ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "regime3", "trainer", "--lab", str(self.lab.root)],
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
                start_new_session=True,
            )

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S_MAX)

    def r3(self, *words: str, code: int = 0) -> dict[str, Any]:
        """A verb with --json; its object."""
        done = subprocess.run(
            [sys.executable, "-m", "regime3", *words, "--lab", str(self.lab.root), "--json"],
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr + done.stdout
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    # ------------------------------------------------------------ what a user sees

    def wait(self, what: str, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S_MAX
        while not condition():
            alive = self.process is None or self.process.poll() is None
            assert alive or condition(), f"the trainer ended before: {what}\n{self.logs()}"
            assert time.monotonic() < deadline, f"never came: {what}\n{self.logs()}"
            time.sleep(0.05)

    def wait_until_trained(self) -> None:
        spool = self.spool()
        self.wait(
            "everything trained",
            lambda: (
                bool(spool.files())
                and not spool.inbox_notes()
                and spool.books(self.head().ledger).total.pending == 0
            ),
        )

    def status(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.lab.status_file.read_bytes())
        except FileNotFoundError:
            return {}
        return found

    def events(self) -> list[dict[str, Any]]:
        if not self.lab.events_file.exists():
            return []
        return [json.loads(line) for line in self.lab.events_file.read_text().splitlines()]

    def head(self) -> Seal:
        return Vault(self.lab, SystemClock()).head()

    def spool(self) -> Spool:
        return Spool(self.lab, config.load(self.lab.settings_file).settings, SystemClock())

    def books(self) -> Books:
        return self.spool().books(self.head().ledger)

    def folder_of(self, name: str) -> str:
        """The queue folder that shows the file."""
        (path,) = self.lab.queue.glob(f"*/{name}@*.jsonl")
        return path.parent.name

    def worker_pid(self) -> int | None:
        if not disk.is_locked(self.lab.worker_lock):
            return None
        return int(self.lab.worker_lock.read_text().rsplit(" ", 1)[1])

    def logs(self) -> str:
        texts = []
        for name in ("trainer", "worker"):
            path = self.lab.log_file(name)
            if path.exists():
                texts.append(f"--- {name}\n" + path.read_text(errors="replace")[-3000:])
        return "\n".join(texts)

    def end(self) -> None:
        """Kill what the test started, if it still runs."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        deadline = time.monotonic() + WAIT_S_MAX
        while disk.is_locked(self.lab.worker_lock) and time.monotonic() < deadline:
            time.sleep(0.05)  # an orphan seals and leaves by itself


@pytest.fixture
def make_lab(tmp_path: Path) -> Iterator[Callable[..., RealLab]]:
    """Labs for one test, with settings as keywords (section__name)."""
    made: list[RealLab] = []

    def make(name: str = "lab", **settings: Any) -> RealLab:
        keyed = {key.replace("__", "."): value for key, value in settings.items()}
        made.append(RealLab(tmp_path / name, **keyed))
        return made[-1]

    yield make
    for lab in made:
        lab.end()
