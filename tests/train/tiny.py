"""A Qwen3 model of 30,000 parameters, windows for it, and a driver that records everything."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3ForCausalLM

from regime3.config import Settings, load
from regime3.records.messages import Report
from regime3.records.rows import Example, RowRef, Window
from regime3.train.metrics import WindowResult
from regime3.train.trainer import WindowTrainer, build_trainer
from tests.tiny_qwen3 import tiny_qwen3

VOCABULARY = 97


def tiny_model(dropout: float = 0.0, seed: int = 0, **extra: Any) -> Qwen3ForCausalLM:
    return tiny_qwen3(VOCABULARY, seed, attention_dropout=dropout, **extra).train()


def settings_with(**flags: Any) -> Settings:
    """Settings from keys like train__learning_rate=0.1."""
    base = {"train.learning_rate": 1e-2, "train.warmup_steps": 2, "train.device": "cpu"}
    named = {key.replace("__", "."): value for key, value in flags.items()}
    return load(None, environment={}, flags={**base, **named}).settings


def example(length: int, prompt: int, draw: random.Random) -> Example:
    return Example([draw.randrange(3, VOCABULARY) for _ in range(length)], prompt)


def make_window(number: int, rows: int = 6, longest: int = 40) -> Window:
    """Rows of keyed lengths; every third row has two examples."""
    draw = random.Random(f"window|{number}")
    made = []
    for place in range(rows):
        lengths = [draw.randrange(6, longest) for _ in range(2 if place % 3 == 0 else 1)]
        examples = [example(length, draw.randrange(1, length - 2), draw) for length in lengths]
        position = number * rows + place
        made.append(RowRef("f" * 32, position, position + 1, examples))
    return Window(made)


@dataclass
class Driver:
    """Implements TrainHooks over a list of windows; `at_next` runs inside `next_window`."""

    windows: list[Window]
    results: list[WindowResult] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    given_up: list[tuple[int, str]] = field(default_factory=list)
    slices: list[list[int]] = field(default_factory=list)
    at_next: Any = None
    done: int = 0

    def next_window(self) -> Window | None:
        if self.at_next is not None:
            self.at_next(self.done)
        if self.done == len(self.windows):
            return None
        return self.windows[self.done]

    def before_slice(self, rows: list[RowRef]) -> None:
        self.slices.append([row.position for row in rows])

    def row_given_up(self, row: RowRef, reason: str) -> None:
        self.given_up.append((row.position, reason))

    def window_done(self, window: Window, result: WindowResult) -> None:
        assert window is self.windows[self.done]
        self.done += 1
        self.results.append(result)

    def report(self, report: Report) -> None:
        self.reports.append(report)

    def of(self, kind: type[Report]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]


def trainer_for(
    windows: list[Window],
    model: Any = None,
    *,
    settings: Settings | None = None,
    resume: Path | None = None,
    **extra: Any,
) -> tuple[WindowTrainer, Driver]:
    driver = Driver(windows)
    trainer = build_trainer(
        model if model is not None else tiny_model(),
        None,
        settings or settings_with(),
        hooks=driver,
        resume=resume,
        device=torch.device("cpu"),
        **extra,
    )
    return trainer, driver


def weights_hash(model: Any) -> str:
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode() + weight.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def adam_hash(trainer: WindowTrainer) -> str:
    digest = hashlib.sha256()
    for parameter in trainer.model.parameters():
        state = trainer.optimizer.state[parameter]
        for moment in ("step", "exp_avg", "exp_avg_sq"):
            digest.update(state[moment].contiguous().numpy().tobytes())
    return digest.hexdigest()


def everything_hash(trainer: WindowTrainer) -> str:
    """Weights, Adam's moments, torch's RNG, the step, the schedule and the budget."""
    rest = (
        trainer.state.global_step,
        trainer.lr_scheduler.last_epoch,
        trainer.lr_scheduler.get_last_lr(),
        trainer.step.budget.tokens,
        trainer.step.budget.clean_windows,
    )
    parts = [weights_hash(trainer.model), adam_hash(trainer), repr(rest)]
    parts.append(hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest())
    return hashlib.sha256("|".join(parts).encode()).hexdigest()
