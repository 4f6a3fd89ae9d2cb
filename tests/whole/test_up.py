"""`r3 up`: each role a process; what dies comes back; the trainer's end is the end of all."""

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

import httpx
import pytest

from regime3 import config
from regime3.clock import SystemClock
from regime3.config import Loop, Settings
from regime3.judge import ledger
from regime3.judge.problems import FRESH
from regime3.paths import Lab
from regime3.records.files import is_forged
from regime3.roles import roles_of
from regime3.spool import Spool
from tests.whole.conftest import WAIT_S_MAX, RealLab

MakeLab = Callable[..., RealLab]
QUIET = {"forge.on": False, "judge.on": False}
PORTS = {"web.port": 0, "node.port": 0, "node.slots": 8, "node.slots_reserved": 1}


@pytest.fixture
def up(
    make_lab: MakeLab, request: pytest.FixtureRequest
) -> Iterator[tuple[Lab, subprocess.Popen[bytes]]]:
    lab = make_lab(**PORTS, **getattr(request, "param", QUIET)).lab
    process = subprocess.Popen(
        [sys.executable, "-m", "regime3", "up", "--lab", str(lab.root)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )
    try:
        yield lab, process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S_MAX)


def until(what: Callable[[], object]) -> None:
    """Wait until it is true; files and ports that are not there yet are false."""
    deadline = time.monotonic() + WAIT_S_MAX
    while time.monotonic() < deadline:
        try:
            if what():
                return
        except (OSError, ValueError, httpx.TransportError):
            pass  # not yet
        time.sleep(0.1)
    raise AssertionError("it never came true")


def announced(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return found


def node_answers(lab: Lab) -> int:
    """The pid of a node that is ready, else 0."""
    found = announced(lab.node_address_file)
    ready = httpx.get(f"{str(found['url']).rstrip('/')}/ready").status_code == httpx.codes.OK
    return int(str(found["pid"])) if ready else 0


def test_no_node_of_our_own_where_the_loop_works_with_another() -> None:
    assert roles_of(Settings()) == ["trainer", "node", "loop", "web"]
    there = Settings(loop=Loop(node="http://10.0.0.2:8765"))
    assert roles_of(there) == ["trainer", "loop", "web"]


def test_a_killed_node_comes_back_and_a_stop_ends_all(
    up: tuple[Lab, subprocess.Popen[bytes]],
) -> None:
    lab, process = up
    until(lambda: node_answers(lab))
    first = node_answers(lab)
    os.kill(first, signal.SIGKILL)
    until(lambda: node_answers(lab) not in (0, first))
    second = node_answers(lab)
    until(lambda: announced(lab.status_file)["state"] == "waiting")
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S_MAX) == 0
    assert announced(lab.status_file)["state"] == "stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def test_the_trainers_end_is_the_end_of_all(up: tuple[Lab, subprocess.Popen[bytes]]) -> None:
    lab, process = up
    until(lambda: node_answers(lab))
    until(lambda: announced(lab.status_file)["state"] == "waiting")
    node = node_answers(lab)
    subprocess.run([sys.executable, "-m", "regime3", "stop", "--lab", str(lab.root)], check=True)
    assert process.wait(WAIT_S_MAX) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(node, 0)


LOOP = {
    "judge.families": "numbers",
    "judge.levels": 1,
    "judge.batch": 60,
    "judge.problems_max": 60,
    "judge.fixed_per_cell": 2,
    "forge.families": "numbers,lists",
    "forge.queue_rows_min": 40,
    "forge.shard_rows": 60,
    "forge.problems_max": 12,
    "forge.cooldown_s": 0.5,
    "checkpoint.save_steps": 8,
    "train.learning_rate": 1e-4,
}


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Whole JSON lines."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]


def loop_pid(process: subprocess.Popen[bytes]) -> int:
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "regime3 loop"], capture_output=True, text=True
    )
    return int(found.stdout.split()[0]) if found.stdout else 0


@pytest.mark.parametrize("up", [LOOP], indirect=True)
def test_the_loop_feeds_the_trainer_and_judges_it_though_it_is_killed(
    up: tuple[Lab, subprocess.Popen[bytes]],
) -> None:
    lab, process = up
    until(lambda: len(lines_of(lab.forge_shards_file)) >= 2)
    until(lambda: loop_pid(process))
    os.kill(loop_pid(process), signal.SIGKILL)
    until(lambda: any(each["model"] for each in lines_of(lab.forge_shards_file)[2:]))
    until(lambda: any(each.word != "first" for each in ledger.verdicts(lab)))
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S_MAX) == 0

    shards = lines_of(lab.forge_shards_file)
    numbers = [each["shard"] for each in shards]
    assert numbers == sorted(set(numbers))  # none doubled, in order
    settings = config.load(lab.settings_file).settings
    files = Spool(lab, settings, SystemClock()).files()
    forged = [meta for meta in files.values() if is_forged(meta.lineage)]
    assert {meta.name for meta in forged} <= {f"forge-{number:06d}" for number in numbers}
    assert len(forged) >= len(numbers) - 2  # the last may still be in the inbox
    assert sum(meta.buried for meta in forged) == 0  # what the forge writes is proved
    verdict = next(each for each in ledger.verdicts(lab) if each.word != "first")
    assert verdict.overall is not None and verdict.overall["pairs"] >= 60
    assert all(problem >= FRESH for problem in verdict.problems)
