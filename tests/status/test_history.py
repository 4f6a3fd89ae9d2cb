"""The metric history against a plain list of what was recorded."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.errors import LabError
from regime3.paths import Lab
from regime3.status.history import History
from regime3.status.history_files import HistoryFiles
from regime3.status.tiers import TIERS

NOW = 1_800_000_000.0


def filled(lab: Lab, steps: int, fine_steps_max: int = 1_000_000) -> History:
    """A history of `steps` steps, one a second, loss falling, one spike at step 1234."""
    history = History(lab, fine_steps_max)
    for step in range(1, steps + 1):
        loss = 99.0 if step == 1234 else 1 + 1 / step
        history.append(step, NOW + step, {"loss": loss, "tokens_per_sec": 1000.0})
    history.flush()
    return history


def test_a_spike_of_one_step_shows_at_every_zoom(lab: Lab) -> None:
    filled(lab, 23_456)
    files = HistoryFiles(lab)
    for points in (1, 3, 50, 800, 5000):
        buckets = files.read("loss", 0, None, points)
        assert len(buckets.step) <= points
        assert buckets.max.max() == 99.0
    everything = files.read("loss", 0, None, 10)
    assert everything.step[-1] == 23_456
    assert everything.min.min() == pytest.approx(1 + 1 / 23_456)


def test_a_reader_sees_what_is_flushed_while_the_writer_goes_on(lab: Lab) -> None:
    history = filled(lab, 5)
    history.append(6, NOW + 5.5, {"loss": 2.0})
    assert HistoryFiles(lab).last_step() == 5
    history.flush_if_due(NOW + 6.2)
    assert HistoryFiles(lab).last_step() == 6


def test_records_go_out_within_a_second_without_being_asked(lab: Lab) -> None:
    history = History(lab, 1000)
    history.append(1, NOW, {"loss": 1.0})
    for step in range(2, 12):
        history.append(step, NOW + step / 10, {"loss": 1.0})
    assert HistoryFiles(lab).last_step() == 10


def test_what_was_not_measured_is_neither_zero_nor_drawn(lab: Lab) -> None:
    history = History(lab, 1000)
    for step in range(1, 31):
        history.append(step, NOW + step, {"loss": None if step % 2 else math.inf})
    history.append(31, NOW + 31, {"loss": 4.0})
    buckets = history.read("loss", 0, None, 100)
    assert np.isnan(buckets.mean[:-1]).all() and buckets.mean[-1] == 4.0
    assert np.isnan(history.read("validation_loss", 0, None, 3).max).all()


def test_a_validation_that_comes_after_its_step_joins_that_step(lab: Lab) -> None:
    history = History(lab, 1000)
    for step in range(1, 21):
        history.append(step, NOW + step, {"loss": 1.0})
        if step == 10:
            history.append(step, NOW + step + 0.5, {"validation_loss": 3.0})
    table_points = 2
    buckets = history.read("validation_loss", 0, None, table_points)
    assert np.nanmax(buckets.last) == 3.0
    table = history.files.read_table(["loss"], 0, None, 100)
    assert table.count.sum() == 20


def test_a_torn_last_record_is_cut_and_the_rest_is_kept(lab: Lab) -> None:
    filled(lab, 105).close()
    for tier in (1, 10):
        with open(lab.history_segment(tier, 0), "ab") as out:
            out.write(b"\x07" * 13)
    history = History(lab, 1_000_000)
    assert history.last_step == 105
    history.append(106, NOW + 106, {"loss": 7.0})
    assert history.read("loss", 106, 106, 5).last.tolist() == [7.0]


def test_zeros_that_a_power_cut_left_are_cut(lab: Lab) -> None:
    filled(lab, 50).close()
    with open(lab.history_segment(1, 0), "ab") as out:
        out.write(b"\x00" * 80 * 3)
    assert History(lab, 1_000_000).last_step == 50


def test_a_history_reopened_in_mid_bucket_equals_one_never_closed(tmp_path: Path) -> None:
    once, often = Lab(tmp_path / "once"), Lab(tmp_path / "often")
    for lab, cuts in ((once, set()), (often, {1, 7, 10, 99, 100, 101, 1010, 1999})):
        lab.root.mkdir()
        history = History(lab, 1_000_000)
        for step in range(1, 2101):
            history.append(step, NOW + step, {"loss": math.sin(step) + 2})
            if step in cuts:
                history.close()
                history = History(lab, 1_000_000)
        history.close()
    for tier in (1, 10, 100, 1000):
        same = [lab.history_segment(tier, 0).read_bytes() for lab in (once, often)]
        assert same[0] == same[1] and same[0]


def test_a_coarse_tier_that_was_lost_is_rebuilt_from_the_finer_one(lab: Lab) -> None:
    filled(lab, 2500).close()
    before = lab.history_segment(100, 0).read_bytes()
    lab.history_segment(100, 0).unlink()
    history = History(lab, 1_000_000)
    history.close()
    assert lab.history_segment(100, 0).read_bytes() == before


def test_after_a_rollback_the_line_goes_on_at_the_head_and_the_old_one_stays_readable(
    lab: Lab,
) -> None:
    history = filled(lab, 1300)
    assert history.branch(1205, NOW + 2000)
    for step in range(1206, 1401):
        history.append(step, NOW + 2000 + step, {"loss": 0.5})
    history.flush()
    files = HistoryFiles(lab)
    for points in (4, 140, 5000):
        line = files.read("loss", 0, None, points)
        assert line.max.max() <= 2.0, "the spike at 1234 was rolled back"
        assert line.step[-1] == 1400
    assert files.read_table(["loss"], 0, None, 5).count.sum() == 1400
    assert files.abandoned() == [(0, 1206, 1300)]
    assert files.read_abandoned(0, ["loss"], 10).columns["loss"].max.max() == 99.0


def test_a_restart_behind_the_recorded_steps_branches_by_itself(lab: Lab) -> None:
    history = filled(lab, 40)
    history.append(31, NOW + 100, {"loss": 8.0})
    assert history.read("loss", 0, None, 100).step.tolist()[-1] == 31
    assert history.files.abandoned() == [(0, 31, 40)]


def test_a_branch_at_or_past_the_last_step_changes_nothing(lab: Lab) -> None:
    history = filled(lab, 40)
    assert not history.branch(40, NOW) and not history.branch(90, NOW)
    assert not lab.history_branches.exists()


def test_the_fine_tier_stays_bounded_and_coarser_ones_answer_for_it(lab: Lab) -> None:
    history = filled(lab, 6000, fine_steps_max=1000)
    kept = sorted(path.name for path in lab.history.glob("tier-1-*.bin"))
    assert len(kept) <= 5
    assert sum((lab.history / name).stat().st_size for name in kept) <= 1250 * 80
    buckets = history.read("loss", 0, None, 5000)
    assert buckets.max.max() == 99.0 and buckets.step[-1] == 6000
    assert history.files.step_at(NOW + 1500) == 1500
    assert history.files.step_at(NOW + 5900) == 5900


def test_five_million_steps_are_answered_from_few_records(lab: Lab) -> None:
    files = HistoryFiles(lab)
    filled(lab, 100)
    assert files.choose_tier(0, 5_000_000) == 1000
    assert files.choose_tier(0, 19_000_000) == 1000
    assert files.choose_tier(0, 40_000_000) == 10_000
    assert files.choose_tier(4_990_000, 5_000_000) == 1


def test_a_history_of_another_layout_is_refused_with_the_fix(lab: Lab) -> None:
    filled(lab, 3).close()
    lab.history_schema.write_text('{"schema": 99, "segment_records": 5}')
    with pytest.raises(LabError, match="move the folder aside"):
        History(lab, 1000)


moves = st.lists(
    st.one_of(
        st.tuples(st.just("steps"), st.integers(1, 150)),
        st.tuples(st.just("skip"), st.integers(1, 30)),
        st.tuples(st.just("branch"), st.integers(0, 120)),
        st.tuples(st.just("reopen"), st.just(0)),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(moves)
def test_every_tier_agrees_with_a_plain_list_through_branches_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, moves: list[tuple[str, int]]
) -> None:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    history = History(lab, 1_000_000)
    line: dict[int, float] = {}
    step = clock = 0
    for move, size in moves:
        if move == "steps":
            for _ in range(size):
                step, clock = step + 1, clock + 1
                line[step] = float(np.float32(1 + (clock * 7919 % 1000) / 10))
                history.append(step, NOW + clock, {"loss": line[step]})
        elif move == "skip":
            step += size
        elif move == "branch":
            step = max(0, step - size)
            history.branch(step, NOW + clock)
            line = {s: loss for s, loss in line.items() if s <= step}
        else:
            history.close()
            history = History(lab, 1_000_000)
    history.flush()
    for tier in TIERS:
        rows = HistoryFiles(lab).rows(tier, 0, 10**9)
        assert rows["count"].sum() == len(line)
        for row in rows:
            inside = [line[s] for s in range(row["start"], row["step"] + 1) if s in line]
            assert row["min"][0] == min(inside) and row["max"][0] == max(inside)
            assert row["mean"][0] == pytest.approx(sum(inside) / len(inside), rel=1e-5)
            assert row["last"][0] == line[int(row["step"])]
