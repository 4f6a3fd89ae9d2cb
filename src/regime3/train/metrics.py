"""Numbers of one optimizer step, and the watch over the loss.

`WindowResult` has everything of `records.messages.StepDone` that training can know. Averages
over time, histories and files are other rooms' business.
"""

from __future__ import annotations

from dataclasses import dataclass

from regime3.records.messages import Alert
from regime3.records.rows import Window

MEAN_WINDOWS = 100
"""Time constant of the running mean."""
SPIKE_AFTER_WINDOWS = 20
"""A young mean raises no alert."""


@dataclass(frozen=True)
class WindowResult:
    """One window, behind us. `loss` is nats a supervised token; None where nothing was learned."""

    step: int
    """Optimizer steps done, this one included; unchanged when nothing was supervised."""
    loss: float | None
    learning_rate: float
    grad_norm: float | None
    """Before clipping."""
    rows: int
    """All rows of the window: trained, given up and refused."""
    examples: int
    tokens: int
    padded_tokens: int
    supervised_tokens: int
    seconds: float
    """From the first slice to the end of the optimizer step, replays included."""
    slices: int
    token_budget: int
    replays: int = 0
    rows_given_up: int = 0
    memory_bytes: int | None = None
    think_examples: int = 0
    completion_tokens_max: int = 0
    skipped: str | None = None


def empty_result(window: Window, step: int, budget: int, reason: str) -> WindowResult:
    """The result of a window that held nothing to train."""
    return WindowResult(
        step=step,
        loss=None,
        learning_rate=0.0,
        grad_norm=None,
        rows=len(window.rows),
        examples=0,
        tokens=0,
        padded_tokens=0,
        supervised_tokens=0,
        seconds=0.0,
        slices=0,
        token_budget=budget,
        skipped=reason,
    )


class LossWatch:
    """A running mean of the loss, and an alert when one window leaps above it."""

    def __init__(self, spike_factor: float) -> None:
        self.spike_factor = spike_factor
        self.mean: float | None = None
        self.windows = 0

    def take(self, loss: float) -> Alert | None:
        """Add a window's loss; an `Alert` when it exceeds `spike_factor` times the mean."""
        mean, self.windows = self.mean, self.windows + 1
        if mean is None:
            self.mean = loss
            return None
        spike = self.windows > SPIKE_AFTER_WINDOWS and loss > self.spike_factor * mean
        self.mean = mean + (loss - mean) / min(self.windows, MEAN_WINDOWS)
        if not spike:
            return None
        text = f"loss {loss:.3f} is {loss / mean:.1f} times its running mean {mean:.3f}"
        return Alert("WARN", "loss-spike", f"{text}; look at the rows of this window")
