"""Pushing beside training: the newest seal wins, trouble is told once, nothing waits."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regime3.cli.app import app
from regime3.config import Node as Settings
from regime3.paths import Lab
from regime3.ship.push import Node
from regime3.supervisor import pushing
from regime3.supervisor.pushing import Outcome, PushThread
from tests.ship.node import a_free_port, running, start
from tests.ship.test_export import a_seal


def outcomes(thread: PushThread, wanted: int) -> list[Outcome]:
    found: list[Outcome] = []
    deadline = time.monotonic() + 30
    while len(found) < wanted and time.monotonic() < deadline:
        found += thread.take()
        time.sleep(0.01)
    return found


@pytest.fixture
def node_lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "node")
    lab.node_models.mkdir(parents=True)
    return lab


def test_without_an_address_nothing_happens(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    thread = PushThread(lab, Settings())
    thread.offer(seal)
    assert not thread.needed() and not thread.take()
    thread.stop()


def test_a_node_that_is_away_is_told_once_and_gets_the_newest_when_it_is_back(
    tmp_path: Path, node_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    import regime3.ship.push as ship

    monkeypatch.setattr(ship, "PATIENCE_S", 0.0)
    monkeypatch.setattr(
        ship.push, "__kwdefaults__", {**ship.push.__kwdefaults__, "patience_s": 0.0}
    )
    monkeypatch.setattr(pushing, "RETRY_S", 0.05)
    lab, first = a_seal(tmp_path)
    port = a_free_port()
    thread = PushThread(lab, Settings(push_to=f"http://127.0.0.1:{port}"))
    thread.offer(first)
    (told,) = outcomes(thread, 1)
    assert not told.done and thread.needed() == {first.number}
    _, second = a_seal(tmp_path, 240)
    thread.offer(second)
    process = start(node_lab, port)
    found = outcomes(thread, 1)
    while not found[-1].done:
        found += outcomes(thread, 1)
    with Node(f"http://127.0.0.1:{port}") as node:
        listed = node.ask("GET", "/models").json()
    process.terminate()
    process.join()
    thread.stop()
    assert [model["origin"]["seal"] for model in listed["models"]] == [second.number]
    assert listed["aliases"]["champion"] == listed["models"][0]["id"]


def test_r3_push_sends_the_head_and_says_so(tmp_path: Path, node_lab: Lab) -> None:
    lab, seal = a_seal(tmp_path)
    lab.settings_file.write_text("")
    with running(node_lab) as url:
        words = ["push", "--to", url, "--activate", "--json", "--lab", str(lab.root)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["checkpoint"] == seal.number and told["activation"]["alias"] == "champion"
