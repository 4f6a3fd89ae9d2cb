"""Scores of a reply that comes with its messages, against transformers alone: template, tokenizer
and forward, nothing of ours. Evaluations and filters take their cross-entropy from these.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import torch

from regime3 import tasks
from regime3.config import Settings
from regime3.engine.hf import HfEngine
from regime3.jobs.asking import reference_ask, reference_nats
from regime3.jobs.record import Bound
from regime3.jobs.sets import Posed, drawn
from regime3.lang import codebook
from regime3.model.profile import Profile
from regime3.records.answers import Whole
from regime3.records.wire import Generate, Prompt
from tests.engine.conftest import run

TOLERANCE = 1e-4
PROFILE = Profile(Settings().examples)
BOUND = Bound("nano", "nano", "0" * 64)
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "What is 2 + 3?"},
    {"role": "assistant", "content": "5"},
    {"role": "user", "content": "And twice that? " + "Take your time. " * 40},
]


def rows() -> Iterator[Posed]:
    """References of every family and regime, short and long, and a conversation of some turns."""
    book = codebook.shipped()
    for family in tasks.FAMILIES:
        for regime, level in ((1, 1), (2, 4), (3, 7)):
            yield drawn(family, level, "heldout", 0, regime, book)
    yield Posed({"messages": [*TURNS, {"role": "assistant", "content": "🦄 10."}]}, "turns")


def by_hand(engine: HfEngine, messages: list[dict[str, Any]], reply: str) -> list[float]:
    """Log-probabilities of the reply's tokens and its end, alone, from a plain forward."""
    resident = engine._residents["nano"]
    tokenizer = resident.tokenizer
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
    ours = tokenizer(reply + "<|im_end|>", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = resident.model(input_ids=torch.tensor([prompt + ours])).logits[0]
    scores = logits.double().log_softmax(-1)
    return [float(scores[len(prompt) - 1 + n, token]) for n, token in enumerate(ours)]


def told(whole: Whole | Any) -> list[float]:
    assert isinstance(whole, Whole) and whole.prompt is not None, whole
    scores = whole.prompt[-whole.completion_tokens :]
    return [each.logprob for each in scores if each.logprob is not None]


@pytest.fixture
def references() -> list[tuple[Generate, Posed]]:
    numbered = enumerate(rows(), 1)
    return [
        (msgspec.structs.replace(reference_ask(each, BOUND, PROFILE), id=n), each)
        for n, each in numbered
    ]


def test_they_are_those_of_a_plain_forward_in_a_batch_of_many_lengths(
    engine: HfEngine, references: list[tuple[Generate, Posed]]
) -> None:
    found = run(engine, *[ask for ask, _ in references])
    lengths = set()
    for ask, posed in references:
        whole = found[ask.id]
        assert isinstance(whole, Whole)
        lengths.add(whole.prompt_tokens)
        wanted = by_hand(engine, posed.prompt, ask.prompt.completion or "")
        assert told(whole) == pytest.approx(wanted, abs=TOLERANCE)
        nats, tokens = reference_nats(whole)
        assert tokens == len(wanted)
        assert nats == pytest.approx(-math.fsum(wanted), abs=TOLERANCE * tokens)
    assert len(lengths) > len(references) / 2 and max(lengths) > 4 * min(lengths)


def test_neighbours_that_are_written_change_none(
    engine: HfEngine, references: list[tuple[Generate, Posed]]
) -> None:
    ask, posed = references[-1]
    crowd = [
        Generate(100 + n, "nano", Prompt(messages=TURNS), n=3, max_tokens=5 + n) for n in range(4)
    ]
    found = run(engine, *crowd[:2], ask, *crowd[2:])
    wanted = by_hand(engine, posed.prompt, ask.prompt.completion or "")
    assert told(found[ask.id]) == pytest.approx(wanted, abs=TOLERANCE)
