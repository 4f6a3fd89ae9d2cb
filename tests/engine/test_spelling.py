"""Tokens alone: their text, and the bytes that text cannot spell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Tokenizer, decoders
from tokenizers.models import BPE

from regime3.engine.guide import Guide, force
from regime3.engine.hf import HfEngine
from regime3.engine.spelling import Spelling
from regime3.records.wire import Generate, Prompt, Sampling, TokenScore
from regime3.serve.openai import scores
from tests.engine.conftest import one

TEXTS = ["a 🦄 b", "é", "中文 🤔🛑 🏳️‍🌈", "plain words, 12 + 30", "<|im_start|> \u200b"]


def sentencepiece() -> Any:
    """A tokenizer that spells bytes as SentencePiece does, as far as `Spelling` looks at one."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁the", "cat", "▁"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    fast = Tokenizer(BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    fast.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    fast.add_special_tokens([AddedToken("<unk>")])
    return SimpleNamespace(backend_tokenizer=fast, added_tokens_decoder={0: AddedToken("<unk>")})


def bytes_of(spelling: Spelling, token: int) -> bytes:
    return spelling.raw(token) or spelling.text(token).encode()


@pytest.mark.parametrize("text", TEXTS)
def test_the_bytes_of_tokens_are_those_of_the_text(engine: HfEngine, text: str) -> None:
    resident = engine._residents["nano"]
    ids = resident.tokenizer(text)["input_ids"]
    assert b"".join(bytes_of(resident.spelling, each) for each in ids) == text.encode()


def test_a_token_that_is_whole_text_has_no_bytes_beside_it(engine: HfEngine) -> None:
    resident = engine._residents["nano"]
    whole = [each for each in range(resident.forward.vocabulary) if resident.spelling.raw(each)]
    assert whole, "no token of the vocabulary is a piece of a character"
    assert all("\ufffd" in resident.spelling.text(each) for each in whole)


def test_pieces_of_sentencepiece_are_read_too() -> None:
    tokenizer = sentencepiece()
    spelling, id_of = Spelling(tokenizer), tokenizer.backend_tokenizer.token_to_id
    pieces = ["▁the", "cat", "▁", "<0xF0>", "<0x9F>", "<0xA6>", "<0x84>"]
    found = b"".join(bytes_of(spelling, id_of(piece)) for piece in pieces)
    assert found == " thecat 🦄".encode()
    assert spelling.raw(0) == b"" and spelling.text(0) == "<unk>"


class Dictated:
    """A guide that has these tokens written."""

    def __init__(self, ids: list[int]) -> None:
        self._left = list(ids)

    def edit(self, logits: torch.Tensor) -> None:
        force(logits, self._left[0])

    def take(self, token: int) -> None:
        assert self._left.pop(0) == token


def test_an_emoji_split_across_tokens_keeps_its_bytes_in_chat_logprobs(
    engine: HfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident = engine._residents["nano"]
    ids = resident.tokenizer("so 🦄!")["input_ids"]
    assert sum("\ufffd" in resident.spelling.text(each) for each in ids) > 1, "it is not split"
    monkeypatch.setattr(resident.guides, "of", lambda *_: Guide([Dictated(ids)]))
    ask = Generate(1, "nano", Prompt(text="a"), max_tokens=len(ids), logprobs=5)
    sample = one(engine, ask).samples[0]
    assert sample.text == "so 🦄!" and sample.scores is not None
    told = scores.of_chat(sample.scores)["content"]
    assert bytes(byte for token in told for byte in token["bytes"]) == sample.text.encode()
    for score, token in zip(sample.scores, told, strict=True):
        alternatives = [bytes_of(resident.spelling, each) for each, _, _ in score.top]
        assert [bytes(each["bytes"]) for each in token["top_logprobs"]] == alternatives


def test_the_end_tokens_score_is_told_after_the_texts(engine: HfEngine) -> None:
    resident = engine._residents["nano"]
    end = resident.renderer.template.end_id if resident.renderer else -1
    sampling = Sampling(0.0, logit_bias={end: 100.0})
    sample = one(engine, Generate(1, "nano", Prompt(text="a"), max_tokens=5, logprobs=0,
                                  sampling=sampling)).samples[0]  # fmt: skip
    assert (sample.text, sample.ids, sample.reason) == ("", [], "stop")
    (score,) = sample.scores or [TokenScore(-1, "", None)]
    assert score.id == end and score.logprob is not None
