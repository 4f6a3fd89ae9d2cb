"""`r3 eval` and `r3 generate` against a node's router on a real socket."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from regime3.cli import jobs as verbs
from regime3.cli.app import app
from regime3.config import Settings
from regime3.errors import Regime3Error, Unavailable
from regime3.jobs.office import Jobs
from regime3.paths import Lab
from tests.jobs.double import FakeEngine, models
from tests.serve.test_jobs_routes import small_app

r3 = CliRunner()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    engine = FakeEngine().learn("arithmetic", [1], "heldout", 4)
    engine.learn("arithmetic", [1], "train", 4)
    up, port = threading.Event(), [0]
    servers: list[uvicorn.Server] = []

    async def serve() -> None:
        jobs = await Jobs.open(lab, Settings(), engine, models("right", "mixed"))
        await jobs.start()
        servers.append(uvicorn.Server(uvicorn.Config(small_app(jobs), port=0, log_level="error")))
        task = asyncio.create_task(servers[0].serve())
        while not servers[0].started:
            await asyncio.sleep(0.005)
        port[0] = servers[0].servers[0].sockets[0].getsockname()[1]
        up.set()
        await task
        await jobs.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(20)
    yield f"http://127.0.0.1:{port[0]}"
    servers[0].should_exit = True
    thread.join(20)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "POLL_S", 0.01)


def test_an_evaluation_ends_in_a_table_or_in_one_json_object(url: str) -> None:
    asked = ["eval", "tasks:arithmetic:1", "-m", "right", "-n", "4", "--url", url]
    machine = r3.invoke(app, [*asked, "--regime", "2", "--regime", "3", "--json"])
    assert machine.exit_code == 0, machine.output
    assert json.loads(machine.stdout)["summary"]["solved"] == 1.0
    person = r3.invoke(app, asked)
    assert person.exit_code == 0 and "done, 4 of 4" in person.stdout and "1.000" in person.stdout


def test_generated_shards_are_written_where_they_are_wanted(url: str, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    asked = ["generate", "arithmetic:1", "-m", "mixed", "--problems", "4", "--out", str(out)]
    done = r3.invoke(app, [*asked, "--url", url, "--verified", "--json"])
    assert done.exit_code == 0, done.output
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == json.loads(done.stdout)["summary"]["distinct"] > 0
    assert all(row["attempt"]["valid"] for row in rows)


def test_a_job_may_be_left_to_itself(url: str) -> None:
    asked = ["eval", "tasks:arithmetic:1", "-m", "right", "-n", "4", "--url", url]
    left = r3.invoke(app, [*asked, "--no-wait", "--json"])
    assert left.exit_code == 0 and json.loads(left.stdout)["state"] in ("queued", "running")


def test_what_the_node_refuses_is_told_in_its_words(url: str) -> None:
    refused = r3.invoke(app, ["eval", "tasks:arithmetic:1", "-m", "nobody", "--url", url])
    assert isinstance(refused.exception, Regime3Error)
    assert "(404): there is no model nobody" in refused.exception.message


def test_a_node_that_is_not_there_is_told_so() -> None:
    gone = r3.invoke(app, ["eval", "tasks:arithmetic:1", "--url", "http://127.0.0.1:9"])
    assert isinstance(gone.exception, Unavailable) and gone.exception.next_command == "r3 node"


@pytest.mark.parametrize("what", ["arithmetic:x", "arithmetic:1-x", "arithmetic:-"])
def test_levels_that_are_none_are_wrong_usage(what: str) -> None:
    assert r3.invoke(app, ["generate", what]).exit_code == 2
