"""What can be taken away of a history, read back by whoever it is meant for."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from regime3 import disk, export
from regime3.cli.app import app
from regime3.errors import InputRefused
from regime3.paths import Lab
from regime3.status.history_files import HistoryFiles
from regime3.status.tiers import METRICS
from tests.node.nodes import make_lab
from tests.status.test_history import NOW, filled
from tests.web.labs import HOSTILE, busy_day, loop_day


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path / "home")


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_each_line_of_the_table_is_a_stretch_with_its_exact_extremes(lab: Lab) -> None:
    filled(lab, 2_000)
    rows = read(export.as_csv(export.stretch(lab, 1, None, 100)))
    assert len(rows) <= 100 and sum(int(row["steps"]) for row in rows) == 2_000
    assert {name.rpartition("_")[0] for name in list(rows[0])[4:]} == set(METRICS)
    spiky = [row for row in rows if float(row["loss_max"]) == 99.0]
    assert len(spiky) == 1
    assert int(spiky[0]["first_step"]) <= 1234 <= int(spiky[0]["step"])
    assert rows[0]["validation_loss_mean"] == "", "what was not measured is empty"
    alone = read(export.as_csv(export.stretch(lab, 1230, 1240, 100)))
    assert [int(row["step"]) for row in alone] == list(range(1230, 1241))
    assert alone[0]["time"].endswith("+00:00")


def test_the_page_needs_nothing_and_runs_nothing(lab: Lab) -> None:
    busy_day(lab, 400)
    loop_day(lab)
    text = export.as_html(lab, export.stretch(lab, 0, None, 500), time.time())
    assert text.count("<svg") == 2 and "<polyline" in text and '<circle class="dot"' in text
    assert "<script" not in text and not re.search(r"<[^>]*(?:src|href|onerror)=|url\(", text)
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text, "the hostile reason stands there as text"
    assert "rollback" in text and "31 won, 77 lost" in text
    assert "steps 1 to 400" in text


def test_an_empty_lab_gives_an_empty_table_and_a_page_that_says_so(lab: Lab) -> None:
    nothing = export.stretch(lab, 0, None, 10)
    assert read(export.as_csv(nothing)) == [] and export.stem(lab, nothing) == "home-steps-empty"
    assert "nothing recorded" in export.as_html(lab, nothing, NOW)


def test_tensorboard_reads_the_whole_history_each_stretch_as_fine_as_it_is_kept(lab: Lab) -> None:
    filled(lab, 7_000, fine_steps_max=3_000)
    fine = HistoryFiles(lab).tier(1)
    assert fine.first > 0, "the oldest steps are kept in buckets only"
    kept_from = -(-int(fine.rows(fine.first, fine.first + 1)["step"][0]) // 10) * 10
    folder = lab.root / "runs"
    export.to_tensorboard(lab, folder)
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    loss = found.Scalars("loss")
    steps = [each.step for each in loss]
    assert steps == sorted(set(steps)) and steps[-1] == 7_000
    assert steps[-(7_000 - kept_from) - 1 :] == list(range(kept_from, 7_001)), (
        "one by one, from a bucket's end"
    )
    assert loss[-1].value == pytest.approx(1 + 1 / 7_000) and loss[-1].wall_time == NOW + 7_000
    assert max(each.value for each in found.Scalars("loss/max")) == 99.0, "the spike is in a bucket"
    assert "validation_loss" not in found.Tags()["scalars"]
    with pytest.raises(InputRefused, match="not empty"):
        export.to_tensorboard(lab, folder)


def test_the_finest_records_cover_every_step_once(lab: Lab) -> None:
    filled(lab, 7_000, fine_steps_max=3_000)
    parts = list(HistoryFiles(lab).finest())
    assert sum(int(part["count"].sum()) for part in parts) == 7_000
    assert sorted({int(part["count"].max()) for part in parts}) == [1, 10]


def test_the_command_goes_by_the_ending(lab: Lab, tmp_path: Path) -> None:
    filled(lab, 300)
    run = CliRunner()
    table, page, runs = tmp_path / "a.csv", tmp_path / "a.html", tmp_path / "runs"
    where = ["--lab", str(lab.root)]
    told = run.invoke(app, ["export", str(table), "--first", "101", "--last", "150", *where])
    assert told.exit_code == 0, told.output
    assert len(read(table.read_text())) == 50
    assert run.invoke(app, ["export", str(page), *where]).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    as_json = run.invoke(app, ["export", str(runs), "--json", *where])
    assert json.loads(as_json.stdout) == {"written": str(runs), "values": 600}
    disk.write_text(runs / "x", "")
    again = run.invoke(app, ["export", str(runs), *where])
    assert again.exit_code != 0
    assert run.invoke(app, ["export", str(tmp_path / "a.xlsx"), *where]).exit_code == 2
