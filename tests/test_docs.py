"""Documents that cannot drift: references are regenerated, README's words are checked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from regime3.cli.app import app
from regime3.paths import Lab
from tests.reference import commands_page, settings_page

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "page"), [("settings.md", settings_page), ("commands.md", commands_page)]
)
def test_the_reference_is_what_the_code_says(name: str, page: object) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == page(), (  # type: ignore[operator]
        "run python -m tests.reference"
    )


def test_every_command_in_the_readme_exists() -> None:
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|[\s`|,])r3 ([a-z]+)", text, re.MULTILINE))
    assert named and named <= verbs


def test_every_file_the_readme_points_at_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:docs|decisions|src|tests)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name


def test_every_make_target_in_the_readme_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)\s", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named & {"demo", "test", "soak"} and named <= targets


def test_the_lab_documented_is_the_lab_made() -> None:
    folders = {str(path) for path in Lab(Path("lab")).folders()}
    assert {"lab/inbox/high", "lab/queue/recently_completed", "lab/control/requests"} <= folders
