"""A real process, killed."""

from __future__ import annotations

import json
import subprocess
import sys


def test_jobs_killed_at_random_moments_lose_nothing_and_double_nothing() -> None:
    """In a process of its own: it forks."""
    command = [sys.executable, "-m", "tests.jobs.kills", "--kills", "24", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["broken"] == [] and told["kills"] == 24
