"""Liveness by age, rates and trends, and readings of the machine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from regime3.paths import Lab
from regime3.records.status import State, TrainingStatus
from regime3.status.learning import Losses, accuracy_trend, share_right
from regime3.status.liveness import judge
from regime3.status.machine import Machine
from regime3.status.rates import Baseline, RecentSteps, RowRate
from tests.status.reports import FakeCards, NoCards, step_done

NOW = 1_800_000_000.0


def status(
    state: State = "training", *, heard: float = 1.0, written: float = 0.5
) -> TrainingStatus:
    return TrainingStatus(
        state=state,
        heartbeat=NOW - heard,
        timestamp=NOW - written,
        worker_pid=7,
        stall_after_s=30.0,
        dead_after_s=300.0,
        current_file="chats.jsonl",
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (status(), "alive"),
        (status("waiting"), "alive"),
        (status("sealing"), "alive"),
        (status("starting"), "alive"),
        (status(heard=31), "stalled"),
        (status("restarting"), "stalled"),
        (status("paused"), "paused"),
        (status("stopped", heard=9e5, written=9e5), "stopped"),
        (status("fatal", heard=9e5, written=9e5), "fatal"),
        (status(heard=90, written=90), "dead"),
        (status("paused", heard=90, written=90), "dead"),
        (status(heard=-3, written=-3), "alive"),
    ],
)
def test_a_status_is_judged_by_its_age_and_not_by_its_word(
    given: TrainingStatus, expected: str
) -> None:
    assert judge(given, NOW).state == expected
    assert judge(msgspec.to_builtins(given), NOW).state == expected


def test_a_file_that_nobody_writes_is_dead_although_it_says_training() -> None:
    verdict = judge(status(), NOW + 3600)
    assert verdict.state == "dead" and "r3 trainer" in verdict.what_to_do
    assert verdict.supervisor_age_s == pytest.approx(3600.5)


def test_a_worker_that_loads_after_a_long_night_is_not_stalled() -> None:
    given = status("starting", heard=30_000)
    given.worker_started_at = NOW - 5
    assert judge(given, NOW).state == "alive"


def test_a_status_without_any_sign_of_life_is_dead() -> None:
    assert judge(TrainingStatus(), NOW).state == "dead"


def test_the_eta_is_unknown_until_three_blocks_of_time_are_known() -> None:
    rate = RowRate()
    for second in range(5):
        rate.add(10, 1.0, 0.0, float(second))
    assert rate.eta(100) is None
    for second in range(5, 8):
        rate.add(10, 1.0, 0.0, float(second))
    expected, fast, slow = rate.eta(100) or (0, 0, 0)
    assert expected == pytest.approx(10) and fast < expected < slow


def test_uneven_speed_makes_the_range_wider() -> None:
    widths = []
    for slow_s in (2.0, 6.0):
        rate, at = RowRate(), 0.0
        for block in range(20):
            seconds = slow_s if block >= 10 else 2.0
            at += seconds
            rate.add(20, seconds, 0.0, at)
        expected, fast, slow = rate.eta(99) or (1.0, 0.0, 0.0)
        widths.append((slow - fast) / expected)
    assert widths[1] > 3 * widths[0]


def test_time_between_steps_counts_but_not_a_restart() -> None:
    rate = RowRate()
    at = 0.0
    for step in range(30):
        at += 1.5
        if step == 15:
            at += 1000
            rate.interrupt()
        rate.add(15, 1.0, 0.0, at)
    assert (rate.eta(100) or (0,))[0] == pytest.approx(10, rel=0.1)


def test_the_baseline_is_not_talked_down_by_a_slow_hour() -> None:
    baseline = Baseline()
    for _ in range(100):
        baseline.add(1000.0, 1.0)
    for _ in range(3600):
        baseline.add(400.0, 1.0)
    assert (baseline.share(400.0) or 1) < 0.5 and baseline.trend(400.0) == "falling"


def test_speed_forgets_steps_older_than_a_minute() -> None:
    recent = RecentSteps()
    for step in range(100):
        recent.add(step_done(step, tokens=1000))
    for step in range(100, 170):
        recent.add(step_done(step, tokens=3000))
    speed = recent.speed()
    assert speed is not None and speed.tokens_per_s == pytest.approx(3000)


def test_a_trend_is_a_word_only_beyond_the_noise() -> None:
    noisy, falling = Losses(), Losses()
    for step in range(200):
        noisy.add(step, 1 + (step * 7919 % 100) / 100)
        falling.add(step, 2 - step / 200 + (step * 7919 % 100) / 1000)
    assert (noisy.change() or ("", ""))[1] == "flat"
    change, trend = falling.change() or (0.0, "")
    assert trend == "falling" and change == pytest.approx(-0.5, abs=0.02)
    assert Losses().change() is None and Losses().variance() is None


def test_the_smoothed_loss_starts_as_a_mean_and_ends_as_a_moving_one() -> None:
    losses = Losses()
    for step, loss in enumerate((4.0, 2.0, 3.0)):
        losses.add(step, loss)
    assert losses.smoothed == pytest.approx(3.0)
    for step in range(500):
        losses.add(step, 1.0)
    assert losses.smoothed == pytest.approx(1.0, abs=0.01)


def test_accuracy_over_the_last_needs_as_many_answers() -> None:
    assert share_right("1" * 19, 20) is None
    assert share_right("0" * 10 + "1" * 10, 20) == 50
    assert accuracy_trend([50.0] * 9) is None
    assert accuracy_trend([50.0] * 5 + [60.0] * 5) == "rising"


def test_a_machine_without_a_card_says_null_and_never_invents_one(tmp_path: Path) -> None:
    machine = Machine(Lab(tmp_path), NoCards())
    assert machine.refresh(NOW, 0.0, None)
    assert machine.gpu is None and machine.energy_j == 0
    assert machine.system is not None and machine.system.disk_total_bytes > 0
    assert machine.system.cpu_percent is None, "the first answer has nothing to compare with"


def test_readings_are_at_least_seconds_apart_and_energy_is_power_times_time(
    tmp_path: Path,
) -> None:
    machine = Machine(Lab(tmp_path), FakeCards())
    assert machine.refresh(NOW, 100.0, None)
    assert not machine.refresh(NOW, 101.0, None)
    assert machine.refresh(NOW, 110.0, None)
    assert machine.energy_j == pytest.approx(3000)


def test_the_memory_of_a_worker_that_is_gone_is_unknown(tmp_path: Path) -> None:
    machine = Machine(Lab(tmp_path), NoCards())
    machine.refresh(NOW, 0.0, 2**22 - 3)
    assert machine.system is not None and machine.system.worker_memory_bytes is None
