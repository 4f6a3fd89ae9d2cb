"""`sudo -n nvidia-smi -pl`: sets a limit where NVML lacks the right. Never a shell, never asks
for a password; a line in sudoers for this one command is all it needs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

from regime3.errors import NodeRefused

SET_S_MAX = 20.0
Run = Callable[..., Any]


def set_by_smi(uuid: str, power_w: float, run: Run = subprocess.run) -> None:
    """Set the limit of the card `uuid`. Raises `NodeRefused` when we may not, or it does not."""
    command = ["sudo", "-n", "nvidia-smi", "-i", uuid, "-pl", f"{power_w:.0f}"]
    try:
        done = run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SET_S_MAX
        )
    except FileNotFoundError:
        raise _refused("there is no sudo or nvidia-smi here") from None
    except subprocess.TimeoutExpired:
        raise _refused("nvidia-smi did not answer") from None
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()[-1]
        raise _refused(said)


def _refused(why: str) -> NodeRefused:
    return NodeRefused(
        409,
        "power_denied",
        f"the power limit needs root, and `sudo -n nvidia-smi` was refused: {why}",
        next_command="sudo visudo -f /etc/sudoers.d/regime3",
    )
