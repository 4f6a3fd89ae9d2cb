"""What each layer adds, against the model's own hidden states."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from regime3.train.layers import LayerWatch, blocks_of

from .tiny import tiny_model

IDS = torch.tensor([[5, 6, 7, 8, 9, 10], [9, 8, 7, 6, 5, 4]])
POSITIONS = torch.tensor([1, 2, 3, 8])


def measured(watch: LayerWatch, model: nn.Module, positions: torch.Tensor = POSITIONS) -> None:
    with torch.no_grad(), watch.over(positions):
        model(input_ids=IDS)


def test_it_finds_the_blocks_of_a_model() -> None:
    model = tiny_model()
    blocks = blocks_of(model)
    assert blocks == list(model.model.layers) and len(blocks) > 1
    assert blocks_of(nn.Linear(2, 2)) == []


def test_activity_is_what_a_layer_adds_over_what_it_is_given() -> None:
    model = tiny_model().eval()
    watch = LayerWatch(model)
    measured(watch, model)
    found = watch.reading()
    assert found is not None and found.steadiness is None
    with torch.no_grad():
        # The last hidden state is taken after the final norm: the blocks before it are compared.
        states = model(input_ids=IDS, output_hidden_states=True).hidden_states[:-1]
    states = [state.flatten(0, 1)[POSITIONS] for state in states]
    for told, (given, out) in zip(found.activity, pairwise(states), strict=False):
        assert told == pytest.approx(float((out - given).norm() / given.norm()), abs=1e-4)
    assert len(found.activity) == len(model.model.layers)


def test_steadiness_is_one_for_the_same_weights_and_falls_with_a_change() -> None:
    model = tiny_model().eval()
    watch = LayerWatch(model)
    measured(watch, model)
    watch.reading()
    measured(watch, model)
    same = watch.reading()
    assert same is not None and same.steadiness == pytest.approx([1.0] * len(same.activity))
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.mul_(-30)
    measured(watch, model)
    turned = watch.reading()
    assert turned is not None and turned.steadiness is not None
    assert turned.steadiness[0] < 0.5


def test_two_passes_make_one_reading_weighted_by_their_positions() -> None:
    model = tiny_model().eval()
    whole, parts = LayerWatch(model), LayerWatch(model)
    measured(whole, model)
    measured(parts, model, POSITIONS[:3])
    measured(parts, model, POSITIONS[3:])
    one, two = whole.reading(), parts.reading()
    assert one is not None and two is not None
    assert two.activity == pytest.approx(one.activity, abs=1e-4)


def test_nothing_measured_or_not_finite_is_no_reading() -> None:
    model = tiny_model().eval()
    watch = LayerWatch(model)
    assert watch.reading() is None
    assert LayerWatch(nn.Linear(2, 2)).reading() is None
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.fill_(float("nan"))
    measured(watch, model)
    assert watch.reading() is None
    hooks = sum(len(block._forward_hooks) for block in watch.blocks)
    assert hooks == 0, "no hook stays behind"
