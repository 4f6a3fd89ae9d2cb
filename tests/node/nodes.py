"""Real nodes for tests: `r3 node` as a process of its own on a port of its own, in a temp lab."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from regime3.client import Client
from regime3.paths import Lab

START_S_MAX, STOP_S_MAX = 90.0, 30.0


@dataclass
class RunningNode:
    """A node that answers."""

    lab: Lab
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(self, token: str = "") -> Client:
        """Ours."""
        return Client(self.url, token)

    def kill(self) -> None:
        """The whole node, at once; its engine is left an orphan that has to leave by itself."""
        self.process.kill()
        self.process.wait()

    def engine_pid(self) -> int:
        """The process that computes."""
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "regime3.engine"],
            capture_output=True,
            text=True,
        )
        return int(found.stdout.split()[0])


def make_lab(root: Path) -> Lab:
    """An empty lab with its folders."""
    lab = Lab(root)
    for folder in lab.folders():
        folder.mkdir(parents=True, exist_ok=True)
    lab.settings_file.write_text("", encoding="utf-8")
    return lab


@contextlib.contextmanager
def running_node(
    lab: Lab, *, ready: bool = True, environment: dict[str, str] | None = None, **settings: object
) -> Iterator[RunningNode]:
    """A node over this lab; `settings` are of the section node."""
    command = [sys.executable, "-m", "regime3", "node", "--lab", str(lab.root)]
    for name, value in {"port": 0, **settings}.items():
        command += ["--set", f"{name if '.' in name else f'node.{name}'}={value}"]
    log = lab.root / "node.out"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})},
            start_new_session=True,
        )
    try:
        url = _address(lab, process, log)
        if ready:
            _until_ready(url, process, log)
        yield RunningNode(lab, url, process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _address(lab: Lab, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the node ended with {process.returncode}:\n{log.read_text()}")
        with contextlib.suppress(FileNotFoundError, ValueError):
            found = json.loads(lab.node_address_file.read_text(encoding="utf-8"))
            if found["pid"] == process.pid:
                return str(found["url"]).rstrip("/")
        time.sleep(0.05)
    raise AssertionError(f"no address after {START_S_MAX} s:\n{log.read_text()}")


def _until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/ready").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"not ready after {START_S_MAX} s:\n{log.read_text()}")
