"""The command line: every verb explains itself, speaks JSON, and refuses with the next command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from regime3.cli.app import app
from regime3.errors import InputRefused, LabError, Regime3Error, SealMissing, SettingsError
from regime3.genesis import found_lab
from regime3.model.nano import build_nano
from regime3.paths import Lab
from tests.additions import problem

runner = CliRunner()
LONG_RUNNING = {"node", "loop", "trainer", "web", "up", "top"}
"""Verbs that run until stopped; they print lines, not one object."""


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, sub in command.commands.items():
        yield (*path, name), sub
        if hasattr(sub, "commands"):
            yield from verbs(sub, (*path, name))


VERBS = list(verbs(typer.main.get_command(app)))


@pytest.fixture(scope="module")
def nano_lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    root = tmp_path_factory.mktemp("cli") / "lab"
    found_lab(root, build_nano, {"model.max_length": 256}, "nano")
    return Lab(root)


def r3(*words: str) -> Any:
    """Run a verb in this process; our own errors come out as they are raised."""
    return runner.invoke(app, [*words], catch_exceptions=True)


def ok_json(*words: str, code: int = 0) -> Any:
    result = r3(*words, "--json")
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout)


def refusal(kind: type[Regime3Error], *words: str) -> Regime3Error:
    result = r3(*words)
    assert isinstance(result.exception, kind), (result.output, result.exception)
    return result.exception


@pytest.mark.parametrize("path", [path for path, _ in VERBS], ids=" ".join)
def test_every_verb_has_help_worth_reading(path: tuple[str, ...]) -> None:
    result = r3(*path, "--help")
    assert result.exit_code == 0
    command = dict(VERBS)[path]
    assert len(command.help or "") > 20
    for param in command.params:
        assert getattr(param, "help", None) or param.name in ("help",), f"{path}: {param.name}"


@pytest.mark.parametrize("path", [path for path, _ in VERBS], ids=" ".join)
def test_every_verb_that_ends_speaks_json(path: tuple[str, ...]) -> None:
    command = dict(VERBS)[path]
    if hasattr(command, "commands") and not command.invoke_without_command:
        return  # only a group
    names = {name for param in command.params for name in param.opts}
    assert "--json" in names or path[0] in LONG_RUNNING


def test_init_makes_a_lab_that_is_whole(tmp_path: Path) -> None:
    made = ok_json("init", str(tmp_path / "new"), "--nano", "--set", "train.seed=3")
    lab = Lab(tmp_path / "new")
    assert made["checkpoint"] == 1 and lab.current_model.joinpath("model.safetensors").exists()
    assert all(folder.is_dir() for folder in lab.folders())
    assert "seed = 3" in lab.settings_file.read_text(encoding="utf-8")
    assert "already a lab" in refusal(LabError, "init", str(tmp_path / "new"), "--nano").message


def test_a_lab_can_be_moved(tmp_path: Path) -> None:
    ok_json("init", str(tmp_path / "here"), "--nano")
    (tmp_path / "here").rename(tmp_path / "there")
    assert ok_json("checkpoints", "--lab", str(tmp_path / "there"), "--verify")["checkpoints"]
    assert Lab(tmp_path / "there").current_model.resolve().is_relative_to(tmp_path / "there")


def test_a_setting_that_is_unknown_refuses_before_anything_is_made(tmp_path: Path) -> None:
    error = refusal(SettingsError, "init", str(tmp_path / "x"), "--nano", "--set", "train.sede=1")
    assert "train.seed" in error.message and not (tmp_path / "x").exists()


def test_a_folder_that_is_no_lab_says_how_to_make_one(tmp_path: Path) -> None:
    error = refusal(LabError, "status", "--lab", str(tmp_path))
    assert error.exit_code == 3 and "r3 init" in str(error)


def test_config_says_where_each_value_comes_from(nano_lab: Lab) -> None:
    found = ok_json("config", "--origin", "--lab", str(nano_lab.root), "--set", "train.seed=9")
    assert found["train.seed"] == {"value": "9", "origin": "--set train.seed"}
    assert "regime3.toml:" in found["model.max_length"]["origin"]


def chats(path: Path) -> Path:
    lines = [json.dumps(problem("cli", index), ensure_ascii=False) for index in range(5)]
    path.write_text("\n".join([*lines, "not json"]) + "\n", encoding="utf-8")
    return path


def test_data_check_tells_what_would_be_buried(nano_lab: Lab, tmp_path: Path) -> None:
    report = ok_json(
        "data", "check", str(chats(tmp_path / "c.jsonl")), "--lab", str(nano_lab.root), code=1
    )
    assert (report["rows"], report["trainable"], report["buried"]) == (6, 5, 1)
    assert report["thinking_examples"] == 5 and report["refusals"][0]["line"] == 6


def test_data_show_marks_the_supervised_tokens(nano_lab: Lab, tmp_path: Path) -> None:
    path = chats(tmp_path / "c.jsonl")
    found = ok_json("data", "show", str(path), "--row", "2", "--lab", str(nano_lab.root))
    pieces = found["examples"][0]["pieces"]
    supervised = "".join(piece["text"] for piece in pieces if piece["supervised"])
    assert supervised.startswith("🤔🤔🤔🤔") and supervised.rstrip().endswith("<|im_end|>")
    assert "What is" in "".join(piece["text"] for piece in pieces if not piece["supervised"])
    error = refusal(
        InputRefused, "data", "show", str(path), "--row", "99", "--lab", str(nano_lab.root)
    )
    assert "no row 99" in error.message


def test_a_queue_without_files_balances(nano_lab: Lab) -> None:
    found = ok_json("queue", "--lab", str(nano_lab.root))
    assert found["books_ok"] and found["total"]["rows"] == 0
    error = refusal(InputRefused, "queue", "skip", "nothing", "--lab", str(nano_lab.root))
    assert "no admitted file" in error.message


def test_adding_what_is_not_there_is_refused(nano_lab: Lab, tmp_path: Path) -> None:
    error = refusal(InputRefused, "add", str(tmp_path / "no.jsonl"), "--lab", str(nano_lab.root))
    assert "no such file" in error.message


def test_a_rollback_to_nothing_is_refused(nano_lab: Lab) -> None:
    refusal(SealMissing, "rollback", "77", "--yes", "--lab", str(nano_lab.root))


def test_the_doctor_finds_a_healthy_lab_healthy(nano_lab: Lab) -> None:
    found = ok_json("doctor", "--lab", str(nano_lab.root))
    checks = {finding["check"] for finding in found["findings"]}
    assert {"python", "torch", "vram", "clock", "port", "write", "disk", "model"} <= checks
    assert {"checkpoints", "queue", "validation", "trainer"} <= checks


def test_the_doctor_names_what_is_wrong_and_the_command_that_mends_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path / "sick")
    found_lab(lab.root, build_nano, {}, "nano")
    weights = lab.seal(1) / "model.safetensors"
    weights.chmod(0o644)
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.unlink()
    weights.write_bytes(bytes(data))
    lab.current_model.unlink()
    (lab.queue_folder("normal") / "stray.jsonl").write_text("{}\n")
    findings = ok_json("doctor", "--lab", str(lab.root), code=1)["findings"]
    told = {
        finding["check"]: finding for finding in findings if finding["level"] in ("bad", "warn")
    }
    assert {"checkpoints", "queue"} <= set(told)
    assert "model" in told
    assert [name for name, finding in told.items() if not finding["fix"]] == []


def test_stopping_pausing_and_resuming_without_a_trainer_is_no_error(nano_lab: Lab) -> None:
    root = ("--lab", str(nano_lab.root))
    assert ok_json("stop", *root) == {"was_running": False}
    assert ok_json("pause", *root) == {"paused": "asked by the user"}
    assert ok_json("resume", *root) == {"was_paused": True}
    assert ok_json("resume", *root) == {"was_paused": False}
    settings = Path(root[1]) / "regime3.toml"
    whole = settings.read_text(encoding="utf-8")
    settings.write_text("[train\nbroken", encoding="utf-8")
    assert ok_json("pause", *root)["paused"] and ok_json("resume", *root)["was_paused"]
    settings.write_text(whole, encoding="utf-8")
