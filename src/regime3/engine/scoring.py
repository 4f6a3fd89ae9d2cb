"""Log-probabilities of tokens and of the most likely ones beside them, in nats.

Of the model's own distribution: before temperature, penalties, biases and masks; in fp32.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from regime3.records.wire import TokenScore

TextOf = Callable[[int], str]
"""The text of one token."""


def scores_of(
    logits: torch.Tensor, tokens: list[int], tops: list[int], text_of: TextOf
) -> list[TokenScore]:
    """Of one token a row of `logits` [rows, vocabulary], with `tops` alternatives each."""
    logits = logits.float()
    total = logits.logsumexp(-1, keepdim=True)
    chosen = torch.tensor(tokens, device=logits.device)[:, None]
    logprobs = (logits.gather(1, chosen) - total)[:, 0].tolist()
    most = min(max(tops), logits.shape[-1])
    best = logits.topk(most, dim=-1) if most else None
    values = (best.values - total).tolist() if best is not None else [[] for _ in tokens]
    ids = best.indices.tolist() if best is not None else values
    return [
        TokenScore(
            token,
            text_of(token),
            logprob,
            [(i, text_of(i), v) for i, v in zip(ids[n][:top], values[n][:top], strict=True)],
        )
        for n, (token, logprob, top) in enumerate(zip(tokens, logprobs, tops, strict=True))
    ]


def prompt_scores(
    logits: torch.Tensor, targets: list[int], top: int, text_of: TextOf
) -> list[TokenScore]:
    """Of the tokens that follow each position of `logits` [positions, vocabulary]."""
    return scores_of(logits, targets, [top] * len(targets), text_of) if targets else []
