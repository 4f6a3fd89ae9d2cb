"""`python -m tests.node.two_hosts`: trainer and node as two hosts, and the link between them cut.

Two network namespaces and a pair of virtual cards stand for two machines (Linux, root, `ip` and
`tc`). The trainer's side makes a lab and pushes its checkpoint; while the bytes flow over a slow
link, the link goes down and comes back, twice. In the end the model answers across the link, and
a caller without a token does not get in. Removes what it made. Prints one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.node.nodes import make_lab

NODE, TRAINER = "r3-node", "r3-trainer"
NODE_IP, TRAINER_IP = "10.77.0.1", "10.77.0.2"
PORT = 8765
RATE = "3mbit"
"""Makes two megabytes take a few seconds."""
CUTS = ((1.5, 4.0), (1.0, 3.0))
"""Seconds of flow, then seconds without a link."""


def sh(*command: str) -> None:
    subprocess.run(command, check=True)


def inside(host: str, *command: str) -> list[str]:
    """A command on one of the hosts."""
    return ["ip", "netns", "exec", host, *command]


def r3(host: str, *words: str) -> list[str]:
    return inside(host, sys.executable, "-m", "regime3", *words)


@contextlib.contextmanager
def two_hosts() -> Iterator[None]:
    """Both, linked by a slow cable."""
    sh("ip", "netns", "add", NODE)
    try:
        sh("ip", "netns", "add", TRAINER)
        sh(
            "ip",
            "link",
            "add",
            "r3a",
            "netns",
            NODE,
            "type",
            "veth",
            "peer",
            "r3b",
            "netns",
            TRAINER,
        )
        for host, card, address in ((NODE, "r3a", NODE_IP), (TRAINER, "r3b", TRAINER_IP)):
            sh("ip", "-n", host, "address", "add", f"{address}/24", "dev", card)
            sh("ip", "-n", host, "link", "set", card, "up")
            sh("ip", "-n", host, "link", "set", "lo", "up")
        shaping = ("tbf", "rate", RATE, "burst", "32kbit", "latency", "400ms")
        sh("tc", "-n", TRAINER, "qdisc", "add", "dev", "r3b", "root", *shaping)
        yield
    finally:
        for host in (NODE, TRAINER):
            subprocess.run(["ip", "netns", "del", host], check=False)


def run(root: Path) -> dict[str, object]:
    """Raises AssertionError where it does not end well."""
    here, there = make_lab(root / "node"), root / "trainer"
    token = json.loads(
        subprocess.check_output(
            [
                *(sys.executable, "-m", "regime3", "token", "create", "admin", "--json"),
                *("--lab", str(here.root)),
            ]
        )
    )["token"]
    sh(sys.executable, "-m", "regime3", "init", str(there), "--nano")
    url = f"http://{NODE_IP}:{PORT}"
    settings = ["--set", f"node.host={NODE_IP}", "--set", f"node.port={PORT}"]
    environment = {**os.environ, "R3_TOKEN": token, "OMP_NUM_THREADS": "1"}
    node = subprocess.Popen(r3(NODE, "node", "--lab", str(here.root), *settings), env=environment)
    try:
        until_ready(url, token)
        began = time.monotonic()
        push = subprocess.Popen(
            r3(TRAINER, "push", "--lab", str(there), "--to", url, "--activate", "--json"),
            env=environment,
            stdout=subprocess.PIPE,
        )
        for flow_s, cut_s in CUTS:
            time.sleep(flow_s)
            assert push.poll() is None, push.communicate()
            sh("ip", "-n", TRAINER, "link", "set", "r3b", "down")
            time.sleep(cut_s)
            sh("ip", "-n", TRAINER, "link", "set", "r3b", "up")
        told, _ = push.communicate(timeout=180)
        assert push.returncode == 0, told
        pushed = json.loads(told)
        took = time.monotonic() - began
        chat = ["chat", "Find the sum of 2 and 3.", "--url", url, "--max-tokens", "8", "--json"]
        answer = json.loads(subprocess.check_output(r3(TRAINER, *chat), env=environment))
        bare = {key: value for key, value in environment.items() if key != "R3_TOKEN"}
        refused = subprocess.run(r3(TRAINER, *chat), env=bare, capture_output=True, text=True)
        assert refused.returncode != 0, "a caller without a token got in"
    finally:
        node.terminate()
        node.wait(30)
    return {
        "model": pushed["id"],
        "size_bytes": pushed["size_bytes"],
        "sent_bytes": pushed["sent_bytes"],
        "cuts": len(CUTS),
        "push_s": round(took, 1),
        "answered_by": answer["system_fingerprint"],
        "without_token": "refused",
    }


def until_ready(url: str, token: str) -> None:
    for _ in range(120):
        asked = inside(
            TRAINER, "curl", "-sf", "-H", f"Authorization: Bearer {token}", f"{url}/ready"
        )
        if subprocess.run(asked, capture_output=True).returncode == 0:
            return
        time.sleep(0.5)
    raise AssertionError("the node is not ready")


def main() -> None:
    """Run it in a temp folder."""
    with tempfile.TemporaryDirectory() as folder, two_hosts():
        print(json.dumps(run(Path(folder))))


if __name__ == "__main__":
    main()
