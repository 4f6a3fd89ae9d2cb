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

import httpx
import pytest

from regime3.paths import Lab
from tests.whole.conftest import WAIT_S_MAX, RealLab

MakeLab = Callable[..., RealLab]
PORTS = {"web.port": 0, "node.port": 0, "node.slots": 8, "node.slots_reserved": 1}


@pytest.fixture
def up(make_lab: MakeLab) -> Iterator[tuple[Lab, subprocess.Popen[bytes]]]:
    lab = make_lab(**PORTS).lab
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
