"""Running several roles on one machine: each its own process, ended together.

`r3 up` starts trainer and web here; it restarts neither. The trainer minds its own worker; a role
that ends takes the others with it, and its exit code is ours.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from regime3.paths import Lab

ROLES = ("trainer", "web")
POLL_S = 0.2
LEAVE_S_MAX = 180.0


def command_of(role: str, lab: Lab, flags: Mapping[str, str]) -> list[str]:
    """The command line of a role."""
    command = [sys.executable, "-m", "regime3", role, "--lab", str(lab.root)]
    for key, value in flags.items():
        command += ["--set", f"{key}={value}"]
    return command


def run_roles(lab: Lab, flags: Mapping[str, str], tell: Callable[[str], None]) -> int:
    """Start every role, wait for a signal or for one to end, then end all. The exit code."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda got, _: asked.append(got))
    roles = {
        role: subprocess.Popen(command_of(role, lab, flags), start_new_session=True)
        for role in ROLES
    }
    tell(f"{lab.root} is up (pid {os.getpid()}): drop *.jsonl into inbox/, Ctrl-C to stop")
    code = 0
    while not asked and code == 0:
        time.sleep(POLL_S)
        for role, process in roles.items():
            if process.poll() is not None:
                tell(f"{role} ended with exit code {process.returncode}")
                code = process.returncode or 1
    end_roles(roles)
    return 0 if asked else code


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
