"""Alerts about learning and heat: raised at one threshold, cleared at a calmer one."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from regime3.clock import FakeClock
from regime3.records.status import GpuReading, TrainingStatus
from regime3.status import conditions
from regime3.status.alerts import AlertBook
from regime3.status.board import StatusBoard
from regime3.status.learning import PLATEAU_STEPS, STRETCH, Losses

NOW = 1_800_000_000.0


def codes(alerts: AlertBook) -> set[str]:
    return {alert.code for alert in alerts.active()}


def fed(losses: Losses, values: Iterable[float]) -> Losses:
    for value in values:
        losses.add(len(losses.history), value)
    return losses


def noisy(mean: float, count: int) -> list[float]:
    draw = random.Random(mean * 1000 + count)
    return [mean + draw.gauss(0, 0.05) for _ in range(count)]


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(0.1, set()), (0.31, {"gap"}), (0.51, {"gap", "gap-wide"}), (None, set())],
)
def test_a_gap_alerts_at_three_tenths_and_at_a_half(gap: float | None, expected: set[str]) -> None:
    alerts = AlertBook()
    conditions.gap(alerts, TrainingStatus(val_train_gap=gap), NOW)
    assert codes(alerts) == expected


def test_a_gap_that_narrows_a_little_stays_in_view() -> None:
    alerts = AlertBook()
    shown = []
    for gap in (0.51, 0.47, 0.44, 0.28, 0.24):
        conditions.gap(alerts, TrainingStatus(val_train_gap=gap), NOW)
        shown.append(codes(alerts))
    both, one = {"gap", "gap-wide"}, {"gap"}
    assert shown == [both, both, one, one, set()]


def test_the_hottest_card_counts_and_an_unknown_one_does_not() -> None:
    def card(index: int, heat: float | None) -> GpuReading:
        return GpuReading(index=index, name=f"card {index}", temperature_c=heat)

    alerts = AlertBook()
    conditions.heat(alerts, TrainingStatus(gpu=[card(0, None)]), NOW)
    conditions.heat(alerts, TrainingStatus(gpu=None), NOW)
    assert codes(alerts) == set()
    shown = []
    for heat in (79.0, 80.0, 86.0, 82.0, 80.5, 77.0, 75.0):
        conditions.heat(alerts, TrainingStatus(gpu=[card(0, 40.0), card(1, heat)]), NOW)
        shown.append(codes(alerts))
    warm, hot = {"gpu-warm"}, {"gpu-warm", "gpu-hot"}
    assert shown == [set(), warm, hot, hot, warm, warm, set()]
    conditions.heat(alerts, TrainingStatus(gpu=[card(0, 40.0), card(1, 90.0)]), NOW)
    assert "card 1 is at 90 C" in alerts.active()[0].message


def test_a_loss_that_climbs_from_its_lowest_diverges_until_it_is_back() -> None:
    alerts, losses = AlertBook(), fed(Losses(), noisy(1.0, 600))
    rising = TrainingStatus(loss_trend="rising")
    conditions.learning(alerts, rising, losses, NOW)
    assert codes(alerts) == set()
    fed(losses, noisy(1.6, 200))
    conditions.learning(alerts, TrainingStatus(loss_trend="flat"), losses, NOW)
    assert codes(alerts) == set()
    conditions.learning(alerts, rising, losses, NOW)
    assert codes(alerts) == {"divergence"}
    fed(losses, noisy(1.25, 200))
    conditions.learning(alerts, TrainingStatus(loss_trend="falling"), losses, NOW)
    assert codes(alerts) == {"divergence"}
    fed(losses, noisy(1.0, 200))
    conditions.learning(alerts, TrainingStatus(), losses, NOW)
    assert codes(alerts) == set()


def test_a_plateau_is_two_thousand_steps_without_a_fall_and_ends_with_one() -> None:
    alerts, losses = AlertBook(), fed(Losses(), noisy(1.0, 2 * PLATEAU_STEPS - STRETCH))
    conditions.learning(alerts, TrainingStatus(), losses, NOW)
    assert codes(alerts) == set()
    fed(losses, noisy(1.0, STRETCH))
    conditions.learning(alerts, TrainingStatus(), losses, NOW)
    assert codes(alerts) == {"plateau"}
    losses.forget_after(0)  # a rollback: nothing is known, and nothing is taken back
    conditions.learning(alerts, TrainingStatus(), losses, NOW)
    assert codes(alerts) == {"plateau"}
    fed(losses, (1.0 - step / (3 * PLATEAU_STEPS) for step in range(2 * PLATEAU_STEPS)))
    conditions.learning(alerts, TrainingStatus(), losses, NOW)
    assert codes(alerts) == set()


def test_a_lasting_alert_is_an_event_once(board: StatusBoard, clock: FakeClock) -> None:
    board.status.val_train_gap = 0.4
    for _ in range(3):
        clock.advance(10)
        board.write(clock.now())
    told = [event for event in board.status.recent_events if event.kind == "alert-gap"]
    assert len(told) == 1 and "0.40 above" in told[0].text
