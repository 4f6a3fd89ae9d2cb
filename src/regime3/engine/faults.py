"""Trouble on request, so that a node is tested with an engine that dies, hangs or drags on.

    REGIME3_FAULT_ENGINE="crash-on:TEXT,hang-on:TEXT,error-on:TEXT,step-ms:20,load-ms:500,\
crash-after:100,oom-after:3"

`crash-on`, `hang-on` and `error-on` strike when a request's prompt holds the text: the process is
killed, never returns, or fails to take it in. `crash-after:N` kills it once N tokens are written;
`oom-after:N` raises out of memory once, in step N. `step-ms` and `load-ms` are delays.
`load-fail:PATH` refuses to load models while there is such a file. Nothing here runs unless asked.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

from regime3.errors import NodeRefused

VARIABLE = "REGIME3_FAULT_ENGINE"
HANG_S = 3600.0
ON_TEXT = ("crash-on", "hang-on", "error-on", "load-fail")
NUMBERS = ("step-ms", "load-ms", "crash-after", "oom-after")


@dataclass
class Faults:
    """What shall go wrong: `texts` by kind, `numbers` by kind."""

    texts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)
    steps: int = 0

    @classmethod
    def parse(cls, text: str) -> Faults:
        """Read the variable's text; ValueError names the part it cannot read."""
        made = cls()
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            kind, _, argument = part.partition(":")
            if kind in ON_TEXT and argument:
                made.texts[kind] = argument
            elif kind in NUMBERS and argument:
                made.numbers[kind] = float(argument)
            else:
                raise ValueError(f"{VARIABLE}: cannot read {part!r}")
        return made

    @classmethod
    def from_environment(cls) -> Faults:
        return cls.parse(os.environ.get(VARIABLE, ""))

    def on_prompt(self, text: str) -> None:
        """Strike when a request with this text is taken in."""
        for kind, wanted in self.texts.items():
            if kind != "load-fail" and wanted in text:
                self._strike(kind)

    def on_load(self) -> None:
        """Delay a load, or refuse it with `NodeRefused`."""
        time.sleep(self.numbers.get("load-ms", 0.0) / 1e3)
        if Path(self.texts.get("load-fail", os.devnull)).is_file():
            raise NodeRefused(503, "out_of_memory", "no room (injected)")

    def on_step(self, written: int) -> None:
        """Strike before a step, when so many tokens have been written."""
        if not self.numbers:
            return
        self.steps += 1
        time.sleep(self.numbers.get("step-ms", 0.0) / 1e3)
        if written >= self.numbers.get("crash-after", float("inf")):
            self._strike("crash-on")
        if self.steps == self.numbers.get("oom-after"):
            raise MemoryError("out of memory (injected)")

    def _strike(self, kind: str) -> None:
        if kind == "crash-on":
            os.kill(os.getpid(), signal.SIGKILL)
        if kind == "hang-on":
            time.sleep(HANG_S)
        raise RuntimeError("injected: the step fails")
