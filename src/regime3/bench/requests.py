"""Requests that benchmarks of the node send: prompts and lengths drawn by key."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import torch

PROMPT_TOKENS = (8, 96)
ANSWER_TOKENS = (8, 160)
ANSWER_MEAN = 33.0
"""Of the exponential that is added to the least; cut at the most, the mean is 39."""


class Item(NamedTuple):
    """A request: token ids, and how many tokens it wants."""

    prompt: list[int]
    tokens: int


def items(run: int, count: int) -> list[Item]:
    """Requests of one run."""
    generator = torch.Generator()
    generator.manual_seed(int.from_bytes(hashlib.sha256(b"node %d" % run).digest()[:7], "big"))
    found = []
    for _ in range(count):
        low, high = PROMPT_TOKENS
        length = int(torch.randint(low, high + 1, (), generator=generator))
        prompt = torch.randint(10, 1500, (length,), generator=generator).tolist()
        more = float(torch.empty(()).exponential_(1 / ANSWER_MEAN, generator=generator))
        found.append(Item(prompt, min(ANSWER_TOKENS[1], ANSWER_TOKENS[0] + int(more))))
    return found
