"""Codes in a model: one token each, text untouched, rows that mean something, a plain folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, Qwen3ForCausalLM

from regime3.config import Settings
from regime3.errors import ModelError
from regime3.lang import codebook
from regime3.lang.codes import CODE, CODES_MAX, FIRST_MACRO, tokens_text
from regime3.model import codes
from regime3.model.codebooks import codebook_of, has_codes
from regime3.model.codes import add_codes, code_ids, ids_of, prepare
from regime3.model.importing import import_model
from regime3.model.load import load_model, load_tokenizer
from regime3.model.nano import build_nano
from tests.tiny_qwen3 import tiny_qwen3

BOOK = codebook.bare()
OTHER = codebook.bare(strategy=1)
QWEN3_TOKENS = 151_669
QWEN3_ROWS = 151_936

TEXTS = [
    "",
    " ",
    "The quick brown fox jumps over 13 lazy dogs.",
    "  indented\n\n\ttabs and trailing blanks   \n",
    "(eval (add (mul 7 8) 2 40))\n(r-mul 7 8 56) (qed 98)",
    "def f(x):\n    return {'a': [1, 2.5e-3], \"b\": x ** 2}  # comment",
    "<E> <E1> <E12> <E0000> <E512> <E999> <e000> <E00a> E000 <E 000> < E000> <<E",
    "<|im_start|>user\nHi<|im_end|>\n<think>\n\n</think>",
    "Straße, naïve, Ωmega, привет, 日本語のテキスト, العربية, हिन्दी, 한국어",
    "🤔🤔🛑 👩‍👩‍👧‍👦 e\u0301 \u00e9 \u200b \ufb01 ①②③",
    "x=1;y=-2;z=3/4 → 5×6÷7 ≤ 8 ≠ 9 ∧ ¬p ∨ q",
    "https://example.org/a?b=c&d=%20#e",
    "\r\n\x00\x1f\x7f \ufeff",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "1234567890 0.1 1e10 0xFF 12:34 2026-11-23",
]


def text_ids(tokenizer: Any, text: str) -> list[int]:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert isinstance(ids, list)
    return ids


def tiny(vocabulary: int, **given: Any) -> Qwen3ForCausalLM:
    return tiny_qwen3(vocabulary, hidden_size=8, num_hidden_layers=1, **given)


@pytest.fixture(scope="module")
def plain_nano(nano: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The nano tokenizer's files as they would be without codes."""
    folder = tmp_path_factory.mktemp("plain-nano")
    nano.save_pretrained(folder)
    path = folder / "tokenizer.json"
    written = json.loads(path.read_text())
    written["added_tokens"] = [t for t in written["added_tokens"] if "<E" not in t["content"]]
    path.write_text(json.dumps(written))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    config.pop("added_tokens_decoder", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


class Extended(NamedTuple):
    """A model and a tokenizer with codes, and what was so before."""

    model: Any
    tokenizer: Any
    tokens: int
    rows: torch.Tensor
    ids: list[list[int]]
    texts: list[str]


@pytest.fixture(scope="module", params=["nano", "qwen3"])
def extended(
    request: pytest.FixtureRequest,
    plain_nano: Path,
    qwen3: Any,
    tmp_path_factory: pytest.TempPathFactory,
) -> Extended:
    if request.param == "nano":
        tokens, model, folder = 1536, tiny(1536), plain_nano
    else:
        tokens, model, folder = QWEN3_TOKENS, tiny(QWEN3_ROWS), tmp_path_factory.mktemp("qwen3")
        qwen3.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ids = [text_ids(tokenizer, text) for text in TEXTS]
    rows = model.get_input_embeddings().weight.detach().clone()
    texts = [tokenizer.decode(each) for each in ids]
    add_codes(model, tokenizer, BOOK)
    return Extended(model, tokenizer, tokens, rows, ids, texts)


def test_each_code_is_one_token_and_text_is_as_before(extended: Extended) -> None:
    tokens, tokenizer = extended.tokens, extended.tokenizer
    assert code_ids(tokenizer) == list(range(tokens, tokens + CODES_MAX))
    assert [text_ids(tokenizer, text) for text in TEXTS] == extended.ids
    assert [tokenizer.decode(ids) for ids in extended.ids] == extended.texts
    for code in range(CODES_MAX):
        assert text_ids(tokenizer, tokens_text([code])) == [tokens + code]


def test_codes_are_decoded_like_text_with_nothing_between(extended: Extended) -> None:
    tokens, tokenizer = extended.tokens, extended.tokenizer
    text = f"so\n{tokens_text([0, 7, 511])} and{tokens_text([42])}"
    ids = text_ids(tokenizer, text)
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert [i for i in ids if i >= tokens] == ids_of([0, 7, 511, 42], tokens)
    assert not set(code_ids(tokenizer)) & set(tokenizer.all_special_ids)


def test_rows_are_the_mean_of_what_a_code_stands_for_and_a_little_noise(
    extended: Extended,
) -> None:
    tokens, old = extended.tokens, extended.rows
    new = extended.model.get_input_embeddings().weight.detach()
    assert torch.equal(new[:tokens], old[:tokens])
    for code, words in ((CODE["mul"], "mul"), (CODE["A37"], "37"), (FIRST_MACRO, "reserve")):
        assert words in codes.wording(BOOK, code)
        mean = old[text_ids(extended.tokenizer, codes.wording(BOOK, code))].mean(dim=0)
        noise = new[tokens + code] - mean
        assert 0 < noise.std().item() < 3 * codes.NOISE_SHARE * old.std().item()
    assert not torch.equal(new[tokens + CODE["A37"]], new[tokens + CODE["A73"]])


def test_embeddings_grow_to_a_multiple_of_64_and_stay_tied(extended: Extended) -> None:
    model = extended.model
    found = model.get_input_embeddings().weight.shape[0]
    assert found == model.config.vocab_size == -(-(extended.tokens + CODES_MAX) // 64) * 64
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_rows_beyond_the_vocabulary_stay(plain_nano: Path) -> None:
    model, tokenizer = tiny(3000), AutoTokenizer.from_pretrained(plain_nano)
    old = model.get_input_embeddings().weight.detach().clone()
    add_codes(model, tokenizer, BOOK)
    new = model.get_input_embeddings().weight
    assert new.shape == old.shape
    assert torch.equal(new[2048:], old[2048:]) and torch.equal(new[:1536], old[:1536])
    assert not (new[1536:2048] == old[1536:2048]).any()


def test_padding_that_is_new_is_like_the_average_token(plain_nano: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(plain_nano)
    tokenizer.add_tokens([f"new{number}" for number in range(5)])
    model = tiny(1541)
    old = model.get_input_embeddings().weight.detach().clone()
    add_codes(model, tokenizer, BOOK)
    new = model.get_input_embeddings().weight
    assert new.shape[0] == 2112
    assert torch.allclose(new[1541 + CODES_MAX :], old.mean(dim=0), atol=1e-6)


def test_untied_heads_get_rows_of_their_own(plain_nano: Path) -> None:
    model, tokenizer = (
        tiny(1536, tie_word_embeddings=False),
        AutoTokenizer.from_pretrained(plain_nano),
    )
    head = model.get_output_embeddings().weight.detach().clone()
    add_codes(model, tokenizer, BOOK)
    new_head, new_input = model.get_output_embeddings().weight, model.get_input_embeddings().weight
    assert new_head.shape == new_input.shape == (2048, 8)
    assert new_head is not new_input and torch.equal(new_head[:1536], head)
    wanted = head[text_ids(tokenizer, codes.wording(BOOK, CODE["sub"]))].mean(dim=0)
    noise = new_head[1536 + CODE["sub"]] - wanted
    assert 0 < noise.std().item() < 0.3 * head.std().item()


def test_a_head_with_a_bias_is_no_surprise(plain_nano: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(plain_nano)
    config = LlamaConfig(
        vocab_size=1536, hidden_size=8, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, tie_word_embeddings=False,
    )  # fmt: skip
    model = LlamaForCausalLM(config)
    model.lm_head = torch.nn.Linear(8, 1536, bias=True)
    model.lm_head.bias.data.fill_(3.0)
    add_codes(model, tokenizer, BOOK)
    assert torch.allclose(model.lm_head.bias, torch.tensor(3.0)), "no code stands out by its bias"


def test_the_same_seed_gives_the_same_bits_and_the_global_generator_is_left_alone(
    plain_nano: Path,
) -> None:
    weights = []
    for seed in (0, 0, 1):
        model, tokenizer = tiny(1536), AutoTokenizer.from_pretrained(plain_nano)
        torch.manual_seed(len(weights))
        state = torch.get_rng_state()
        add_codes(model, tokenizer, BOOK, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        weights.append(model.get_input_embeddings().weight.detach())
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_adding_twice_changes_nothing_and_another_codebook_is_refused(plain_nano: Path) -> None:
    model, tokenizer = tiny(1536), AutoTokenizer.from_pretrained(plain_nano)
    add_codes(model, tokenizer, BOOK)
    before = model.get_input_embeddings().weight.detach().clone()
    add_codes(model, tokenizer, BOOK, seed=5)
    assert torch.equal(model.get_input_embeddings().weight, before)
    assert len(tokenizer) == 2048
    with pytest.raises(ModelError, match=f"codebook {BOOK.name[:12]}.*{OTHER.name[:12]}"):
        add_codes(model, tokenizer, OTHER)


def test_half_a_vocabulary_of_codes_is_refused(plain_nano: Path) -> None:
    model, tokenizer = tiny(1536), AutoTokenizer.from_pretrained(plain_nano)
    with pytest.raises(ModelError, match="has no <E000>"):
        code_ids(tokenizer)
    tokenizer.add_tokens(["<E007>"])
    with pytest.raises(ModelError, match="1 of the tokens"):
        add_codes(model, tokenizer, BOOK)
    tokenizer.add_tokens([name for name in codes.TOKENS if name != "<E007>"])
    with pytest.raises(ModelError, match="do not follow one another"):
        code_ids(tokenizer)


LOADED_ELSEWHERE = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
folder = sys.argv[1]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
ids = tokenizer("<E000><E511>", add_special_tokens=False)["input_ids"]
assert len(ids) == 2 and ids[1] - ids[0] == 511, ids
assert tokenizer.decode(ids, skip_special_tokens=True) == "<E000><E511>"
rows = model.get_input_embeddings().weight
assert rows is model.get_output_embeddings().weight and len(rows) == model.config.vocab_size
assert not [name for name in sys.modules if name.startswith("regime3")]
print(rows.shape[0], model.config.codebook_sha256)
"""


def without_codes(folder: Path, tokenizer: Path) -> Path:
    tiny(1536).save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
    return folder


def test_a_prepared_model_loads_where_none_of_our_code_is(plain_nano: Path, tmp_path: Path) -> None:
    source, target = without_codes(tmp_path / "source", plain_nano), tmp_path / "target"
    assert not has_codes(source) and codebook_of(source) is None
    prepare(source, target, BOOK)
    assert has_codes(target) and codebook_of(target) == BOOK
    assert (target / "codebook.json").read_text() == BOOK.json
    assert load_model(target, Settings()).lm_head.weight.dtype is torch.float32
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOADED_ELSEWHERE, str(target)],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["2048", BOOK.name]


def test_importing_keeps_codes_and_adds_them_when_asked(plain_nano: Path, tmp_path: Path) -> None:
    source = without_codes(tmp_path / "source", plain_nano)
    import_model(str(source), tmp_path / "plain")
    assert not has_codes(tmp_path / "plain")
    import_model(str(source), tmp_path / "with", BOOK)
    import_model(str(tmp_path / "with"), tmp_path / "kept")
    assert codebook_of(tmp_path / "kept") == BOOK
    assert code_ids(load_tokenizer(tmp_path / "kept"))[0] == 1536
    with pytest.raises(ModelError, match="mean other things"):
        import_model(str(tmp_path / "with"), tmp_path / "other", OTHER)


def test_a_codebook_that_is_not_the_models_is_noticed(tmp_path: Path) -> None:
    build_nano(tmp_path / "nano")
    assert codebook_of(tmp_path / "nano") is not None
    OTHER.save(tmp_path / "nano" / "codebook.json")
    with pytest.raises(ModelError, match="is wanted"):
        codebook_of(tmp_path / "nano")
    (tmp_path / "nano" / "codebook.json").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        codebook_of(tmp_path / "nano")
