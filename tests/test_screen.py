"""`r3 top`: the live page in text."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from regime3.cli.app import app
from regime3.cli.look import read_status
from regime3.cli.screen import BARS, screen
from regime3.paths import Lab
from regime3.records.status import QueueFile, QueueState
from tests.node.nodes import make_lab
from tests.web.labs import HOSTILE, NoCards, busy_day, loop_day


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path / "home")


def drawn(lab: Lab, width: int = 110, **other: Any) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, markup=False, highlight=False)
    console.print(screen(lab, read_status(lab) | other, width))
    return out.getvalue()


def test_it_answers_what_the_page_answers(lab: Lab) -> None:
    busy_day(lab, 120)
    loop_day(lab)
    text = drawn(lab)
    for said in (
        "Alive?    alive, heard",
        "Training olympiad-2026-11.jsonl",
        "smoothed",
        "exact match",
        "step 120",
        "2,880 of 60,000",
        "4 open, 9 ended, 1 failed",
        "Simulated card: 96 %, 20.4 GB of 25.8 GB, 68 °C, 318 W",
        "champion: checkpoint 4",
        "forge: shard 5",
        "Out of memory in backward",
    ):
        assert said in text, (said, text)
    assert set(BARS) & set(text), "the loss is drawn"
    assert "no card" not in text


def test_what_is_not_known_is_not_made_up(lab: Lab) -> None:
    day = busy_day(lab, 3, cards=NoCards())
    day.write()
    text = drawn(lab, gpu=None, validation_loss=None, val_train_gap=None, fixed_eval_em=None)
    assert "no card" in text and "validation –, gap –" in text and "exact match" not in text
    assert "Loop" not in text, "no loop has run"


def test_a_dead_trainer_is_dead_whatever_it_claims(lab: Lab) -> None:
    day = busy_day(lab, 120)
    day.write(3600)
    text = drawn(lab)
    assert "Alive?    dead" in text and "r3 trainer" in text


@pytest.mark.parametrize("width", [40, 60, 200])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_markup(lab: Lab, width: int) -> None:
    day = busy_day(lab, 120)
    listed = [QueueFile("a" * 32, f"[red]{HOSTILE}[/red]", "high", 10)]
    day.board.update(queue=QueueState(listed, 1, rows_admitted=10, rows_left=10))
    day.write()
    loop_day(lab)
    text = drawn(lab, width)
    assert all(len(line) <= width for line in text.splitlines())
    if width == 200:
        assert f"[red]{HOSTILE}" in text


def test_the_command_prints_it_once(lab: Lab) -> None:
    busy_day(lab, 120)
    told = CliRunner().invoke(app, ["top", "--once", "--lab", str(lab.root)])
    assert told.exit_code == 0 and "Learning?" in told.output
