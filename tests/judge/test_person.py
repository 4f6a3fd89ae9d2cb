"""The human always wins: promote and rollback by hand stand in the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from regime3.cli.app import app
from regime3.clock import SystemClock
from regime3.genesis import NANO_SETTINGS, found_lab
from regime3.judge import ledger
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.records.ledger import Ledger
from regime3.records.verdict import Carried
from regime3.vault import Vault
from tests.judge.test_ledger import verdict


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    found_lab(lab.root, build_nano, NANO_SETTINGS, "nano")
    vault = Vault(lab, SystemClock())
    for step in (10, 20):
        head = vault.head()
        seal = vault.reseal(head, Ledger(step=step), "steps")
        vault.point_current_model(seal)
    return lab


def r3(*words: str) -> dict[str, object]:
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_a_promotion_by_hand_is_due_and_drops_what_the_judge_thought(lab: Lab) -> None:
    ledger.append(lab, verdict(1, "first", 1, 1))
    ledger.append(lab, Carried(1, 0.0))
    ledger.append(lab, verdict(2, "worse", 2, 1))
    told = r3("promote", "2", "--reason", "I like it", "--lab", str(lab.root))
    assert told == {"champion": 2, "verdict": 3, "loop_runs": False}
    standing = ledger.standing_of(lab)
    assert (standing.champion, standing.best, standing.losses) == (2, 1, 0)  # the best stays
    assert standing.due is not None and standing.due.by == "user"
    shown = r3("checkpoints", "--ledger", "--lab", str(lab.root))
    assert [each["word"] for each in shown["verdicts"]] == ["first", "worse", "promote"]  # type: ignore[attr-defined]
    table = CliRunner().invoke(app, ["checkpoints", "--ledger", "--lab", str(lab.root)])
    assert "I like it" in " ".join(table.output.split())


def test_a_rollback_by_hand_is_what_later_seals_are_measured_by(lab: Lab) -> None:
    ledger.append(lab, verdict(1, "first", 3, 3))
    assert r3("rollback", "2", "--lab", str(lab.root))["done"] is True
    standing = ledger.standing_of(lab)
    assert (standing.champion, standing.best) == (2, 2)
    assert standing.last is not None and standing.last.word == "rollback"


def test_a_lab_without_a_judge_gets_no_ledger(lab: Lab) -> None:
    r3("rollback", "2", "--lab", str(lab.root))
    assert not lab.ledger_file.exists()
