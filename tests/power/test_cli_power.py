"""`r3 power` and `r3 token`: through a running node, or on the card itself."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from typer.testing import CliRunner

from regime3 import disk
from regime3.cli.app import app
from regime3.errors import InputRefused, NodeRefused, Regime3Error, Unavailable
from regime3.paths import Lab
from regime3.power.before import Before
from regime3.serve.guard import Guard
from regime3.tokens import TokenFile
from tests.serve.telling import Told

runner = CliRunner()


@pytest.fixture
def made(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.node.mkdir(parents=True)
    lab.settings_file.write_text("[power]\nsimulated = true\n")
    return lab


def r3(lab: Lab, *words: str, code: int = 0) -> Any:
    result = runner.invoke(app, [*words, "--lab", str(lab.root), "--json"])
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def refusal(lab: Lab, kind: type[Regime3Error], *words: str) -> Regime3Error:
    result = runner.invoke(app, [*words, "--lab", str(lab.root)])
    assert isinstance(result.exception, kind), (result.output, result.exception)
    return result.exception


def test_without_a_node_the_card_itself_is_set_and_stays_so(made: Lab) -> None:
    assert r3(made, "power")["cards"][0]["power_limit_w"] == 350.0
    found = r3(made, "power", "quiet")
    assert found["node"] is None and found["cards"][0]["enforced_w"] == 220.0
    shown = r3(made, "power")["cards"][0]
    assert shown["power_limit_w"] == 220.0 and shown["simulated"] is True
    assert not made.node_power_file.exists()
    assert r3(made, "power", "max", "--set", "power.max_w=900")["cards"][0]["enforced_w"] == 366.0
    text = runner.invoke(app, ["power", "--lab", str(made.root)]).stdout
    assert "(simulated)" in text and "366 W" in text


def test_without_a_card_setting_is_refused_and_showing_says_why(
    made: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    made.settings_file.write_text("")
    found = r3(made, "power")
    assert found["cards"] is None and "nvidia-ml-py" in found["reason"]
    assert "no card" in refusal(made, NodeRefused, "power", "quiet").message
    assert "no card" in refusal(made, Unavailable, "power", "calibrate").message


def test_calibrate_sweeps_and_puts_the_limit_back(made: Lab) -> None:
    r3(made, "power", "normal")
    found = r3(made, "power", "calibrate", "--step", "133", "--seconds", "0.05")
    assert [point["limit_w"] for point in found["points"]] == [100, 233, 366]
    assert found["simulated"] and found["best"]["limit_w"] == 100
    assert found["restored_w"] == 280.0 == r3(made, "power")["cards"][0]["power_limit_w"]
    assert not made.node_power_file.exists()
    assert "no sweep" in refusal(made, InputRefused, "power", "calibrate", "--step", "0").message
    wrong = runner.invoke(app, ["power", "calibrate", "--card", "1", "--lab", str(made.root)])
    assert wrong.exit_code == 2
    text = runner.invoke(
        app, ["power", "calibrate", "--step=266", "--seconds=0.01", "--lab", str(made.root)]
    ).stdout
    assert "best: 100 W" in text and "back at 280 W" in text


def test_calibrate_first_undoes_what_a_killed_one_left(made: Lab) -> None:
    from regime3.clock import SystemClock
    from regime3.power.simulated import SimulatedCard

    card = SimulatedCard(SystemClock(), made.node_simulated_card_file)
    card.set_limit(300.0)
    Before(made).remember(card)
    card.set_limit(120.0)
    found = r3(made, "power", "calibrate", "--step", "266", "--seconds", "0.01")
    assert found["restored_w"] == 300.0 and not made.node_power_file.exists()


@pytest.fixture
def running(made: Lab) -> Iterator[Told]:
    """A node of the lab, as far as its telemetry goes, behind the guard."""
    node = Told(made.root)
    guarded = Guard(node.app, node.telemetry.settings.node, TokenFile(made))
    config = uvicorn.Config(guarded, lifespan="off", ws="none", log_level="critical")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    disk.write_json(made.node_address_file, {"url": url})
    with disk.Lock(made.node_lock, "the node", "test"):
        yield node
    server.should_exit = True
    thread.join()
    listener.close()


def test_a_running_node_is_asked(made: Lab, running: Told) -> None:
    found = r3(made, "power", "quiet")
    assert found["node"] and found["by"] == "hand" and running.keeper.profile == "quiet"
    shown = r3(made, "power")
    assert shown["profile"]["profile"] == "quiet" and shown["schedule"]["quiet_hours"] is None
    assert made.node_power_file.exists()
    assert r3(made, "power", "calibrate", "--step", "266", "--seconds", "0.01")["points"]
    assert made.node_power_file.exists(), "the node's own note stays"


def test_a_running_node_goes_back_to_automatic(made: Lab, running: Told) -> None:
    r3(made, "power", "quiet")
    found = r3(made, "power", "auto")
    assert (found["profile"], found["by"]) == ("none", "settings")
    assert running.keeper.profile == "none"


def test_automatic_wants_a_node(made: Lab) -> None:
    assert refusal(made, Unavailable, "power", "auto").next_command == "r3 node"


def test_a_running_node_with_tokens_wants_an_admin(
    made: Lab, running: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = r3(made, "token", "create", "admin")["token"]
    asking = r3(made, "token", "create", "inference")["token"]
    assert "token is needed" in refusal(made, NodeRefused, "power", "max").message
    assert "admin" in refusal(made, NodeRefused, "power", "max", "--token", asking).message
    assert r3(made, "power", "max", "--token", admin)["profile"] == "max"
    monkeypatch.setenv("R3_TOKEN", admin)
    assert r3(made, "power", "quiet")["profile"] == "quiet"


def test_a_node_that_is_gone_is_one_sentence(made: Lab) -> None:
    disk.write_json(made.node_address_file, {"url": "http://127.0.0.1:9/"})
    with disk.Lock(made.node_lock, "the node", "test"):
        assert "does not answer" in refusal(made, Unavailable, "power", "max").message


def test_tokens_are_made_listed_and_revoked(made: Lab) -> None:
    found = r3(made, "token", "create", "inference", "--name", "eval box")
    assert found["token"].startswith("r3i_")
    (listed,) = r3(made, "token", "list")["tokens"]
    assert listed["name"] == "eval box" and found["token"] not in json.dumps(listed)
    gone = r3(made, "token", "revoke", found["id"])
    assert gone["left"] == 0 and r3(made, "token", "list")["tokens"] == []
    assert "no token" in refusal(made, InputRefused, "token", "revoke", found["id"]).message
    assert runner.invoke(app, ["token", "create", "root", "--lab", str(made.root)]).exit_code == 2
    text = runner.invoke(app, ["token", "create", "admin", "--lab", str(made.root)]).stdout
    assert text.strip().startswith("r3a_") and len(text.split()) == 1
