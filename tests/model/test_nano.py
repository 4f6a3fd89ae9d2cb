"""The nano model and its tokenizer: small, deterministic, loadable by anyone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from regime3.model import nano_corpus, nano_tokenizer
from regime3.model.memory import model_shape
from regime3.model.nano import build_nano


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nano") / "model"
    build_nano(folder)
    return folder


def test_two_builds_are_byte_identical(built: Path, tmp_path: Path) -> None:
    build_nano(tmp_path / "again")
    names = sorted(item.name for item in built.iterdir())
    assert names == sorted(item.name for item in (tmp_path / "again").iterdir())
    for name in names:
        assert (built / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_building_leaves_the_global_generator_alone(tmp_path: Path) -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    build_nano(tmp_path / "model")
    assert torch.equal(torch.rand(3), wanted)


def test_it_is_a_small_qwen3_that_plain_transformers_loads(built: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(built, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(built)
    assert model.config.model_type == "qwen3"
    assert 800_000 < sum(p.numel() for p in model.parameters()) < 1_000_000
    assert model_shape(built).parameters == sum(p.numel() for p in model.parameters())
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert (
        model.config.eos_token_id == tokenizer.eos_token_id == model.generation_config.eos_token_id
    )
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert len(tokenizer) == model.config.vocab_size
    assert model.config.max_position_embeddings == 4096


def test_an_untrained_model_is_nearly_uniform(built: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(built, dtype=torch.float32)
    ids = torch.arange(100, 356).reshape(4, 64)
    loss = model(input_ids=ids, labels=ids).loss.item()
    assert abs(loss - torch.log(torch.tensor(1536.0)).item()) < 0.3


def test_the_shipped_tokenizer_is_what_the_code_builds(tmp_path: Path) -> None:
    nano_tokenizer.build(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shipped = nano_tokenizer.ship_to() / name
        assert (tmp_path / name).read_bytes() == shipped.read_bytes(), (
            "run: python -m regime3.model.nano_tokenizer"
        )


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_round_trips(nano: Any, text: str) -> None:
    assert nano.decode(nano(text, add_special_tokens=False)["input_ids"]) == text


def test_digits_and_emojis_are_single_tokens(nano: Any) -> None:
    assert nano.tokenize("1234") == ["1", "2", "3", "4"]
    assert nano.tokenize("🤔🤔🛑") == ["🤔", "🤔", "🛑"]
    assert nano.tokenize("<|im_start|>user") == ["<|im_start|>", "user"]


def test_words_are_cheaper_than_letters(nano: Any) -> None:
    text = "What is the sum of the first five even numbers? Think, then answer."
    assert len(nano.tokenize(text)) * 3 < len(text)


def test_merges_come_by_count_and_then_by_name() -> None:
    from collections import Counter

    words = Counter({"abab": 3, "abc": 2, "zz": 2})
    assert nano_tokenizer.learn_merges(words, 3) == [("a", "b"), ("ab", "ab"), ("ab", "c")]


def test_the_corpus_is_the_same_for_ever() -> None:
    assert list(nano_corpus.lines(50)) == list(nano_corpus.lines(60))[:50]
    assert len(set(nano_corpus.lines(2000))) > 1500
