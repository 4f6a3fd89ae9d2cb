"""What the worker wires: validation rows to their judges, and the codebook into checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from regime3 import tasks, worker
from regime3.config import Examples
from regime3.lang import codebook
from regime3.lang.codebook import Codebook
from regime3.model.chat import ChatRenderer
from regime3.model.codebooks import codebook_of
from regime3.model.load import load_tokenizer
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.records.messages import Alert
from regime3.records.rows import Message
from regime3.tasks.rows import row, translation
from regime3.train.validate import ValidationRow

SAMPLE = tasks.sample("numbers", 2, "heldout", 0)
OTHER = tasks.sample("numbers", 2, "heldout", 1)


class Reports:
    """A port that only listens."""

    orphaned = False

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def orders(self, wait_s: float = 0.0) -> list[Any]:
        return []

    def send(self, report: Any) -> None:
        self.sent.append(report)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worker") / "nano"
    build_nano(folder)
    return folder


@pytest.fixture(scope="module")
def renderer(base: Path) -> ChatRenderer:
    return ChatRenderer(load_tokenizer(base), Examples(), 2048)


def rows_of(
    tmp_path: Path, renderer: ChatRenderer, book: Codebook | None, *made: dict[str, Any]
) -> list[ValidationRow]:
    lab = Lab(tmp_path)
    lab.validation.mkdir()
    text = "".join(json.dumps(each) + "\n" for each in made)
    (lab.validation / "rows.jsonl").write_text(text)
    found = worker.validation_rows(lab, renderer, book)
    assert len(found) == len(made)
    return found


def written(renderer: ChatRenderer, made: dict[str, Any]) -> str:
    """The completion that training would teach, as the model would write it."""
    said = made["messages"][-1]
    reply = Message(said["role"], said["content"], said.get("reasoning_content"))
    return renderer.profile.completion(reply, "key", 0)[0]


def test_rows_about_a_problem_are_judged_by_the_checker_in_every_regime(
    tmp_path: Path, renderer: ChatRenderer, base: Path
) -> None:
    book = codebook_of(base)
    assert book is not None
    made = [row(SAMPLE, regime, book) for regime in (1, 2, 3)]
    others = [row(OTHER, regime, book) for regime in (1, 2, 3)]
    for found, right, wrong in zip(
        rows_of(tmp_path, renderer, book, *made), made, others, strict=True
    ):
        assert found.judge is not None
        assert found.judge(written(renderer, right))
        assert not found.judge(written(renderer, wrong)), "another problem's body"
        assert not found.judge("I do not know.")
        assert found.system_prompt == right["messages"][0]["content"]


def test_the_answers_code_alone_says_nothing(
    tmp_path: Path, renderer: ChatRenderer, base: Path
) -> None:
    book = codebook_of(base)
    assert book is not None
    made, other = row(SAMPLE, 3, book), row(OTHER, 3, book)
    (found,) = rows_of(tmp_path, renderer, book, made)
    assert found.golden == other["messages"][-1]["content"], "the same text for both problems"
    assert found.judge is not None and not found.judge(written(renderer, other))


def test_translations_are_judged_as_translations(
    tmp_path: Path, renderer: ChatRenderer, base: Path
) -> None:
    book = codebook_of(base)
    assert book is not None
    made = translation(SAMPLE, 1, 3, book)
    (found,) = rows_of(tmp_path, renderer, book, made)
    assert found.judge is not None
    assert found.judge(made["messages"][-1]["content"])
    assert not found.judge(translation(OTHER, 1, 3, book)["messages"][-1]["content"])


def test_other_peoples_rows_are_compared_as_text(
    tmp_path: Path, renderer: ChatRenderer, base: Path
) -> None:
    said = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]
    found = rows_of(
        tmp_path, renderer, codebook_of(base),
        {"messages": said},
        {"messages": said, "problem": "What is 2 + 2?", "regime": 1},
        {"messages": said, "problem": "(eval (add 2 2))"},
        {"messages": said, "problem": ["x"], "regime": "codes"},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
         "problem": "(gcd 4 2)", "regime": 2},
    )  # fmt: skip
    assert [each.judge for each in found] == [None] * 5


def test_a_number_too_long_to_be_read_costs_nothing_but_the_judge(renderer: ChatRenderer) -> None:
    raw = b'{"messages": [], "regime": ' + b"3" * 10_000 + b"}"
    assert worker.judge_of(raw, renderer, None) is None


def test_without_the_models_codebook_codes_are_compared_as_text(
    tmp_path: Path, renderer: ChatRenderer
) -> None:
    book = codebook.bare()
    coded, plain = rows_of(tmp_path, renderer, None, row(SAMPLE, 3, book), row(SAMPLE, 1, book))
    assert coded.judge is None
    assert plain.judge is not None


def test_a_checkpoint_keeps_the_codebook_it_was_trained_with(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from regime3.train import state

    monkeypatch.setattr(state, "write_state", lambda trainer, folder: None)
    (tmp_path / "seal").mkdir()
    worker.writer_from(base)(None, tmp_path / "seal")  # type: ignore[arg-type]
    kept = (tmp_path / "seal" / "codebook.json").read_bytes()
    assert kept == (base / "codebook.json").read_bytes()
    (tmp_path / "bare").mkdir()
    (tmp_path / "other").mkdir()
    worker.writer_from(tmp_path / "bare")(None, tmp_path / "other")  # type: ignore[arg-type]
    assert list((tmp_path / "other").iterdir()) == []


def test_a_codebook_that_cannot_be_used_is_told_of_and_stops_nothing(tmp_path: Path) -> None:
    build_nano(tmp_path / "nano")
    (tmp_path / "nano" / "codebook.json").write_text("{}")
    port = Reports()
    assert worker.codebook_at(tmp_path / "nano", port) is None
    (alert,) = port.sent
    assert isinstance(alert, Alert) and alert.level == "WARN" and "as text" in alert.message
