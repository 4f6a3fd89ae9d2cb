"""Trouble on request, so that out of memory is tested without a GPU.

    REGIME3_FAULT_TRAIN="oom-forward@3,oom-backward@5,nan@7,oom-step@4,hang@6,die@5,\
oom-above:2048,oom-on:TEXT,die-on:TEXT"

`KIND@N` strikes once in a process, in the window that would become optimizer step N, in its
middle slice. `oom-above:N` strikes on every slice of more than N padded tokens. `oom-on:` and
`die-on:` strike on every slice holding a row: a number is the row's line, anything else is text
in it. Errors are of the types and words that PyTorch uses. Nothing here runs unless asked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from regime3.train.slices import Slice

VARIABLE = "REGIME3_FAULT_TRAIN"
AT_STEP = ("oom-forward", "oom-backward", "oom-step", "nan", "hang", "die")
ON_SLICE = ("oom-above", "oom-on", "die-on")
HANG_S = 3600.0


def cuda_oom(doing: str) -> torch.OutOfMemoryError:
    """The error a full GPU raises, word for word in kind."""
    return torch.OutOfMemoryError(
        f"CUDA out of memory. Tried to allocate 2.00 GiB (injected while {doing}). GPU 0 has a "
        "total capacity of 23.64 GiB of which 1.05 GiB is free."
    )


@dataclass
class FaultInjector:
    """`at` maps a kind to the steps it strikes; `on` lists (kind, argument) of lasting faults."""

    at: dict[str, set[int]] = field(default_factory=dict)
    on: list[tuple[str, str]] = field(default_factory=list)
    decode: Callable[[list[int]], str] | None = None

    @classmethod
    def parse(cls, text: str, decode: Callable[[list[int]], str] | None = None) -> FaultInjector:
        """Read the variable's text; ValueError names the part it cannot read."""
        made = cls(decode=decode)
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            kind, _, step = part.partition("@")
            lasting, _, argument = part.partition(":")
            if kind in AT_STEP and step.isdigit():
                made.at.setdefault(kind, set()).add(int(step))
            elif lasting in ON_SLICE and argument:
                made.on.append((lasting, argument))
            else:
                raise ValueError(f"{VARIABLE}: cannot read {part!r}")
        return made

    @classmethod
    def from_environment(cls, decode: Callable[[list[int]], str] | None = None) -> FaultInjector:
        return cls.parse(os.environ.get(VARIABLE, ""), decode)

    def _due(self, kind: str, step: int) -> bool:
        steps = self.at.get(kind)
        if not steps or step not in steps:
            return False
        steps.discard(step)
        return True

    def before_forward(self, step: int, part: Slice, *, middle: bool) -> None:
        """Strike before a slice's forward."""
        if middle and self._due("die", step):
            os.kill(os.getpid(), signal.SIGKILL)
        if middle and self._due("hang", step):
            time.sleep(HANG_S)
        if middle and self._due("oom-forward", step):
            raise cuda_oom("in forward")
        for kind, argument in self.on:
            self._strike(kind, argument, part)

    def _strike(self, kind: str, argument: str, part: Slice) -> None:
        if kind == "oom-above":
            if part.padded_tokens > int(argument):
                raise cuda_oom(f"in a slice of {part.padded_tokens} tokens")
        elif self._holds(part, argument):
            if kind == "die-on":
                os.kill(os.getpid(), signal.SIGKILL)
            raise cuda_oom(f"on {argument}")

    def _holds(self, part: Slice, argument: str) -> bool:
        if argument.isdigit():
            return any(row.line == int(argument) for row in part.rows)
        assert self.decode is not None, "a text fault needs a tokenizer"
        return any(argument in self.decode(example.input_ids) for example in part.examples)

    @contextlib.contextmanager
    def broken_backward(self, step: int, model: Any, *, middle: bool) -> Iterator[None]:
        """Inside, backward breaks half-way, when later layers have their gradients."""
        if not (middle and self._due("oom-backward", step)):
            yield
            return
        parameters = [p for p in model.parameters() if p.requires_grad]

        def strike(_gradient: torch.Tensor) -> None:
            raise cuda_oom("in backward")

        handle = parameters[len(parameters) // 2].register_hook(strike)
        try:
            yield
        finally:
            handle.remove()

    def spoil(self, step: int, loss: torch.Tensor, *, middle: bool) -> torch.Tensor:
        """NaN instead of the loss, when asked."""
        return loss * float("nan") if middle and self._due("nan", step) else loss

    def before_optimizer(self, step: int) -> None:
        """Strike inside the optimizer step, after clipping."""
        if self._due("oom-step", step):
            raise cuda_oom("in optimizer.step")
