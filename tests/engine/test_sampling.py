"""Drawing: each row by its own settings and its own uniform."""

from __future__ import annotations

import numpy as np
import torch

from regime3.engine.sampling import draw, uniforms
from regime3.engine.sequence import key_of


def drawn(
    logits: torch.Tensor, temperature: float, top_p: float, top_k: int, count: int
) -> set[int]:
    keys = np.full(count, key_of(1, 0), np.uint64)
    uniform = uniforms(keys, np.arange(count))
    rows = logits[None].repeat(count, 1)
    found = draw(
        rows,
        np.full(count, temperature, np.float32),
        np.full(count, top_p, np.float32),
        np.full(count, top_k, np.int64),
        uniform,
    )
    return set(found.tolist())


def test_uniforms_are_uniform_and_differ_by_key_and_step() -> None:
    keys = np.repeat(np.array([key_of(7, n) for n in range(50)], np.uint64), 100)
    found = uniforms(keys, np.tile(np.arange(100), 50))
    assert len(set(found.tolist())) == 5000
    assert abs(found.mean() - 0.5) < 0.02 and found.min() >= 0 and found.max() < 1
    assert np.abs(np.histogram(found, 10, (0, 1))[0] - 500).max() < 100


def test_frequencies_are_the_softmax() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0, -1.0])
    count = 20_000
    keys = np.full(count, key_of(3, 0), np.uint64)
    found = draw(
        logits[None].repeat(count, 1),
        np.ones(count, np.float32),
        np.ones(count, np.float32),
        np.zeros(count, np.int64),
        uniforms(keys, np.arange(count)),
    )
    shares = np.bincount(found, minlength=4) / count
    assert np.abs(shares - logits.softmax(0).numpy()).max() < 0.015


def test_top_k_and_top_p_leave_only_the_most_likely() -> None:
    logits = torch.log(torch.tensor([0.1, 0.4, 0.3, 0.15, 0.05]))
    assert drawn(logits, 1.0, 1.0, 2, 400) == {1, 2}
    assert drawn(logits, 1.0, 0.65, 0, 400) == {1, 2}
    assert drawn(logits, 1.0, 0.75, 0, 400) == {1, 2, 3}
    assert drawn(logits, 1.0, 0.01, 0, 50) == {1}
    assert drawn(logits, 0.0, 1.0, 0, 50) == {1}
    assert drawn(logits, 1e-4, 1.0, 0, 50) == {1}


def test_rows_of_a_batch_keep_to_their_own_settings() -> None:
    logits = torch.randn(6, 600, generator=torch.Generator().manual_seed(0))
    temperature = np.array([0, 1, 1, 0.5, 2, 1], np.float32)
    top_p = np.array([1, 1, 0.5, 0.9, 1, 0.99], np.float32)
    top_k = np.array([0, 0, 0, 5, 1, 50], np.int64)
    uniform = np.random.default_rng(0).random(6)
    together = draw(logits.clone(), temperature, top_p, top_k, uniform)
    for row in range(6):
        one = slice(row, row + 1)
        alone = draw(logits[one].clone(), temperature[one], top_p[one], top_k[one], uniform[one])
        assert alone[0] == together[row]
    assert together[0] == logits[0].argmax() and together[4] == logits[4].argmax()
