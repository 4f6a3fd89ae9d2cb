"""The trainer's terminal: one live line where there is a terminal, plain lines when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec
from rich.live import Live
from rich.text import Text

from regime3.cli.output import errors, human_time
from regime3.paths import Lab

if TYPE_CHECKING:
    from regime3.daemon import Supervisor

PLAIN_LINE_S = 15.0
LIVE_LINE_S = 0.5


def one_line(status: dict[str, Any]) -> str:
    """A training status in one line: what, how far, how well, how fast, how long."""
    step = status.get("current_step") or 0
    total = status.get("total_steps")
    parts = [str(status.get("status", "?")), f"step {step}" + (f"/{total}" if total else "")]
    if status.get("current_file"):
        parts.append(str(status["current_file"]))
    for key, label, form in (
        ("loss", "loss", ".4f"),
        ("validation_loss", "val", ".4f"),
        ("tokens_per_sec", "tok/s", ",.0f"),
    ):
        if status.get(key) is not None:
            parts.append(f"{label} {status[key]:{form}}")
    if status.get("eta_seconds") is not None:
        parts.append(f"ETA {human_time(status['eta_seconds'])}")
    return " · ".join(parts)


def line_of(supervisor: Supervisor) -> str:
    """The one line of what a supervisor's trainer does."""
    return one_line(msgspec.to_builtins(supervisor.board.status))


def until_trained(tell: Callable[[str], None], line_s: float) -> Callable[[Supervisor], bool]:
    """For `Supervisor.run`: until everything dropped is sealed, with a line every `line_s`."""
    due = 0.0

    def finished(supervisor: Supervisor) -> bool:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + line_s
            tell(line_of(supervisor))
        return supervisor.idle and supervisor.admission.rounds >= 3

    return finished


class TrainerLines:
    """Prints events as they come, and the progress line under them."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._live = Live(console=errors, auto_refresh=False) if sys.stderr.isatty() else None
        self._next = 0.0

    def __enter__(self) -> TrainerLines:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """An event worth a line of its own."""
        errors.print(Text(f"{time.strftime('%H:%M:%S')}  {line}"))

    def every_round(self, supervisor: Supervisor) -> bool:
        """Refresh the progress line when due; never asks the supervisor to end."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + (LIVE_LINE_S if self._live is not None else PLAIN_LINE_S)
            line = line_of(supervisor)
            if self._live is not None:
                self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)
            else:
                self.say(line)
        return False
