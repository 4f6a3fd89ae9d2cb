"""The Trainer's own reporters, for those who want W&B, trackio or TensorBoard beside our page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from transformers import TrainerCallback

from regime3.errors import Unavailable
from regime3.records.messages import Alert

from .tiny import make_window, settings_with, trainer_for, weights_hash


def windows(count: int) -> list[Any]:
    return [make_window(at) for at in range(count)]


def test_tensorboard_is_told_every_so_many_steps_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "runs"))
    plain, _ = trainer_for(windows(12))
    plain.run()
    settings = settings_with(train__report_to="tensorboard", train__report_steps=5)
    told, driver = trainer_for(windows(12), settings=settings)
    told.run()
    assert weights_hash(told.model) == weights_hash(plain.model)
    found = EventAccumulator(str(tmp_path / "runs")).Reload()
    loss = found.Scalars("train/loss")
    assert [each.step for each in loss] == [5, 10]
    assert loss[0].value == pytest.approx(driver.results[4].loss)
    assert len(found.Scalars("train/tokens_per_second")) == 2


@pytest.mark.parametrize("name", ["no-such-thing", "wandb"])
def test_one_that_is_unknown_or_missing_is_refused_with_the_command(name: str) -> None:
    with pytest.raises(Unavailable, match=r"train\.report_to") as refusal:
        trainer_for([], settings=settings_with(train__report_to=name))
    assert name in str(refusal.value.next_command)


def test_one_that_breaks_costs_a_warning_and_no_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "runs"))

    class Breaks(TrainerCallback):  # type: ignore[misc]
        asked = 0

        def on_log(self, *_: Any, **__: Any) -> None:
            Breaks.asked += 1
            raise ConnectionError("the cloud is away")

    settings = settings_with(train__report_to="tensorboard", train__report_steps=1)
    trainer, driver = trainer_for(windows(6), settings=settings)
    trainer.add_callback(Breaks())
    trainer.run()
    alerts = [each for each in driver.reports if isinstance(each, Alert)]
    assert [each.code for each in alerts] == ["report-to"] and "is away" in alerts[0].message
    assert Breaks.asked == 1 and len(driver.results) == 6
