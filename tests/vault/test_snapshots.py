"""Daily snapshots: when they are due, what they hold, which go."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from regime3.config import Checkpoint
from regime3.errors import SealDamaged, SealError
from regime3.vault.snapshots import due_day
from tests.vault.small_lab import a_vault, flip, line_of, seal


def at(text: str) -> float:
    """Wall time of a local date and time."""
    return datetime.fromisoformat(text).timestamp()


FIRST = at("2027-03-01T10:00")


def due(now: str, *have: str) -> str | None:
    return due_day(at(now), "03:00", set(have), FIRST)


def test_due_at_three_and_not_before() -> None:
    assert due("2027-03-05T02:59", "2027-03-04") is None
    assert due("2027-03-05T03:00", "2027-03-04") == "2027-03-05"
    assert due("2027-03-05T03:01", "2027-03-05") is None


def test_a_machine_that_slept_past_three_makes_up_for_it_once() -> None:
    assert due("2027-03-05T11:30", "2027-03-04") == "2027-03-05"
    assert due("2027-03-20T01:00", "2027-03-04") == "2027-03-19"
    assert due("2027-03-20T01:30", "2027-03-04", "2027-03-19") is None


def test_a_new_lab_owes_nothing_for_this_morning() -> None:
    assert due("2027-03-01T18:00") is None
    assert due("2027-03-02T03:00") == "2027-03-02"
    assert due_day(at("2027-03-05T04:00"), "03:00", set(), None) is None


def test_a_clock_that_jumps_back_makes_no_second_snapshot_of_a_day() -> None:
    assert due("2027-03-05T01:00", "2027-03-04", "2027-03-05") is None
    assert due("2027-03-04T09:00", "2027-03-04", "2027-03-05") is None


def test_a_clock_that_jumped_far_ahead_once_stops_nothing() -> None:
    assert due("2027-03-06T04:00", "2027-03-05", "2031-01-01") == "2027-03-06"


def test_an_empty_time_or_a_limit_of_none_means_never(tmp_path: Path) -> None:
    assert due_day(at("2027-03-05T04:00"), "", set(), FIRST) is None
    vault = a_vault(tmp_path)
    seal(vault, 1)
    later = vault.clock.now() + 2 * 86400
    assert vault.snapshot_due(Checkpoint(snapshots_max=0), later) is None
    assert vault.snapshot_due(Checkpoint(), later) is not None


def test_a_snapshot_is_a_model_folder_without_the_trainers_state(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 3)
    path = vault.snapshot("2027-01-15")
    assert sorted(p.name for p in path.iterdir()) == [
        "config.json", "manifest.json", "model.safetensors", "tokenizer.json",
    ]  # fmt: skip
    assert (path / "model.safetensors").samefile(vault.lab.seal(3) / "model.safetensors")
    assert vault.snapshots.verify("2027-01-15").number == 3
    assert vault.head().number == 3, "a snapshot is not a checkpoint"


def test_taking_it_again_changes_nothing(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 1)
    first = vault.snapshot("2027-01-15").stat().st_ino
    seal(vault, 10)
    assert vault.snapshot("2027-01-15").stat().st_ino == first
    assert vault.snapshots.manifest("2027-01-15").number == 1


def test_a_damaged_snapshot_is_noticed(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 1)
    flip(vault.snapshot("2027-01-15") / "config.json", 3)
    with pytest.raises(SealDamaged):
        vault.snapshots.verify("2027-01-15")


@pytest.mark.parametrize("day", ["", "..", "2027-1-1", "../../x", "2027-01-15/x"])
def test_only_days_name_snapshots(tmp_path: Path, day: str) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 1)
    with pytest.raises(SealError, match="not a day"):
        vault.snapshot(day)


def test_pruning_keeps_the_newest_seals_whatever_the_clock_called_them(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    for step, day in enumerate(("2027-01-15", "2031-01-01", "2027-01-10", "2027-01-11")):
        seal(vault, step)
        vault.snapshot(day)
    assert vault.prune_snapshots(2) == ["2027-01-15", "2031-01-01"]
    assert vault.snapshots.days() == ["2027-01-10", "2027-01-11"]
    assert vault.prune_snapshots(2) == []
