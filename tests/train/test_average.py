"""The moving average: sealed, validated, taken up again to the bit; switched on and off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen3ForCausalLM

from regime3.errors import SealError
from regime3.ship.export import served_files
from regime3.train import average, state
from regime3.train.average import Average

from .tiny import everything_hash, make_window, settings_with, tiny_model, trainer_for

WINDOWS = [make_window(n) for n in range(6)]
STEPS = 10
ON, OFF = settings_with(train__average_steps=STEPS), settings_with()


@pytest.fixture(autouse=True)
def looks_far_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six windows are too few for the share of a real run."""
    monkeypatch.setattr(average, "SHARE", 2.0)


def run(windows: list[Any], model: Any, settings: Any, folder: Path, **more: Any) -> Any:
    """Train the windows and write the state after them."""
    trainer, driver = trainer_for(windows, model, settings=settings, **more)

    def at_next(done: int) -> None:
        if done == len(windows):
            folder.mkdir(parents=True)
            state.write_state(trainer, folder)

    driver.at_next = at_next
    trainer.run()
    return trainer


def loaded(folder: Path) -> Any:
    return Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)


def test_what_is_sealed_is_the_average_and_the_weights_lie_beside_it(tmp_path: Path) -> None:
    begun = {name: each.data.clone() for name, each in tiny_model().named_parameters()}
    trainer = run(WINDOWS[:1], tiny_model(), ON, tmp_path / "one")
    sealed = dict(loaded(tmp_path / "one").named_parameters())
    beside = load_file(tmp_path / "one" / state.TRAINED_WEIGHTS)
    for name, each in trainer.model.named_parameters():
        assert torch.equal(beside[name], each.data)
        wanted = torch.lerp(begun[name], each.data, 0.5)
        assert torch.equal(sealed[name].data, wanted)
    assert state.TRAINED_WEIGHTS not in served_files(tmp_path / "one")


def test_a_resumed_run_ends_in_the_same_bits(tmp_path: Path) -> None:
    whole = run(WINDOWS, tiny_model(dropout=0.2), ON, tmp_path / "whole")
    run(WINDOWS[:3], tiny_model(dropout=0.2), ON, tmp_path / "half")
    resume = tmp_path / "half"
    torch.manual_seed(99)
    again = run(WINDOWS[3:], loaded(resume), ON, tmp_path / "again", resume=resume)
    assert everything_hash(again) == everything_hash(whole)
    for name in (state.WEIGHTS, state.TRAINED_WEIGHTS):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_average_changes_nothing_of_the_training(tmp_path: Path) -> None:
    one = run(WINDOWS, tiny_model(), ON, tmp_path / "on")
    other = run(WINDOWS, tiny_model(), OFF, tmp_path / "off")
    assert everything_hash(one) == everything_hash(other)
    assert not (tmp_path / "off" / state.TRAINED_WEIGHTS).exists()


def test_switched_off_the_weights_go_on_and_switched_on_it_begins_there(tmp_path: Path) -> None:
    whole = run(WINDOWS, tiny_model(), OFF, tmp_path / "whole")
    first = run(WINDOWS[:3], tiny_model(), ON, tmp_path / "first")
    resume = tmp_path / "first"
    off = run(WINDOWS[3:], loaded(resume), OFF, tmp_path / "off", resume=resume)
    assert everything_hash(off) == everything_hash(whole) != everything_hash(first)
    on = run(WINDOWS[3:], loaded(resume), ON, tmp_path / "on", resume=resume)
    assert everything_hash(on) == everything_hash(whole)


def test_a_checkpoint_whose_weights_lack_something_is_refused(tmp_path: Path) -> None:
    run(WINDOWS[:1], tiny_model(), ON, tmp_path / "one")
    weights = load_file(tmp_path / "one" / state.TRAINED_WEIGHTS)
    weights.pop(next(iter(weights)))
    save_file(weights, tmp_path / "one" / state.TRAINED_WEIGHTS)
    with pytest.raises(SealError, match="lacks"):
        run(WINDOWS[1:], loaded(tmp_path / "one"), ON, tmp_path / "two", resume=tmp_path / "one")


def test_in_place_and_back_is_exact() -> None:
    model = tiny_model()
    mean_of = Average(model, STEPS)
    with torch.no_grad():
        for each in model.parameters():
            each.add_(torch.randn_like(each) * 1e-3)
    mean_of.take(3)
    own = {name: each.data.clone() for name, each in model.named_parameters()}
    mean = {name: each.clone() for name, each in mean_of.mean.items()}
    with mean_of.in_place():
        assert all(torch.equal(each.data, mean[name]) for name, each in model.named_parameters())
    assert all(torch.equal(each.data, own[name]) for name, each in model.named_parameters())
    assert all(torch.equal(mean_of.mean[name], each) for name, each in mean.items())


@pytest.mark.parametrize(("step", "back"), [(0, 1), (1, 2), (2, 4), (4, 8), (5, 10), (500, 10)])
def test_it_looks_back_over_a_share_of_the_steps_and_then_over_so_many(
    step: int, back: int
) -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    mean_of = Average(model, STEPS)
    with torch.no_grad():
        before = model.weight.clone()
        model.weight.add_(1.0)
    mean_of.take(step)
    (mean,) = mean_of.mean.values()
    assert torch.allclose(mean, before + 1 / back)
