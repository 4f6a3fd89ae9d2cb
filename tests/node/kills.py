"""`python -m tests.node.kills --kills 60`: a node killed in the middle of jobs, uploads and swaps.

One calm run tells what its jobs come to. Then the same jobs run on a node whose engine or whole
self is killed with -9 at random moments, while models are uploaded and activated all the time. In
the end every job is done, every item is there once and says what the calm run's says, and every
folder among the models is whole. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from regime3.clock import SystemClock
from regime3.errors import NodeRefused, Regime3Error
from regime3.paths import Lab
from regime3.registry import Registry
from regime3.registry.verify import verify
from regime3.ship.export import export_folder
from regime3.ship.push import Node, send_folder
from tests.node.nodes import RunningNode, make_lab, running_node
from tests.registry.folders import a_folder

JOBS: list[tuple[str, dict[str, Any]]] = [
    (
        "/data_gen/jobs",
        {"family": "numbers", "levels": [1, 2], "problems": 400, "attempts": 3, "seed": 7},
    ),
    (
        "/data_gen/jobs",
        {"family": "lists", "levels": [1], "problems": 300, "attempts": 2, "constrained": True},
    ),
    ("/eval/jobs", {"dataset_ref": "tasks:arithmetic:1-3", "max_examples": 300}),
]
MORE: dict[str, Any] = {"drain_s": 0.5, "residents_max": 6}
SLOW = {"REGIME3_FAULT_ENGINE": "step-ms:4"}
PADDING_BYTES = 12_000_000
"""Makes an upload long enough to be killed in the middle."""
DONE_S_MAX = 300.0


def a_model(root: Path) -> Path:
    """A sealed folder that is worth a while of uploading."""
    source = a_folder(root / "source", extra_bytes=PADDING_BYTES)
    target = root / "sealed"
    export_folder(source, target, None)
    return target


class Trouble:
    """A node that is killed, and brought back, while others go on using it."""

    def __init__(self, lab: Lab, seed: int) -> None:
        self.lab, self.draw = lab, random.Random(f"kills|{seed}")
        self.kills = {"engine": 0, "node": 0}
        self.pushed = self.activated = 0
        self.over = threading.Event()
        self.port = 0
        self._stack = contextlib.ExitStack()
        self.node: RunningNode

    def start(self) -> None:
        """A node on the port of the one before."""
        self.node = self._stack.enter_context(
            running_node(self.lab, engine="fake", port=self.port, environment=SLOW, **MORE)
        )
        self.port = int(self.node.url.rpartition(":")[2])

    def kill(self) -> None:
        """One of the two, whichever comes up."""
        if self.draw.random() < 0.5:
            with contextlib.suppress(IndexError, ProcessLookupError):
                os.kill(self.node.engine_pid(), signal.SIGKILL)
                self.kills["engine"] += 1
            return
        self.node.kill()
        self.kills["node"] += 1
        self.start()

    def close(self) -> None:
        """The last node ends in peace."""
        self.over.set()
        self._stack.close()

    def upload_and_swap(self, model: Path) -> None:
        """Until it is over: the same bytes under new names, the one before made champion."""
        number = 0
        while not self.over.is_set():
            name = f"model-{number}"
            with contextlib.suppress(Regime3Error, httpx.HTTPError), Node(self.node.url) as node:
                send_folder(model, name, node, patience_s=60.0)
                self.pushed += 1
                number += 1
                node.activate(name)
                self.activated += 1
                self._clear(node, number)
            time.sleep(0.05)

    def _clear(self, node: Node, number: int) -> None:
        """Old ones are deleted, so that a delete is killed too; what is in use refuses."""
        with contextlib.suppress(NodeRefused):
            node.ask("DELETE", f"/models/model-{number - 3}")


def ask(url: str, method: str, path: str, body: Any = None) -> Any:
    """A call that outlasts restarts."""
    deadline = time.monotonic() + DONE_S_MAX
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.request(method, f"{url}{path}", json=body, timeout=30)
            if answer.status_code < 400:
                return answer.json()
            if answer.status_code not in (404, 429, 503):
                raise AssertionError(answer.text)
        time.sleep(0.1)
    raise AssertionError(f"{method} {path}: no answer in {DONE_S_MAX} s")


def order(url: str) -> list[str]:
    """All jobs, once more."""
    return [ask(url, "POST", path, {"model": "default", **body})["id"] for path, body in JOBS]


def ordered(url: str) -> list[str]:
    """Ids of all jobs, ordered once more."""
    found = []
    for path, body in JOBS:
        found.append(ask(url, "POST", path, {"model": "default", **body})["id"])
    return found


def items_of(url: str, job: str) -> dict[int, Any]:
    """What each item came to."""
    found: dict[int, Any] = {}
    after = 0
    while True:
        page = ask(url, "GET", f"/jobs/{job}/examples?after={after}&limit=500")
        for each in page["data"]:
            assert each["item"] not in found, "an item is there twice"
            found[each["item"]] = each["result"]
        if page["next_after"] is None:
            return found
        after = page["next_after"]


def finished(url: str, jobs: list[str]) -> Iterator[dict[str, Any]]:
    """The jobs, once done."""
    deadline = time.monotonic() + DONE_S_MAX
    for job in jobs:
        while True:
            found = ask(url, "GET", f"/jobs/{job}")
            if found["state"] not in ("queued", "running"):
                break
            assert time.monotonic() < deadline, f"{job} is not done: {found}"
            time.sleep(0.1)
        yield found


def calm(root: Path) -> list[dict[int, Any]]:
    """What the jobs come to when nobody is killed."""
    with running_node(make_lab(root / "calm"), engine="fake") as node:
        jobs = order(node.url)
        assert all(job["state"] == "done" for job in finished(node.url, jobs))
        return [items_of(node.url, job) for job in jobs]


def run(root: Path, kills: int, seed: int) -> dict[str, Any]:
    """The whole of it. Raises AssertionError where a promise is broken."""
    wanted = calm(root)
    trouble = Trouble(make_lab(root / "killed"), seed)
    trouble.start()
    url, model = trouble.node.url, a_model(root)
    with Node(url) as node:
        send_folder(model, "first", node)
        node.activate("first")
    pusher = threading.Thread(target=trouble.upload_and_swap, args=(model,))
    pusher.start()
    jobs: list[str] = []
    rounds: list[list[str]] = []
    try:
        while sum(trouble.kills.values()) < kills:
            if not jobs or all(
                ask(url, "GET", f"/jobs/{job}")["state"] not in ("queued", "running")
                for job in jobs
            ):
                jobs = ordered(url)
                rounds.append(jobs)
            time.sleep(trouble.draw.uniform(0.05, 0.9))
            trouble.kill()
        compared = 0
        for each in rounds:
            for job, items in zip(finished(url, each), wanted, strict=True):
                assert job["state"] == "done", job
                assert job["done"] == job["total"] == len(items), job
                assert items_of(url, job["id"]) == items, f"{job['id']} differs from the calm run"
                compared += len(items)
    finally:
        trouble.over.set()
        pusher.join()
        trouble.close()
    registry = Registry(trouble.lab, SystemClock())
    for entry in registry.list():
        registry.verify(entry.id, deep=True)
    folders = [path for path in trouble.lab.node_models.iterdir() if not path.name.startswith(".")]
    for folder in folders:
        verify(folder, hashes=True)
    return {
        "kills": trouble.kills,
        "jobs": sum(map(len, rounds)),
        "items_compared": compared,
        "uploads": trouble.pushed,
        "swaps": trouble.activated,
        "models_whole": len(folders),
        "lost": 0,
        "doubled": 0,
    }


def main() -> None:
    """Run it in a temp folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        found = run(Path(folder), given.kills, given.seed)
        print(json.dumps({**found, "seconds": round(time.monotonic() - began, 1)}))


if __name__ == "__main__":
    main()
