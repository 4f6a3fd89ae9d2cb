"""Thoughts end when their budget does, and markers are not written for ever."""

from __future__ import annotations

import torch

from regime3.engine.hf import HfEngine
from regime3.engine.thought import MarkerPenalty
from regime3.records.wire import Generate, Prompt, Sampling
from tests.engine.conftest import one

GREEDY = Sampling(temperature=0.0)
MESSAGES = [{"role": "user", "content": "What is 12 + 30 + 9 * 7?"}]


def test_a_thought_over_its_budget_is_closed_with_a_stop_run(engine: HfEngine) -> None:
    ask = Generate(
        1, "nano", Prompt(messages=MESSAGES), sampling=GREEDY, think_tokens_max=6, max_tokens=60
    )
    text = one(engine, ask).samples[0].text
    thought, stop, answer = text.removeprefix("🤔🤔🤔🤔\n").partition("\n🛑🛑\n")
    tokenizer = engine._residents["nano"].tokenizer
    assert stop and len(tokenizer(thought)["input_ids"]) == 6 and answer


def test_a_thought_within_its_budget_is_left_alone(engine: HfEngine) -> None:
    ask = Generate(1, "nano", Prompt(messages=MESSAGES), sampling=GREEDY, max_tokens=120)
    limited = Generate(
        2,
        "nano",
        Prompt(messages=MESSAGES),
        sampling=GREEDY,
        max_tokens=120,
        think_tokens_max=500,
    )
    assert one(engine, limited).samples[0].text == one(engine, ask).samples[0].text


def test_a_reply_that_does_not_think_has_no_budget(engine: HfEngine) -> None:
    bias = Sampling(0.0, logit_bias={1534: -100.0})
    prompt = Prompt(messages=MESSAGES)
    free = one(engine, Generate(1, "nano", prompt, sampling=bias, max_tokens=40))
    held = Generate(2, "nano", prompt, sampling=bias, max_tokens=40, think_tokens_max=2)
    assert one(engine, held).samples[0].text == free.samples[0].text


def test_a_marker_is_penalised_once_its_run_is_over_and_not_inside_it() -> None:
    names = {1: "🛑", 2: "🤔", 3: "a"}
    part = MarkerPenalty(
        5.0, {"🛑": {1}, "🤔": {2}}, lambda ids: "".join(names[each] for each in ids)
    )

    def taken() -> list[float]:
        logits = torch.zeros(4)
        part.edit(logits)
        return logits.tolist()

    for token, wanted in (
        (2, [0, 0, 0, 0]),
        (2, [0, 0, 0, 0]),
        (3, [0, 0, -5, 0]),
        (1, [0, 0, -5, 0]),
        (1, [0, 0, -5, 0]),
        (3, [0, -5, -5, 0]),
    ):
        part.take(token)
        assert taken() == wanted
