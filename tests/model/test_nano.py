"""The nano model and its tokenizer: small, deterministic, loadable by anyone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from regime3.model import nano as nano_model
from regime3.model import nano_corpus, nano_tokenizer
from regime3.model.codebooks import codebook_of
from regime3.model.codes import code_ids, ids_of
from regime3.model.memory import model_shape
from regime3.model.nano import build_nano, build_untrained


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
    assert sum(p.numel() for p in model.parameters()) == 1_049_984
    assert model_shape(built).parameters == sum(p.numel() for p in model.parameters())
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert (
        model.config.eos_token_id == tokenizer.eos_token_id == model.generation_config.eos_token_id
    )
    assert model.config.pad_token_id == tokenizer.pad_token_id
    assert len(tokenizer) == model.config.vocab_size == 2048
    assert model.config.max_position_embeddings == 4096


def test_it_has_the_codes_from_the_start_behind_all_text(built: Path, nano: Any) -> None:
    assert code_ids(nano) == list(range(1536, 2048))
    assert nano("<E000>a<E511>", add_special_tokens=False)["input_ids"] == [
        *ids_of([0], 1536),
        *nano("a", add_special_tokens=False)["input_ids"],
        *ids_of([511], 1536),
    ]
    book = codebook_of(built)
    assert book is not None
    assert json.loads((built / "config.json").read_text())["codebook_sha256"] == book.name


def test_an_untrained_model_is_nearly_uniform(tmp_path: Path) -> None:
    build_untrained(tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32)
    ids = torch.arange(100, 356).reshape(4, 64)
    loss = model(input_ids=ids, labels=ids).loss.item()
    assert abs(loss - torch.log(torch.tensor(2048.0)).item()) < 0.3


def test_seeds_draw_other_weights() -> None:
    first, again, other = (nano_model.untrained() for _ in range(3))
    nano_model.draw_weights(first)
    nano_model.draw_weights(again, seed=0)
    nano_model.draw_weights(other, seed=1)
    assert torch.equal(first.lm_head.weight, again.lm_head.weight)
    assert not torch.equal(first.lm_head.weight, other.lm_head.weight)


def test_weights_in_the_package_are_what_a_build_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_untrained(tmp_path / "trained")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "trained", dtype=torch.float32)
    with torch.no_grad():
        model.model.norm.weight.fill_(0.5)
    model.save_pretrained(tmp_path / "trained")
    monkeypatch.setattr(nano_model, "shipped_weights", lambda: tmp_path / "small.safetensors")
    nano_model.write_weights(tmp_path / "trained", tmp_path / "small.safetensors")
    build_nano(tmp_path / "built")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "built", dtype=torch.float32)
    for name, weight in model.state_dict().items():
        assert torch.equal(weight.bfloat16().float(), found.state_dict()[name]), name


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


def test_words_of_the_task_families_are_single_tokens(nano: Any) -> None:
    words = nano_tokenizer.read_words()
    whole = sum(count for piece, count in words.items() if piece in nano.get_vocab())
    assert whole > 0.99 * sum(words.values())


def test_counted_words_are_shipped_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nano_tokenizer, "ship_to", lambda: tmp_path)
    counts = nano_tokenizer.count_words(["Take two, take 2.", "take two\tonce", "two # # #"])
    nano_tokenizer.write_words(counts)
    assert nano_tokenizer.read_words() == {p: n for p, n in counts.items() if n > 1}
    assert nano_tokenizer.read_words()["Ġtwo"] == 2


def test_merges_come_by_count_and_then_by_name() -> None:
    from collections import Counter

    words = Counter({"abab": 3, "abc": 2, "zz": 2})
    assert nano_tokenizer.learn_merges(words, 3) == [("a", "b"), ("ab", "ab"), ("ab", "c")]


def test_the_corpus_is_the_same_for_ever() -> None:
    assert list(nano_corpus.lines(50)) == list(nano_corpus.lines(60))[:50]
    assert len(set(nano_corpus.lines(2000))) > 1500
