"""Reports as a worker sends them, and a card that answers."""

from __future__ import annotations

from typing import Any

from regime3.records import messages as say
from regime3.records.status import GpuReading

FILE_ID = "a" * 32


def step_done(step: int, loss: float | None = 1.0, **other: Any) -> say.StepDone:
    """A step of 10 rows in one second."""
    values: dict[str, Any] = {
        "step": step,
        "loss": loss,
        "learning_rate": 2e-5,
        "grad_norm": 0.5,
        "rows": 10,
        "examples": 10,
        "tokens": 4000,
        "padded_tokens": 5000,
        "supervised_tokens": 2000,
        "seconds": 1.0,
        "wait_seconds": 0.0,
        "slices": 1,
        "token_budget": 8192,
        "file_id": FILE_ID,
        "position": 10 * step,
    }
    return say.StepDone(**values | other)


def ready(step: int = 0, seal: int = 0) -> say.Ready:
    return say.Ready(seal, step, "cpu", 991_232, "nano", 4096, 8192, 4242)


def validated(step: int, loss: float = 1.5, right: int = 2, wrong: int = 2) -> say.Validated:
    answers = [
        say.Answer(
            f"What is {i} + 1?", str(i + 1), str(i + 1 + (i >= right)), i < right, "Be exact", 2, 3
        )
        for i in range(right + wrong)
    ]
    layers = say.LayerReading([0.5, 0.25], [1.0, 0.9])
    sureness = say.SurenessReading(0.4, 0.03)
    return say.Validated(step, loss, 64, 0.5, answers, layers, sureness)


class FakeCards:
    """One simulated card of 300 W."""

    def read(self) -> list[GpuReading] | None:
        return [GpuReading(0, "simulated", 90.0, 8 << 30, 24 << 30, 61.0, 300.0, 350.0)]


class NoCards:
    """A machine without one."""

    def read(self) -> list[GpuReading] | None:
        return None
