"""`r3 bench status`: what status and history cost, against the nano model's step.

Each run times training steps of the nano model (windows of 4,096 tokens, forward, backward,
AdamW) and, between them, everything the supervisor does for viewers per step: taking the report,
writing the history and, twice a second of training, the status file, all into real files. The
model step is bare, without loading or rendering, so the share is rather over- than understated.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from regime3.bench.telling import rounds
from regime3.clock import FakeClock
from regime3.config import Settings
from regime3.paths import Lab
from regime3.records.messages import Ready, StepDone
from regime3.records.status import QueueFile, QueueState
from regime3.status.board import StatusBoard

WINDOW_TOKENS = 4096
SEQUENCE = 256
BOARD_STEPS = 400


def run(quick: bool) -> dict[str, Any]:
    """Figures, their smallest and largest, and what they mean."""
    runs, steps = (5, 4) if quick else (15, 8)
    step = nano_step()
    step()
    overheads, model_ms, board_us = [], [], []
    with tempfile.TemporaryDirectory(prefix="regime3-bench-") as folder:
        board = _Board(Lab(Path(folder)))
        for _ in rounds(runs, "status"):
            step_s = _seconds_each(step, steps)
            board_s = board.seconds_each(step_s, BOARD_STEPS)
            model_ms.append(1e3 * step_s)
            board_us.append(1e6 * board_s)
            overheads.append(100 * board_s / step_s)
    measured = {
        "overhead_percent": overheads,
        "nano_step_ms": model_ms,
        "status_us_per_step": board_us,
    }
    return {
        "figures": {name: statistics.median(values) for name, values in measured.items()},
        "spread": {name: (min(values), max(values)) for name, values in measured.items()},
        "runs": runs,
        "notes": [],
        "meaning": {
            "overhead_percent": "status, history and their files, over the nano model's step",
            "nano_step_ms": f"one window of {WINDOW_TOKENS:,} tokens, forward to optimizer",
            "status_us_per_step": "all that the supervisor does for viewers, a step",
        },
    }


def _seconds_each(act: Callable[[], None], times: int) -> float:
    started = time.perf_counter()
    for _ in range(times):
        act()
    return (time.perf_counter() - started) / times


def nano_step() -> Callable[[], None]:
    """A training step of the nano model's shape on this processor."""
    import torch
    from transformers import Qwen3ForCausalLM

    from regime3.model.nano import nano_config

    torch.manual_seed(0)
    config = nano_config()
    model = Qwen3ForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    ids = torch.randint(0, config.vocab_size, (WINDOW_TOKENS // SEQUENCE, SEQUENCE))

    def step() -> None:
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


class _Board:
    """A board fed with steps as the nano model makes them."""

    def __init__(self, lab: Lab) -> None:
        self.clock = FakeClock()
        self.board = StatusBoard(lab, Settings(), self.clock)
        self.board.begin(0)
        files = [
            QueueFile(f"{index:032d}", f"file-{index}", "normal", 10**6) for index in range(20)
        ]
        self.board.update(queue=QueueState(files, 20, rows_admitted=10**7, rows_left=10**7))
        self.board.take(Ready(0, 0, "cpu", 991_232, "nano", WINDOW_TOKENS, 8192, 1))
        self.step = 0

    def seconds_each(self, step_s: float, steps: int) -> float:
        """Mean seconds that one step costs, when steps take `step_s`."""
        spent = 0.0
        for _ in range(steps):
            self.step += 1
            self.clock.advance(step_s)
            report = StepDone(
                self.step, 1 + 1 / self.step, 2e-5, 0.7, 40, 40, WINDOW_TOKENS, 4500, 2500,
                step_s, 0.0, 2, 8192, f"{0:032d}", 40 * self.step, None, 20, 90,
            )  # fmt: skip
            started = time.perf_counter()
            self.board.take(report)
            self.board.write_if_due(self.clock.now())
            spent += time.perf_counter() - started
        return spent / steps
