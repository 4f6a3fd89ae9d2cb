"""The Trainer subclass: one window, one step; nothing fetched ahead, nothing bad learned."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.optim import AdamW

from regime3.errors import TrainerFatal
from regime3.records.messages import Alert
from regime3.records.rows import Example, RowRef, Window
from regime3.train.faults import FaultInjector
from regime3.train.loss import TokenLoss
from regime3.train.slices import collate
from regime3.train.trainer import WindowTrainer

from .tiny import (
    adam_hash,
    make_window,
    settings_with,
    tiny_model,
    trainer_for,
    weights_hash,
)


def test_training_equals_a_plain_loop_over_the_same_windows() -> None:
    windows = [make_window(n) for n in range(4)]
    trainer, driver = trainer_for(windows, settings=settings_with(memory__token_budget=64))
    trainer.run()

    model = tiny_model()
    optimizer = AdamW(model.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.0)
    losses = []
    for number, window in enumerate(windows):
        optimizer.param_groups[0]["lr"] = 1e-2 * min(1.0, (number + 1) / 2)
        batch = collate(window.examples)
        loss = TokenLoss(model, 1024).sum(batch) / len(batch.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert [r.loss for r in driver.results] == pytest.approx(losses, rel=1e-5)
    for ours, plain in zip(trainer.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=2e-5)


def test_a_result_counts_what_was_trained() -> None:
    window = make_window(5)
    trainer, driver = trainer_for([window])
    trainer.run()
    (result,) = driver.results
    assert (result.step, result.rows, result.examples) == (1, 6, len(window.examples))
    assert (result.tokens, result.supervised_tokens) == (window.tokens, window.supervised)
    assert result.padded_tokens >= result.tokens and result.seconds > 0
    assert result.learning_rate == pytest.approx(5e-3)
    assert result.grad_norm is not None and result.grad_norm > 0
    assert result.completion_tokens_max == max(e.supervised for e in window.examples)
    assert result.skipped is None


def test_no_window_is_fetched_before_the_last_step_is_done() -> None:
    trainer, driver = trainer_for([make_window(n) for n in range(3)])
    seen: list[tuple[int, int, int, float]] = []

    def at_next(done: int) -> None:
        steps = trainer.optimizer.state[next(trainer.model.parameters())]["step"].item()
        seen.append((done, trainer.state.global_step, trainer.lr_scheduler.last_epoch, steps))
        assert all(p.grad is None for p in trainer.model.parameters())

    driver.at_next = at_next
    trainer.run()
    assert seen == [(n, n, n, n) for n in range(4)]


def test_the_end_of_the_stream_ends_training_at_once() -> None:
    trainer, driver = trainer_for([])
    asked: list[int] = []
    driver.at_next = asked.append
    trainer.run()
    assert asked == [0] and trainer.state.global_step == 0


def test_no_first_window_is_wasted_at_a_rate_of_zero() -> None:
    trainer, driver = trainer_for(
        [make_window(n) for n in range(4)], settings=settings_with(train__warmup_steps=3)
    )
    trainer.run()
    rates = [result.learning_rate for result in driver.results]
    assert rates == pytest.approx([1e-2 / 3, 2e-2 / 3, 1e-2, 1e-2])


def test_refused_rows_ride_along_untrained() -> None:
    window = make_window(1)
    refused = [*window.rows[:2], RowRef("f" * 32, 99, 100, [], "too long"), *window.rows[2:]]
    trainer, driver = trainer_for([Window(refused)])
    trainer.run()
    other, _ = trainer_for([window])
    other.run()
    assert weights_hash(trainer.model) == weights_hash(other.model)
    assert driver.results[0].rows == len(window.rows) + 1
    assert all(99 not in rows for rows in driver.slices)


def test_a_window_with_nothing_supervised_takes_no_step() -> None:
    empty = Window([RowRef("f" * 32, 0, 1, [], "no turn fits")])
    trainer, driver = trainer_for([empty, make_window(1), empty])
    trainer.run()
    assert trainer.state.global_step == 1
    assert [r.step for r in driver.results] == [0, 1, 1]
    assert [r.skipped is None for r in driver.results] == [False, True, False]


def hashes(trainer: WindowTrainer) -> tuple[str, str]:
    return weights_hash(trainer.model), adam_hash(trainer)


def test_a_loss_that_is_not_finite_never_reaches_weights_or_moments() -> None:
    windows = [make_window(n) for n in range(4)]
    trainer, driver = trainer_for(windows)
    trainer.step.faults = FaultInjector.parse("nan@3")
    seen: list[tuple[str, str]] = []
    driver.at_next = lambda done: seen.append(hashes(trainer))
    trainer.run()
    assert seen[3] == seen[2] and seen[4] != seen[3]
    result = driver.results[2]
    assert result.skipped == "the loss is not finite" and result.loss is None
    assert [position for position, _ in driver.given_up] == [
        row.position for row in windows[2].rows
    ]
    assert all(math.isfinite(r.loss) for r in driver.results if r.loss is not None)


def test_an_infinite_gradient_of_a_finite_loss_is_caught_too() -> None:
    trainer, driver = trainer_for([make_window(0), make_window(1)])
    handle: list[torch.utils.hooks.RemovableHandle] = []
    weight = next(trainer.model.parameters())
    seen: list[tuple[str, str]] = []

    def at_next(done: int) -> None:
        seen.append(hashes(trainer))
        if done == 1:
            handle.append(weight.register_hook(lambda gradient: gradient * math.inf))

    driver.at_next = at_next
    trainer.run()
    assert driver.results[1].skipped == "the gradient norm is not finite"
    assert seen[2] == seen[1]


def test_too_many_bad_windows_in_a_row_stop_the_worker() -> None:
    windows = [make_window(n) for n in range(6)]
    trainer, driver = trainer_for(windows, settings=settings_with(train__bad_windows_max=3))
    trainer.step.faults = FaultInjector.parse("nan@2,nan@4,nan@5,nan@6")
    before: list[tuple[str, str]] = []
    driver.at_next = lambda done: before.append(hashes(trainer))
    with pytest.raises(TrainerFatal, match="3 bad windows in a row"):
        trainer.run()
    assert driver.done == 5, "the last bad window is not committed"
    assert hashes(trainer) == before[3]


def test_every_slice_is_announced_and_single_rows_stay_apart() -> None:
    trainer, driver = trainer_for([make_window(1)])
    trainer.step.slicing = "single"
    trainer.run()
    assert driver.slices == [[row.position] for row in make_window(1).rows]


def test_checkpointed_activations_give_the_same_gradient() -> None:
    windows = [make_window(n) for n in range(2)]
    results = []
    for wanted in ("off", "on"):
        trainer, driver = trainer_for(
            windows, settings=settings_with(model__gradient_checkpointing=wanted)
        )
        trainer.run()
        results.append((driver.results[-1].loss, driver.results[-1].grad_norm))
    assert results[0] == pytest.approx(results[1], rel=1e-6)


def test_a_spike_of_the_loss_raises_an_alert() -> None:
    calm = [Window([RowRef("f", n, n, [Example([5] * 12, 1)])]) for n in range(24)]
    wild = Window([RowRef("f", 24, 24, [Example([3, 50, 9, 81, 33, 4, 77], 1)])])
    trainer, driver = trainer_for([*calm, wild], settings=settings_with(train__spike_factor=3.0))
    trainer.run()
    assert [alert.code for alert in driver.of(Alert)] == ["loss-spike"]


def test_the_trainer_itself_writes_and_prints_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    trainer, _ = trainer_for([make_window(n) for n in range(2)])
    trainer.run()
    assert list(folder.iterdir()) == []
    assert capsys.readouterr().out == ""
    assert trainer.state.log_history == []


def test_autocast_covers_the_inner_model_and_the_loss() -> None:
    trainer, _ = trainer_for([make_window(0)])
    trainer.step.autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16)
    seen: dict[str, torch.dtype] = {}
    layer = trainer.model.model.layers[0].mlp.up_proj
    layer.register_forward_hook(lambda _m, _i, out: seen.__setitem__("layer", out.dtype))
    trainer.model.lm_head.register_forward_hook(
        lambda _m, _i, out: seen.__setitem__("head", out.dtype)
    )
    with trainer.step.autocast():
        loss = trainer.step.loss.sum(collate(make_window(0).examples))
    assert seen == {"layer": torch.bfloat16, "head": torch.bfloat16}
    assert loss.dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in trainer.model.parameters())
