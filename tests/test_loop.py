"""The loop's threads: trouble told once, a node that comes late, a bug that ends the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from regime3 import disk
from regime3.client import Client, node_address
from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.forge import view
from regime3.forge.forge import Forge
from regime3.loop import Half
from regime3.paths import Lab
from tests.forge.conftest import small
from tests.node.nodes import make_lab


class Scripted:
    """A worker whose turns are given."""

    def __init__(self, *turns: float | Exception) -> None:
        self.turns = list(turns)
        self.addresses: list[str] = []

    def __call__(self, client: Client) -> Scripted:
        self.addresses.append(client.address)
        return self

    def turn(self) -> float:
        found = self.turns.pop(0) if self.turns else 0.05
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path)


def lived(
    lab: Lab, make: Callable[[Client], object], until: Callable[[], bool], said: list[str]
) -> Half:
    """A half that ran until something was so."""
    stop = threading.Event()
    half = Half("half", lab, Settings(), make, stop, said.append)  # type: ignore[arg-type]
    half.start()
    deadline = time.monotonic() + 20
    while not until() and not stop.is_set():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    stop.set()
    half.join(10)
    return half


def test_trouble_is_told_once_and_so_is_its_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regime3.loop.RETRY_S", 0.01)
    disk.write_json(lab.node_address_file, {"url": "http://127.0.0.1:9"})
    worker, said = Scripted(Unavailable("away"), Unavailable("away"), 0.0), list[str]()
    half = lived(lab, worker, lambda: len(worker.turns) == 0 and len(said) == 2, said)
    assert said == ["half: away", "half: goes on"]
    assert len(worker.addresses) == 3  # the node may have moved
    assert half.crash is None


def test_a_bug_is_not_waited_out(lab: Lab) -> None:
    disk.write_json(lab.node_address_file, {"url": "http://127.0.0.1:9"})
    half = lived(lab, Scripted(ZeroDivisionError("bug")), lambda: False, [])
    assert isinstance(half.crash, ZeroDivisionError)


def test_a_node_that_never_ran_is_told_to_the_worker_and_one_that_comes_is_found(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regime3.loop.NODE_S_MAX", 0.0)
    with pytest.raises(Unavailable, match="does not run"):
        node_address(lab, Settings())
    worker = Scripted()

    def come() -> bool:
        if worker.addresses and not lab.node_address_file.exists():
            disk.write_json(lab.node_address_file, {"url": "http://127.0.0.1:9"})
        return "http://127.0.0.1:9" in worker.addresses

    lived(lab, worker, come, [])
    assert worker.addresses[0] == "http://no-node.invalid"


def test_a_node_that_may_be_starting_is_waited_for(lab: Lab) -> None:
    worker, said = Scripted(), list[str]()
    lived(lab, worker, lambda: len(said) == 1, said)
    assert said[0].startswith("half: this lab's node does not run") and worker.addresses == []


def test_the_forge_works_alone_where_no_node_has_ever_run(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regime3.loop.NODE_S_MAX", 0.0)
    settings = small(families="lists", shard_rows=20)

    def make(client: Client) -> Forge:
        return Forge(lab, settings, client, SystemClock())

    said: list[str] = []
    lived(lab, make, lambda: len(view(lab)["shards"]) > 0, said)
    (told,) = view(lab)["shards"][:1]
    assert told["rows"] > 0 and "no node answers" in told["note"]
