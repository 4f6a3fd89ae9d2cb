"""The sweep: every limit measured, the best found, the old limit back whatever happens."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.clock import FakeClock
from regime3.errors import InputRefused, NodeRefused
from regime3.power.calibrate import calibrate, sweep
from regime3.power.simulated import SimulatedCard


def test_the_sweep_measures_tokens_per_joule_by_the_counter(
    card: SimulatedCard, clock: FakeClock
) -> None:
    card.set_limit(300.0)
    told: list[Any] = []
    found = calibrate(card, clock, card.load, step_w=50.0, seconds=4.0, tell=told.append)
    assert [point.limit_w for point in found.points] == [100, 150, 200, 250, 300, 350, 366]
    assert told == found.points and found.simulated
    for point in found.points:
        assert point.counted and point.seconds == pytest.approx(4.0)
        assert point.energy_j == pytest.approx(4.0 * min(350.0, point.limit_w))
        assert point.tokens == pytest.approx(4000 * min(1, point.limit_w / 350) ** 0.5, rel=0.01)
    assert found.best is found.points[0]  # by the formula, the lowest limit buys most
    assert card.limit_w() == found.restored_w == 300.0
    assert found.as_dict()["best"]["tokens_per_j"] == pytest.approx(5.345, rel=0.01)


def test_without_a_counter_the_draw_over_time_counts(
    card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    real = card.read
    monkeypatch.setattr(
        card, "read", lambda: dataclasses.replace(real(), energy_j=None, power_w=200.0)
    )
    (first, *_) = calibrate(card, clock, card.load, step_w=133.0, seconds=2.0).points
    assert not first.counted and first.energy_j == pytest.approx(400.0)


@pytest.mark.parametrize("problem", [KeyboardInterrupt(), NodeRefused(503, "x", "gone")])
def test_the_old_limit_is_back_when_the_load_fails(
    card: SimulatedCard, clock: FakeClock, problem: BaseException
) -> None:
    card.set_limit(300.0)

    def fails(seconds: float) -> int:
        raise problem

    with pytest.raises(type(problem)):
        calibrate(card, clock, fails)
    assert card.limit_w() == 300.0


def test_a_card_that_does_not_obey_is_not_measured(
    card: SimulatedCard, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "set_limit", lambda power_w: None)
    with pytest.raises(NodeRefused, match="enforces 350 W, not 100 W"):
        calibrate(card, clock, card.load)


@pytest.mark.parametrize("step_w", [0.0, -10.0, 1.0, float("nan")])
def test_a_step_that_makes_no_sweep_is_refused(step_w: float) -> None:
    with pytest.raises(InputRefused):
        sweep(100.0, 366.0, step_w)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 3601.0, float("nan")])
def test_a_time_out_of_bounds_is_refused(
    card: SimulatedCard, clock: FakeClock, seconds: float
) -> None:
    with pytest.raises(InputRefused):
        calibrate(card, clock, card.load, seconds=seconds)


def test_the_ends_of_the_sweep_are_the_cards_own() -> None:
    assert sweep(100.0, 120.0, 10.0) == [100, 110, 120]
    assert sweep(100.0, 125.0, 10.0) == [100, 110, 120, 125]
    assert sweep(100.0, 100.0, 10.0) == [100]


def test_energy_that_nobody_knows_gives_no_best() -> None:
    from regime3.power.calibrate import Calibration, Point

    found = Calibration("x", False, [Point(100.0, 1.0, 5, 0.0, False)], 100.0)
    assert found.best is None and found.as_dict()["best"] is None
