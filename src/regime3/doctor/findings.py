"""What the doctor says, and the order in which it looks.

It changes nothing. A check that itself fails is a finding too, never a silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from regime3.config import Settings
from regime3.errors import Regime3Error
from regime3.paths import Lab

Level = Literal["ok", "note", "warn", "bad"]


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at. `fix` is the command that mends it; empty when nothing is wrong."""

    check: str
    level: Level
    text: str
    fix: str = ""


Check = Callable[[], Iterator[Finding]]


def examine(lab: Lab | None, settings: Settings) -> list[Finding]:
    """Every check, machine first. Without a lab only the machine is looked at."""
    from regime3.doctor import machine, state

    checks: list[tuple[str, Check]] = [
        ("python", machine.python),
        ("torch", machine.torch),
        ("gpu", machine.gpu),
        ("clock", machine.clock),
        ("port", lambda: machine.port(settings)),
    ]
    if lab is not None:
        checks += [
            ("write", lambda: state.write_permission(lab)),
            ("disk", lambda: state.disk_room(lab, settings)),
            ("model", lambda: state.current_model(lab)),
            ("memory", lambda: machine.memory_for(lab)),
            ("checkpoints", lambda: state.checkpoints(lab)),
            ("queue", lambda: state.queue(lab, settings)),
            ("validation", lambda: state.validation(lab)),
            ("trainer", lambda: state.trainer(lab)),
        ]
    return [finding for name, check in checks for finding in _guarded(name, check)]


def _guarded(name: str, check: Check) -> Iterator[Finding]:
    """The room's edge: a check that breaks is reported with its reason."""
    try:
        yield from check()
    except Regime3Error as error:
        yield Finding(name, "bad", error.message, error.next_command or "r3 doctor")
    except Exception as error:
        yield Finding(name, "bad", f"this check failed: {type(error).__name__}: {error}")
