"""Stop, write, load, go on: on a CPU not one bit differs from never having stopped."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Qwen3ForCausalLM

from regime3.errors import SealError
from regime3.records.messages import Alert
from regime3.train import state
from regime3.train.faults import FaultInjector
from regime3.train.rng import load_rng, write_rng

from .tiny import everything_hash, make_window, settings_with, tiny_model, trainer_for

WINDOWS = [make_window(n) for n in range(7)]
SETTINGS = settings_with(memory__token_budget=160, memory__grow_after_windows=2)
TROUBLE = "oom-forward@2,oom-backward@5,nan@4"


def straight(faults: str, write_at: dict[int, Path] | None = None) -> str:
    """Train all windows in one go; on the way write the state at the given counts."""
    trainer, driver = trainer_for(WINDOWS, tiny_model(dropout=0.2), settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse(faults)

    def at_next(done: int) -> None:
        folder = (write_at or {}).get(done)
        if folder is not None:
            folder.mkdir(parents=True)
            state.write_state(trainer, folder)

    driver.at_next = at_next
    trainer.run()
    return everything_hash(trainer)


def disturb() -> None:
    """A new process starts with other random numbers."""
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)


def resumed(folder: Path, done: int, faults: str) -> str:
    disturb()
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    trainer, driver = trainer_for(WINDOWS[done:], model, settings=SETTINGS, resume=folder)
    trainer.step.faults = FaultInjector.parse(faults)
    disturb()
    trainer.run()
    assert [r.step for r in driver.results] == list(range(done + 1, len(WINDOWS) + 1))
    return everything_hash(trainer)


@pytest.mark.parametrize("faults", ["", TROUBLE])
def test_a_resumed_run_ends_in_the_same_bits(tmp_path: Path, faults: str) -> None:
    points = {done: tmp_path / str(done) for done in (1, 3, 4, 6)}
    wanted = straight(faults, points)
    assert straight(faults) == wanted, "writing a state changes nothing"
    for done, folder in points.items():
        assert resumed(folder, done, faults) == wanted, f"resumed after window {done}"


RESUME_IN_A_NEW_PROCESS = """
import sys
from pathlib import Path
import torch
from transformers import Qwen3ForCausalLM
from tests.train import test_state
torch.set_num_threads(int(sys.argv[3]))
print(test_state.resumed(Path(sys.argv[1]), int(sys.argv[2]), ""))
"""


def test_a_new_process_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    folder = tmp_path / "seal"
    wanted = straight("", {2: folder})
    out = subprocess.run(
        [
            sys.executable,
            "-c",
            RESUME_IN_A_NEW_PROCESS,
            str(folder),
            "2",
            str(torch.get_num_threads()),
        ],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert out.stdout.split()[-1] == wanted


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state") / "seal"
    straight("", {3: folder})
    return folder


def copy_of(written: Path, tmp_path: Path) -> Path:
    target = tmp_path / "copy"
    target.mkdir()
    for path in written.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_a_state_is_plain_json_and_safetensors(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "trainer_state.json",
        "optimizer.safetensors", "optimizer.json", "scheduler.json", "budget.json",
        "rng.json", "rng.safetensors",
    }  # fmt: skip
    assert json.loads((written / "trainer_state.json").read_text())["global_step"] == 3


def test_the_saved_model_is_fp32_ties_its_head_and_keeps_its_cache_on(written: Path) -> None:
    weights = load_file(written / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert "lm_head.weight" not in weights
    assert json.loads((written / "config.json").read_text())["use_cache"] is True
    loaded = Qwen3ForCausalLM.from_pretrained(written, dtype="auto")
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight


def test_adams_moments_exist_before_any_data() -> None:
    trainer, driver = trainer_for(WINDOWS[:1])
    seen: list[int] = []

    def at_next(done: int) -> None:
        seen.append(len(trainer.optimizer.state))

    driver.at_next = at_next
    trainer.run()
    assert seen[0] == len(list(trainer.model.parameters()))


def test_created_moments_are_what_the_first_step_would_make() -> None:
    one, other = tiny_model(), tiny_model()
    ends = []
    for model, created in ((one, True), (other, False)):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True)
        if created:
            state.create_adam_state(optimizer)
        model(torch.tensor([[5, 6, 7]])).logits.square().mean().backward()
        optimizer.step()
        ends.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*ends, strict=True))


def test_a_first_checkpoint_without_training_state_starts_at_step_zero(tmp_path: Path) -> None:
    folder = tmp_path / "genesis"
    tiny_model().save_pretrained(folder)
    model = Qwen3ForCausalLM.from_pretrained(folder, dtype=torch.float32)
    trainer, driver = trainer_for(WINDOWS[:2], model, settings=SETTINGS, resume=folder)
    trainer.run()
    fresh, _ = trainer_for(WINDOWS[:2], tiny_model(), settings=SETTINGS)
    fresh.run()
    assert [r.step for r in driver.results] == [1, 2]
    assert everything_hash(trainer) == everything_hash(fresh)


def test_weights_that_do_not_fit_are_refused_before_they_are_loaded(
    written: Path, tmp_path: Path
) -> None:
    folder = copy_of(written, tmp_path)
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.norm.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    trainer, _ = trainer_for([], settings=SETTINGS, resume=folder)
    with pytest.raises(SealError, match=r"model\.norm\.weight"):
        trainer.run()


def test_a_missing_moment_is_refused(written: Path, tmp_path: Path) -> None:
    folder = copy_of(written, tmp_path)
    tensors = load_file(folder / "optimizer.safetensors")
    tensors.pop("model.norm.weight.exp_avg")
    save_file(tensors, folder / "optimizer.safetensors")
    trainer, _ = trainer_for([], settings=SETTINGS, resume=folder)
    with pytest.raises(SealError, match=r"model\.norm\.weight\.exp_avg"):
        trainer.run()


def resume_with(written: Path, **flags: Any) -> tuple[Any, Any]:
    model = Qwen3ForCausalLM.from_pretrained(written, dtype=torch.float32)
    settings = settings_with(memory__token_budget=160, memory__grow_after_windows=2, **flags)
    trainer, driver = trainer_for(WINDOWS[3:5], model, settings=settings, resume=written)
    trainer.run()
    return trainer, driver


def test_a_changed_learning_rate_holds_from_the_next_step_and_is_said(written: Path) -> None:
    _, driver = resume_with(written, **{"train__learning_rate": 3e-3})
    assert [r.learning_rate for r in driver.results] == pytest.approx([3e-3, 3e-3])
    assert [a.message for a in driver.of(Alert) if "learning_rate" in a.message] == [
        "learning_rate was 0.01, is 0.003 from here on"
    ]


def test_unchanged_settings_say_nothing(written: Path) -> None:
    _, driver = resume_with(written)
    assert driver.reports == []


def test_a_learned_budget_and_its_growth_are_resumed(written: Path, tmp_path: Path) -> None:
    folder = copy_of(written, tmp_path)
    saved = json.loads((folder / "budget.json").read_text())
    (folder / "budget.json").write_text(
        json.dumps(saved | {"tokens": 80, "clean_windows": 1, "threads": 64})
    )
    _, driver = resume_with(folder)
    assert [r.token_budget for r in driver.results] == [90, 90]
    assert [a.code for a in driver.of(Alert)] == ["threads-changed"]


def test_every_random_state_survives_its_file(tmp_path: Path) -> None:
    disturb()
    torch.rand(3), np.random.normal(), random.gauss(0, 1)
    write_rng(tmp_path)
    wanted = torch.rand(2).tolist(), np.random.normal(), random.gauss(0, 1)
    disturb()
    load_rng(tmp_path)
    assert (torch.rand(2).tolist(), np.random.normal(), random.gauss(0, 1)) == wanted
