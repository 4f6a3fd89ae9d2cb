"""The contract of `r3 bench NAME --json`: one object with these keys, and nothing else said."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from regime3 import bench
from regime3.cli.app import app
from regime3.errors import Unavailable

KEYS = {
    "name", "figures", "spread", "runs", "versions", "machine", "seconds", "command", "notes",
    "meaning",
}  # fmt: skip


def measured(quick: bool) -> dict[str, Any]:
    return {
        "figures": {"overhead_percent": 1.5, "other": None},
        "spread": {"overhead_percent": [1.0, 2.0]},
        "runs": 3,
        "notes": ["other could not be measured"],
        "meaning": {"overhead_percent": "what it costs"},
    }


@pytest.mark.parametrize("name", sorted(bench.NAMES))
def test_every_benchmark_is_there_and_runs_by_its_name(name: str) -> None:
    module = importlib.import_module(f"regime3.bench.{bench.NAMES[name]}")
    assert callable(module.run)


def test_json_is_one_object_with_the_whole_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regime3.bench.status.run", measured)
    result = CliRunner().invoke(app, ["bench", "status", "--json"])
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and set(found) == KEYS
    assert found["command"] == "r3 bench status --quick --json"
    assert found["machine"]["cores"] and found["versions"]["torch"]


def test_the_table_says_what_was_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regime3.bench.status.run", measured)
    result = CliRunner().invoke(app, ["bench", "status", "--full"])
    assert "not measured" in result.stdout and "could not be measured" in result.stdout
    assert "r3 bench status --full" in result.stdout


def test_a_peer_that_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, package=None: None)
    with pytest.raises(Unavailable, match="bench"):
        bench.measure("admit", quick=True)


def test_an_unknown_benchmark_names_the_known(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["bench", "nonsense"])
    assert result.exit_code == 2 and "admit" in result.output
