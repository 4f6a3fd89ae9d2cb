"""Readings over time: peaks kept, gaps shown, files bounded, torn tails cut."""

from __future__ import annotations

import pytest

from regime3.paths import Lab
from regime3.records.status import GpuReading, SystemReading
from regime3.status import machine_log
from regime3.status.machine_log import RECORD, TIERS, MachineLog, Tier, figures_of, read

NOW = 1_800_000_000.0


def reading(memory: float, cpu: float | None = 10.0) -> machine_log.Figures:
    system = SystemReading(NOW, cpu, 2, int(memory), 100, 50, 100)
    return figures_of(system, None)


def feed(log: MachineLog, seconds: int, memory: float = 40.0, start: float = NOW) -> None:
    for second in range(0, seconds, 3):
        log.add(start + second, reading(memory))


def test_a_peak_of_one_reading_stays_in_sight_however_coarse(lab: Lab) -> None:
    log = MachineLog(lab)
    feed(log, 300)
    log.add(NOW + 301, reading(99.0))
    feed(log, 3000, start=NOW + 303)
    for points in (400, 20, 1):
        found = read(lab, 0.0, points)
        assert len(found["time"]) <= points
        memory = found["figures"]["memory_used_bytes"]
        assert max(memory["max"]) == 99.0 and min(memory["min"]) == 40.0
    assert memory["last"] == [40.0]


def test_what_was_never_measured_is_none_and_never_zero(lab: Lab) -> None:
    log = MachineLog(lab)
    for second in range(60):
        log.add(NOW + second, reading(40.0, cpu=None))
    figures = read(lab, 0.0, 10)["figures"]
    assert set(figures["cpu_percent"]["last"]) == {None}
    assert set(figures["gpu_power_w"]["max"]) == {None}


def test_several_cards_are_summed_or_the_hottest() -> None:
    cards = [
        GpuReading(0, "a", memory_used_bytes=5, temperature_c=60.0, power_w=100.0),
        GpuReading(1, "b", memory_used_bytes=7, temperature_c=70.0, power_w=None),
    ]
    found = figures_of(None, cards)
    assert (found["gpu_memory_bytes"], found["gpu_temperature_c"]) == (12.0, 70.0)
    assert (found["gpu_power_w"], found["gpu_busy_percent"]) == (100.0, None)
    assert found["cpu_percent"] is None


def test_a_stop_is_a_gap_and_not_a_line(lab: Lab) -> None:
    feed(MachineLog(lab), 120)
    feed(MachineLog(lab), 120, start=NOW + 7200)
    found = read(lab, 0.0, 400)
    last = found["figures"]["memory_used_bytes"]["last"]
    assert last.count(None) == 1
    gap = last.index(None)
    assert found["time"][gap - 1] < NOW + 120 < found["time"][gap] < NOW + 7200
    assert len(read(lab, NOW + 7000, 400)["time"]) == last[gap + 1 :].__len__()


def test_a_torn_tail_is_cut_and_the_next_record_is_whole(lab: Lab) -> None:
    feed(MachineLog(lab), 120)
    path = lab.machine_log("10s")
    whole = read(lab, 0.0, 400)
    path.write_bytes(path.read_bytes() + b"torn")
    assert read(lab, 0.0, 400) == whole
    feed(MachineLog(lab), 60, memory=41.0, start=NOW + 120)
    assert path.stat().st_size % RECORD.itemsize == 0
    assert read(lab, NOW + 121, 400)["figures"]["memory_used_bytes"]["last"][-1] == 41.0


def test_the_files_stay_bounded_and_the_newest_is_kept(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = (Tier("10s", 10.0, 20), Tier("10min", 600.0, 5))
    monkeypatch.setattr(machine_log, "TIERS", small)
    log = MachineLog(lab)
    for second in range(0, 40_000, 10):
        log.add(NOW + second, reading(second))
    for tier in small:
        size = lab.machine_log(tier.name).stat().st_size
        assert tier.kept <= size / RECORD.itemsize <= 2 * tier.kept
    found = read(lab, 0.0, 1000)
    assert found["figures"]["memory_used_bytes"]["last"][-1] > 39_900
    assert found["time"] == sorted(found["time"])
    assert found["time"][0] < NOW + 37_000  # further back than the finer file reaches


def test_a_clock_that_jumps_back_breaks_nothing(lab: Lab) -> None:
    log = MachineLog(lab)
    feed(log, 120)
    feed(log, 120, memory=41.0, start=NOW - 3600)
    found = read(lab, 0.0, 400)
    assert found["time"] == sorted(found["time"])
    assert {40.0, 41.0} <= set(found["figures"]["memory_used_bytes"]["last"])


def test_an_empty_lab_has_no_readings(lab: Lab) -> None:
    assert read(lab, 0.0, 400)["time"] == []
    assert TIERS[0].kept * TIERS[0].every_s == 2 * 86_400
