"""The history that `r3 bench web` looks at is one that the lab's own reader reads as its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from regime3.bench import long_history
from regime3.paths import Lab
from regime3.status.history import History
from regime3.status.history_files import HistoryFiles
from regime3.status.tiers import TIERS

STEPS = 40_000


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(long_history, "STEPS", STEPS)
    monkeypatch.setattr(long_history, "CHUNK", 10_000)
    monkeypatch.setattr(long_history, "SPIKE_AT", 23_456)
    lab = Lab(tmp_path)
    long_history.write_history(lab)
    return lab


def test_its_spike_is_seen_at_every_zoom_and_its_steps_are_all_there(lab: Lab) -> None:
    files = HistoryFiles(lab)
    assert files.last_step() == STEPS - 1
    for points in (5, 100, 800):
        table = files.read_table(["loss"], 0, None, points)
        assert table.count.sum() == STEPS - 1
        assert table.columns["loss"].max.max() == np.float32(long_history.SPIKE)
    near = files.read_table(["loss"], 23_450, 23_460, 100)
    assert list(near.step) == list(range(23_450, 23_461))


def test_its_coarse_records_are_those_that_the_history_itself_would_write(
    lab: Lab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    ours, theirs = HistoryFiles(lab), Lab(tmp_path_factory.mktemp("other"))
    fine = ours.tier(1)
    segment = json.loads(lab.history_schema.read_bytes())["segment_records"]
    written = History(theirs, 10 * STEPS)
    values = np.concatenate([fine.rows(at, at + segment) for at in range(0, STEPS, segment)])
    for row in values[:20_000]:
        figures = {name: float(row["value"][at]) for name, at in long_history.COLUMN_OF.items()}
        known = {name: value for name, value in figures.items() if np.isfinite(value)}
        written.append(int(row["step"]), float(row["time"]), known)
    written.close()
    for tier in TIERS[1:4]:
        want = HistoryFiles(theirs).tier(tier)
        count = want.stop - 1
        got, told = ours.tier(tier).rows(0, count), want.rows(0, count)
        for name in ("start", "step", "count"):
            assert (got[name] == told[name]).all(), (tier, name)
        for name in ("min", "max", "mean", "last"):
            np.testing.assert_allclose(got[name], told[name], rtol=1e-5, err_msg=f"{tier} {name}")
