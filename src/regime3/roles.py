"""Running several roles on one machine: each its own process, minded together.

`r3 up` runs here. The trainer minds its own worker; when it ends, all end, and its exit code is
ours. Node, loop and page hold nothing that their files do not: one that ends is started anew with
growing pauses, for as long as it takes, and training goes on meanwhile.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from regime3.config import Settings
from regime3.paths import Lab

LEADER = "trainer"
ROLES = (LEADER, "node", "loop", "web", "notify")
"""In the order of their start; they end in the same order, so that the last seal is made first."""
POLL_S = 0.2
LEAVE_S_MAX = 180.0
BACKOFF_S, BACKOFF_S_MAX = 1.0, 60.0
STEADY_S = 60.0
"""A role that ran for so long begins again with the shortest pause."""

Say = Callable[[str], None]


@dataclass
class Role:
    """A process, and when to start it again."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    backoff_s: float = BACKOFF_S
    due_s: float = 0.0

    def start(self) -> None:
        """Start it now."""
        self.started_s = time.monotonic()
        self.process = subprocess.Popen(self.command, start_new_session=True)

    def ended(self) -> int | None:
        """Its exit code, if it has just ended."""
        code = None if self.process is None else self.process.poll()
        if code is not None:
            self.process = None
        return code

    def plan(self) -> float:
        """Start it again after this many seconds."""
        steady = time.monotonic() - self.started_s >= STEADY_S
        pause = BACKOFF_S if steady else self.backoff_s
        self.backoff_s = min(2 * pause, BACKOFF_S_MAX)
        self.due_s = time.monotonic() + pause
        return pause


def command_of(role: str, lab: Lab, flags: Mapping[str, str]) -> list[str]:
    """The command line of a role."""
    command = [sys.executable, "-m", "regime3", role, "--lab", str(lab.root)]
    for key, value in flags.items():
        command += ["--set", f"{key}={value}"]
    return command


def roles_of(settings: Settings) -> list[str]:
    """What runs here: no node of our own where the loop works with another machine's, and no
    notifier without anyone to notify."""
    without = set()
    if settings.loop.node:
        without.add("node")
    if not (settings.notify.webhook or settings.notify.ntfy):
        without.add("notify")
    return [role for role in ROLES if role not in without]


def run_roles(lab: Lab, settings: Settings, flags: Mapping[str, str], tell: Say) -> int:
    """Start every role, mind them until a signal or the trainer's end. The exit code."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: asked.append(got))
    roles = [Role(name, command_of(name, lab, flags)) for name in roles_of(settings)]
    for role in roles:
        role.start()
    tell(f"{lab.root} is up (pid {os.getpid()}): drop *.jsonl into inbox/, Ctrl-C to stop")
    code: int | None = None
    try:
        while not asked and code is None:
            time.sleep(POLL_S)
            code = _mind(roles, tell)
    finally:
        end_roles({role.name: role.process for role in roles if role.process is not None})
    return 0 if asked or code is None else code


def _mind(roles: list[Role], tell: Say) -> int | None:
    """Start again what has ended; the trainer's exit code once it has."""
    for role in roles:
        ended = role.ended()
        if ended is not None and role.name == LEADER:
            tell(f"{role.name} ended with exit code {ended}")
            return ended
        if ended is not None:
            tell(f"{role.name} ended with exit code {ended}; next start in {role.plan():.0f} s")
        elif role.process is None and time.monotonic() >= role.due_s:
            role.start()
    return None


def end_roles(roles: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """SIGTERM to each, in order; the trainer gets its time to seal."""
    for process in roles.values():
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(LEAVE_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
