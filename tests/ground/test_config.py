"""Settings: layers in order, unknown and impossible ones refused with the line and the fix."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from regime3 import config
from regime3.errors import SettingsError


def load(tmp_path: Path, text: str, **layers: object) -> config.Resolved:
    path = tmp_path / "regime3.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path, environment=layers.get("environment", {}), flags=layers.get("flags"))  # type: ignore[arg-type]


def test_every_setting_has_a_sentence_and_stands_in_the_rendered_file() -> None:
    text = config.render()
    for section, kind in config.sections().items():
        assert f"[{section}]" in text
        for item in fields(kind):
            assert item.metadata["doc"].endswith("."), item.name
            assert f"# {item.name} = " in text


def test_the_rendered_file_loads_to_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, config.render()).settings == config.Settings()


def test_the_rendered_defaults_uncommented_load_to_the_defaults(tmp_path: Path) -> None:
    everything = {
        f"{section}.{item.name}": getattr(kind(), item.name)
        for section, kind in config.sections().items()
        for item in fields(kind)
    }
    text = config.render(everything)
    assert tomllib.loads(text)["examples"]["think_emoji"] == "🤔"
    assert load(tmp_path, text).settings == config.Settings()


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    text = "[train]\nseed = 1\nthreads = 1\nwarmup_steps = 5\n"
    resolved = load(
        tmp_path,
        text,
        environment={"REGIME3_TRAIN_SEED": "2", "REGIME3_TRAIN_THREADS": "2"},
        flags={"train.seed": "3"},
    )
    train = resolved.settings.train
    assert (train.seed, train.threads, train.warmup_steps) == (3, 2, 5)
    assert resolved.origins["train.seed"] == "--set train.seed"
    assert resolved.origins["train.threads"] == "environment REGIME3_TRAIN_THREADS"
    assert resolved.origins["train.warmup_steps"].endswith("regime3.toml:4")
    assert resolved.origins["train.weight_decay"] == "default"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[train]\nlearning_rte = 1e-4\n", 2, "learning_rate"),
        ("[trian]\nseed = 1\n", 1, "train"),
        ("[train]\n\nseed = -1\n", 3, "out of bounds"),
        ("[train]\nseed = 'x'\n", 2, "type int"),
        ("[train]\nseed = 1.5\n", 2, "type int"),
        ("[queue]\nshuffle = 1\n", 2, "type bool"),
        ("[train]\ndevice = 'tpu'\n", 2, "cuda"),
        ("[train\nseed = 1\n", 1, "not TOML"),
        ("train = 3\n", 1, "section"),
        ("[checkpoint]\nsnapshot_at = '25:00'\n", 2, "03:00"),
        ("[examples]\nstop_count_min = 9\n", 2, "exceeds"),
        ("[model]\nmax_length = 100000\n", 2, "token_budget_max"),
        ("[examples]\nthink_emoji = ''\n", 2, "empty"),
        ("[power]\nquiet_hours = '22-7'\n", 2, "22:00-07:00"),
        ("[power]\nquiet_hours = '24:00-07:00'\n", 2, "two times"),
        ("[power]\nquiet_hours = '22:00-07:00 '\n", 2, "two times"),
        ("[power]\nquiet_hours = '07:00-07:00'\n", 2, "end when they begin"),
        ("[power]\nquiet_w = 300.0\n", 2, "do not rise"),
        ("[train]\nlearning_rate = nan\n", 2, "out of bounds"),
    ],
)
def test_a_bad_setting_refuses_with_its_line_and_the_fix(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, text)
    assert f"regime3.toml:{line}" in str(caught.value)
    assert words in str(caught.value)
    assert caught.value.exit_code == 3


def test_a_bad_environment_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="REGIME3_TRAIN_SEDE"):
        load(tmp_path, "", environment={"REGIME3_TRAIN_SEDE": "1"})
