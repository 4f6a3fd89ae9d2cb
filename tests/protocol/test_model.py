"""A short run of the protocol model; `make protocol` runs the long one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.protocol import model
from tests.protocol.rules import Rules
from tests.protocol.world import Violation

HISTORIES = 120


def test_no_history_breaks_a_promise() -> None:
    counts = model.run(HISTORIES, seed=1_000_000)
    assert counts["kills"] > 30 * HISTORIES
    for trouble in ("damaged by rot", "damaged by torn", "damaged by manifest", "verdicts lost",
                    "second rollbacks", "rollback manifests torn", "duplicates", "retain",
                    "kills in recovery", "healed", "remove", "retry", "move"):  # fmt: skip
        assert counts[trouble] > 0, f"the histories never went through: {trouble}"


def test_a_history_is_reproduced_by_its_seed_alone() -> None:
    first, second = model.History(77), model.History(77)
    assert first.run() == second.run()
    assert first.done == second.done and first.lab.disk == second.lab.disk


def test_a_violation_names_the_seed_and_tells_the_story() -> None:
    class ForgetsFolders(Rules):
        def folder_of(self, meta: object, ledger: object) -> str:
            return "failed"

    with pytest.raises(Violation, match=r"--histories 1 --seed 5\n  story: "):
        model.run(1, seed=5, rules=ForgetsFolders())


def test_the_long_run_is_one_command() -> None:
    command = [sys.executable, "-m", "tests.protocol.model", "--histories", "2", "--seed", "9"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "no violation" in done.stdout and "kills" in done.stdout
