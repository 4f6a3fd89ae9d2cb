"""Probes: fixed for ever, asked of real checkpoints, told as curves, firsts and regressions."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from regime3.cli.app import app
from regime3.clock import SystemClock
from regime3.config import Evolution
from regime3.errors import NodeRefused
from regime3.evolution import probes, story
from regime3.judge.problems import FRESH
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.records.probe import ProbeAnswer, ProbeSheet
from tests.node.nodes import make_lab, running_node

SETTINGS = Evolution(levels=1, per_level=1)


def answer(probe: str, valid: bool) -> ProbeAnswer:
    return ProbeAnswer(probe, valid, valid, 3, 1.0 if valid else 0.3, 12, "thought", "answer")


def sheet(seal: int, solved: dict[str, bool]) -> story.Sheet:
    answers = {name: answer(name, valid) for name, valid in solved.items()}
    return story.Sheet(ProbeSheet(seal, 10 * seal, f"m{seal}", float(seal), len(answers)), answers)


A, B = "lists:1:8000:3", "lists:1:8001:3"


def test_a_longer_set_begins_with_the_shorter() -> None:
    short, long = probes.names(SETTINGS), probes.names(dataclasses.replace(SETTINGS, levels=3))
    assert long[: len(short)] == short
    assert len(set(long)) == len(long)
    assert all(probes.FROM <= int(name.split(":")[2]) < FRESH for name in long)


def test_firsts_and_regressions() -> None:
    found = [
        sheet(1, {A: False, B: True}),
        sheet(2, {A: True, B: False}),
        sheet(3, {A: True, B: False}),
    ]
    assert story.firsts(found) == {B: 10, A: 20}
    assert story.regressions(found) == {B: 10}
    assert story.regressions(found[:1]) == {}
    assert [each["solved"] for each in story.curves(found)["lists:1:3"]] == [0.5, 0.5, 0.5]
    assert [each["valid"] for each in story.history(found, A)] == [False, True, True]


def test_a_probe_that_was_never_asked_regresses_nowhere() -> None:
    found = [sheet(1, {A: True, B: True}), sheet(2, {A: True})]
    assert story.regressions(found) == {}


def test_files_that_are_none_of_ours_are_passed_over(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    lab.evolution.mkdir()
    lab.evolution_file(1).write_text('{"not": "ours"}\n')
    one = sheet(2, {A: True})
    lines = [msgspec.json.encode(each) for each in (one.head, *one.answers.values())]
    lab.evolution_file(2).write_bytes(b"\n".join(lines) + b"\n")
    assert story.sheets(lab) == [one]


def test_a_real_node_answers_the_probes(tmp_path: Path) -> None:
    lab = make_lab(tmp_path / "lab")
    with (
        running_node(lab, slots=32, slots_reserved=2, device="cpu") as node,
        node.client() as client,
    ):
        probes.record(lab, SETTINGS, client, SystemClock(), codebook.shipped, (7, 70, "champion"))
        with pytest.raises(NodeRefused):
            probes.record(lab, SETTINGS, client, SystemClock(), codebook.shipped, (8, 80, "nobody"))
    assert probes.is_recorded(lab, 7) and not probes.is_recorded(lab, 8)
    (found,) = story.sheets(lab)
    assert list(found.answers) == probes.names(SETTINGS)
    assert all(each.tokens > 0 for each in found.answers.values())
    told = CliRunner().invoke(app, ["evolution", "--lab", str(lab.root), "--json"])
    assert json.loads(told.stdout)["checkpoints"][0]["step"] == 70
    curves = tmp_path / "curves.csv"
    CliRunner().invoke(
        app, ["evolution", "--lab", str(lab.root), "--export", str(curves)], catch_exceptions=False
    )
    assert curves.read_text().splitlines()[0].startswith("cell,seal,step,solved")
    name = probes.names(SETTINGS)[0]
    shown = CliRunner().invoke(app, ["evolution", name, "--lab", str(lab.root)])
    assert name in shown.output
