"""The report, told from files that the lab's own code has written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regime3 import report
from regime3.cli.app import app
from regime3.paths import Lab
from tests.node.nodes import make_lab
from tests.web.labs import busy_day, loop_day


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path / "home")


def test_it_adds_up_what_the_files_say(lab: Lab) -> None:
    busy_day(lab, 120)
    loop_day(lab)
    found = report.view(lab)
    training = found["training"]
    assert training["steps"] == 120
    # A step every 6 s and nothing between: all of the time, but for the pause before the last.
    assert 90 <= training["in_steps_percent"] <= 100
    assert training["loss_last"] < training["loss_first"]
    assert found["words"] == {"first": 1, "promote": 1, "hold": 1, "worse": 1, "rollback": 1}
    made = found["made"]
    assert (made["shards"], made["rows"], made["attempts"], made["passed"]) == (5, 15_000, 500, 175)
    assert made["kinds"] == {"attempt": 3500, "oracle": 11_500}
    assert made["pass_rates"] == {"lists:2": {"first": 15.0, "lately": 50.0}}
    assert found["probes"]["3"] == [(0, 20.0), (600, 50.0), (1200, 80.0)]


def test_a_lab_without_any_story(lab: Lab) -> None:
    found = report.view(lab)
    assert found["training"] is None and found["verdicts"] == [] and found["made"]["shards"] == 0
    assert "Nothing has been trained yet." in report.markdown(found)


def test_the_command_prints_and_writes_it(lab: Lab, tmp_path: Path) -> None:
    busy_day(lab, 120)
    loop_day(lab)
    out = tmp_path / "run.md"
    told = CliRunner().invoke(app, ["report", "--lab", str(lab.root), "--export", str(out)])
    assert told.exit_code == 0, told.output
    text = out.read_text(encoding="utf-8")
    assert "| 5 |" in text and "rollback" in text and "| lists:2 | 15.0 | 50.0 |" in text
    assert "120 steps" in told.output
    as_json = CliRunner().invoke(app, ["report", "--lab", str(lab.root), "--json"])
    assert json.loads(as_json.output)["made"]["tokens"] == 6000


def test_status_has_a_line_for_the_judge_and_one_for_the_forge(lab: Lab) -> None:
    busy_day(lab, 120)
    before = CliRunner().invoke(app, ["status", "--lab", str(lab.root)]).output
    assert "champion" not in before and "forge:" not in before
    loop_day(lab)
    after = " ".join(CliRunner().invoke(app, ["status", "--lab", str(lab.root)]).output.split())
    assert "champion: checkpoint 4; last verdict: checkpoint 11 rollback" in after
    assert "judging 13: 31 won, 12 lost of 43" in after
    assert "forge: shard 5 with 3,000 rows" in after
