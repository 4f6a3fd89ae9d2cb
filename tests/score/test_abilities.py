"""Abilities: what is measured of a model that can do nothing, and how it is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from regime3 import tasks
from regime3.cli.app import app
from regime3.errors import ModelError
from regime3.lang.codebook import shipped
from regime3.model.nano import build_untrained
from regime3.score.abilities import Ability, Scorer, markdown
from regime3.tasks.rows import REGIMES, row

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("score") / "nano"
    build_untrained(folder)
    return folder


@pytest.fixture(scope="module")
def scorer(untrained: Path) -> Scorer:
    return Scorer(untrained, shipped())


def score(*words: str) -> Any:
    return CliRunner().invoke(app, ["tasks", "score", *words])


def test_an_untrained_model_scores_nothing_and_nothing_crashes(untrained: Path) -> None:
    result = score(
        str(untrained), "--families", "numbers", "--levels", "1", "--count", "2", "--json"
    )
    assert result.exit_code == 0, (result.output, result.exception)
    found = json.loads(result.stdout)
    assert found["codebook"] == shipped().name and found["split"] == "heldout"
    assert [each["regime"] for each in found["rows"]] == [1, 2, 3]
    for each in found["rows"]:
        assert (each["family"], each["level"], each["problems"]) == ("numbers", 1, 2)
        assert each["solved"] == each["right"] == each["steps_valid"] == 0
        assert each["tokens"] > 0
    assert result.stderr.count("solved 0%") == 3


@pytest.mark.parametrize("regime", REGIMES)
def test_what_the_oracle_writes_as_tokens_is_solved(scorer: Scorer, regime: int) -> None:
    sample = tasks.sample("numbers", 3, "heldout", 0)
    reply = row(sample, regime, shipped())["messages"][-1]
    judged = scorer.judged(sample, regime, scorer.golden_ids(reply))
    assert judged.valid and judged.right and judged.share == 1


def test_a_control_token_within_a_body_is_not_overlooked(scorer: Scorer) -> None:
    sample = tasks.sample("numbers", 3, "heldout", 0)
    ids = scorer.golden_ids(row(sample, 2, shipped())["messages"][-1])
    control = scorer.tokenizer.convert_tokens_to_ids("<|im_start|>")
    middle = len(ids) // 2
    assert not scorer.judged(sample, 2, [*ids[:middle], control, *ids[middle:]]).valid


def test_the_oracles_reply_always_has_room(scorer: Scorer, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms: list[int] = []

    def greedy(model: Any, tokenizer: Any, prompts: list[list[int]], most: int) -> list[list[int]]:
        rooms.append(most)
        return [[] for _ in prompts]

    monkeypatch.setattr("regime3.score.abilities.greedy", greedy)
    list(scorer.measure(["lists"], [1], REGIMES, 3, lambda _: None))
    for regime, room in zip(REGIMES, rooms, strict=True):
        for index in range(3):
            reply = row(tasks.sample("lists", 1, "heldout", index), regime, shipped())
            assert len(scorer.golden_ids(reply["messages"][-1])) <= room <= scorer.context


def test_markdown_has_families_down_and_levels_across() -> None:
    rows = [
        Ability("gcd", level, 3, 4, solved=level / 4, right=1.0, steps_valid=1.0, tokens=8.0)
        for level in (1, 2)
    ]
    table = markdown(rows)
    assert "### Regime 3" in table
    assert "| family | level 1 | level 2 | tokens |" in table
    assert "| gcd | 25% | 50% | 8 |" in table


def test_a_family_or_level_that_is_none_is_wrong_usage_before_a_model_is_read() -> None:
    for words, told in (
        (["--families", "geometry"], "known are"),
        (["--levels", "0"], "--levels"),
        (["--levels", "3-99"], "--levels"),
    ):
        result = score("/nowhere", *words)
        assert result.exit_code == 2 and told in result.stderr


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "nowhere"):
        result = score(str(folder), "--count", "1")
        assert isinstance(result.exception, ModelError), result.output
