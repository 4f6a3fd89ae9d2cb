"""Chunked cross-entropy: the model's own numbers, without all logits."""

from __future__ import annotations

import random

import pytest
import torch
import torch.nn.functional as F
from transformers import CohereConfig, CohereForCausalLM

from regime3.train.loss import TokenLoss, choose_path
from regime3.train.slices import collate

from .tiny import VOCABULARY, example, tiny_model

DRAW = random.Random("loss")
EXAMPLES = [example(length, prompt, DRAW) for length, prompt in [(21, 5), (13, 1), (8, 6)]]


def plain_loss(model: torch.nn.Module) -> torch.Tensor:
    """The textbook: labels of -100 outside completions, shifted, summed."""
    batch = collate(EXAMPLES)
    labels = torch.full_like(batch.input_ids, -100)
    for row, item in enumerate(EXAMPLES):
        labels[row, item.prompt_length : item.length] = batch.input_ids[
            row, item.prompt_length : item.length
        ]
    logits = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask()).logits
    shifted = logits[:, :-1].reshape(-1, logits.shape[-1]).float()
    return F.cross_entropy(shifted, labels[:, 1:].reshape(-1), ignore_index=-100, reduction="sum")


def gradients(model: torch.nn.Module, loss: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad(set_to_none=True)
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("chunk_tokens", [3, 16, 1024])
def test_loss_and_gradients_equal_plain_cross_entropy(chunk_tokens: int) -> None:
    model = tiny_model()
    plain = plain_loss(model)
    ours = TokenLoss(model, chunk_tokens).sum(collate(EXAMPLES))
    assert ours.item() == pytest.approx(plain.item(), rel=1e-6)
    wanted = gradients(model, plain_loss(model))
    found = gradients(model, TokenLoss(model, chunk_tokens).sum(collate(EXAMPLES)))
    assert len(wanted) == len(found)
    for a, b in zip(wanted, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_only_one_chunk_of_logits_is_kept_for_backward() -> None:
    model = tiny_model()
    kept: list[int] = []

    def remember(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.dim() == 2 and tensor.shape[-1] == VOCABULARY:
            kept.append(tensor.shape[0])
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        TokenLoss(model, 4).sum(collate(EXAMPLES))
    assert kept == [], "chunks are recomputed in backward, so forward keeps no logits"
    with torch.autograd.graph.saved_tensors_hooks(remember, lambda tensor: tensor):
        TokenLoss(model, 1024).sum(collate(EXAMPLES))
    assert kept, "a lone chunk is kept: recomputing it would save nothing"


def test_prompts_and_padding_carry_no_loss() -> None:
    model = tiny_model()
    loss = TokenLoss(model, 8)
    alone = sum(loss.sum(collate([item])).item() for item in EXAMPLES)
    assert loss.sum(collate(EXAMPLES)).item() == pytest.approx(alone, rel=1e-5)


def test_a_plain_head_takes_the_fast_path_without_touching_the_rng() -> None:
    model = tiny_model(dropout=0.5)
    loss, alerts = TokenLoss(model, 8), []
    before = torch.get_rng_state()
    choose_path(loss, torch.device("cpu"), alerts.append)
    assert loss.fast and alerts == [] and model.training
    assert torch.equal(before, torch.get_rng_state())


def test_a_scaled_head_keeps_its_scale() -> None:
    config = CohereConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, logit_scale=0.25, pad_token_id=0,
        bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    loss, alerts = TokenLoss(CohereForCausalLM(config), 8), []
    choose_path(loss, torch.device("cpu"), alerts.append)
    assert loss.rule.scale == 0.25
    assert loss.fast and alerts == []


def test_a_head_of_an_unknown_shape_falls_back_to_the_models_own_logits() -> None:
    model = tiny_model()

    class Wrapped(type(model)):  # type: ignore[misc]
        def forward(self, *args: object, **kwargs: object) -> object:
            out = super().forward(*args, **kwargs)
            out.logits = out.logits * 3.0
            return out

    model.__class__ = Wrapped
    loss, alerts = TokenLoss(model, 8), []
    choose_path(loss, torch.device("cpu"), alerts.append)
    assert not loss.fast
    assert "differs from the model's own" in alerts[0]
    assert loss.sum(collate(EXAMPLES)).item() == pytest.approx(plain_loss(model).item(), rel=1e-5)
