"""kill -9 before, after and half-way through every write of an admission: nothing lost, nothing
twice, nothing torn under a final name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


OPERATIONS_MIN = {"whole": 60, "few": 20, "late": 8}
# Dying after one write is dying before the next: the long story is told twice, not three times.
RUNS = [(story, kind) for story in OPERATIONS_MIN for kind in ("kill-before", "half-write")]
RUNS += [("few", "kill-after"), ("late", "kill-after")]


@pytest.mark.parametrize(("story", "kind"), RUNS)
def test_an_admission_killed_at_any_write_admits_every_row_once(
    tmp_path: Path, story: str, kind: str
) -> None:
    command = [sys.executable, "-m", "tests.spool.killing", str(tmp_path), kind, story]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert told.returncode == 0, told.stderr
    result = json.loads(told.stdout)
    assert result["broken"] == []
    assert result["operations"] >= OPERATIONS_MIN[story]
    assert result["kills"] >= result["operations"]
