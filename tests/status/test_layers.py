"""What layers did, as the supervisor keeps it and the page reads it."""

from __future__ import annotations

from regime3.clock import FakeClock
from regime3.paths import Lab
from regime3.records.messages import LayerReading
from regime3.status.board import StatusBoard
from regime3.status.layers import LayerLog, view
from tests.status.reports import ready, validated


def test_a_validation_leaves_its_layers_in_the_status_and_in_the_log(
    lab: Lab, board: StatusBoard, clock: FakeClock
) -> None:
    board.take(ready())
    board.take(validated(100))
    board.write(clock.now())
    status = board.status
    assert status.layer_activity_summary == {"step": 100, "layers": [0.5, 0.25]}
    assert status.layer_stability_summary == {"step": 100, "layers": [1.0, 0.9]}
    found = view(lab, 10)
    assert found["layers"] == 2 and [each["step"] for each in found["readings"]] == [100]


def test_what_a_rollback_undid_and_another_model_left_is_not_drawn(lab: Lab) -> None:
    log = LayerLog(lab, 1.0)
    told = [(10, 3), (100, 2), (200, 2), (300, 2), (200, 2), (250, 2)]
    for step, layers in told:
        log.append(step, 1.0, LayerReading([step / 1000] * layers))
    steps = [each["step"] for each in view(lab, 100)["readings"]]
    assert steps == [100, 200, 250]


def test_a_long_log_is_thinned_evenly_and_ends_with_the_newest(lab: Lab) -> None:
    log = LayerLog(lab, 0.004)  # rotated on the way
    for step in range(1, 101):
        log.append(step, 1.0, LayerReading([0.5], [1.0]))
    found = view(lab, 10)
    assert lab.layers_rotated_file.exists()
    assert 5 <= len(found["readings"]) <= 10 and found["readings"][-1]["step"] == 100
    gaps = {b["step"] - a["step"] for a, b in zip(found["readings"], found["readings"][1:])}  # noqa: B905
    assert len(gaps) == 1


def test_nothing_measured_is_no_layers(lab: Lab) -> None:
    assert view(lab, 10) == {"layers": 0, "measured": 0, "readings": []}
