"""Entropy and calibration of the next token, against the arithmetic of whole answers."""

from __future__ import annotations

import math
import random

import pytest
import torch
from transformers import CohereConfig, CohereForCausalLM

from regime3.score.measures import calibration
from regime3.train.loss import TokenLoss
from regime3.train.slices import collate
from regime3.train.sureness import Sureness

from .tiny import VOCABULARY, example, tiny_model

DRAW = random.Random("sureness")
EXAMPLES = [example(length, prompt, DRAW) for length, prompt in [(21, 5), (13, 1), (8, 6)]]


@pytest.mark.parametrize("chunk_tokens", [3, 16, 1024])
def test_it_is_that_of_the_models_own_logits(chunk_tokens: int) -> None:
    model = tiny_model()
    model.get_output_embeddings().weight.data *= 12  # so that bins other than the first are filled
    batch = collate(EXAMPLES)
    with torch.no_grad():
        out = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask()).logits
        logits = out.reshape(-1, VOCABULARY)[batch.positions].double()
        sureness = Sureness()
        TokenLoss(model, chunk_tokens).sum(batch, sureness.add)
    chances = logits.softmax(-1)
    sure, likeliest = chances.max(-1)
    curve = calibration(sure.tolist(), (likeliest == batch.targets).tolist())
    found = sureness.reading()
    assert curve is not None and found is not None and len(curve.bins) > 2
    assert found.calibration_error == pytest.approx(curve.error, abs=1e-5)
    entropy = -(chances * chances.log()).sum(-1).mean().item()
    assert found.entropy == pytest.approx(entropy, rel=1e-5)


def test_a_model_with_a_head_of_its_own_is_read_too() -> None:
    config = CohereConfig(
        vocab_size=VOCABULARY, hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, logit_scale=0.25,
    )  # fmt: skip
    torch.manual_seed(0)
    model = CohereForCausalLM(config).eval()
    readings = []
    for fast in (True, False):
        loss, sureness = TokenLoss(model, 4), Sureness()
        loss.fast = fast
        with torch.no_grad():
            loss.sum(collate(EXAMPLES), sureness.add)
        readings.append(sureness.reading())
    assert readings[0] is not None and readings[1] is not None
    assert readings[0].entropy == pytest.approx(readings[1].entropy, rel=1e-5)


def test_the_two_ends() -> None:
    open_, certain = Sureness(), Sureness()
    targets = torch.tensor([0, 1, 2, 3])
    open_.add(torch.zeros(4, 4), targets)
    certain.add(torch.full((4, 4), -1e9).fill_diagonal_(0.0), targets)
    found, other = open_.reading(), certain.reading()
    assert found is not None and other is not None
    assert found.entropy == pytest.approx(math.log(4)) and found.calibration_error < 1e-6
    assert (other.entropy, other.calibration_error) == (0.0, 0.0)
    wrong = Sureness()
    wrong.add(torch.full((4, 4), -1e9).fill_diagonal_(0.0), targets.roll(1))
    told = wrong.reading()
    assert told is not None and told.calibration_error == pytest.approx(1.0)


def test_nothing_and_numbers_that_are_none_give_no_reading() -> None:
    assert Sureness().reading() is None
    broken = Sureness()
    broken.add(torch.full((2, 4), float("nan")), torch.tensor([0, 1]))
    assert broken.reading() is None
