"""Log-probabilities of tokens and of the most likely ones beside them, in nats.

Of the model's own distribution: before temperature, penalties, biases and masks; in fp32.
"""

from __future__ import annotations

import torch

from regime3.engine.spelling import Spelling
from regime3.records.wire import TokenScore


def scores_of(
    logits: torch.Tensor, tokens: list[int], tops: list[int], spelling: Spelling
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
        _score(token, logprob, list(zip(ids[n][:top], values[n][:top], strict=True)), spelling)
        for n, (token, logprob, top) in enumerate(zip(tokens, logprobs, tops, strict=True))
    ]


def prompt_scores(
    logits: torch.Tensor, targets: list[int], top: int, spelling: Spelling
) -> list[TokenScore]:
    """Of the tokens that follow each position of `logits` [positions, vocabulary]."""
    return scores_of(logits, targets, [top] * len(targets), spelling) if targets else []


def _score(
    token: int, logprob: float, best: list[tuple[int, float]], spelling: Spelling
) -> TokenScore:
    return TokenScore(
        token,
        spelling.text(token),
        logprob,
        [(each, spelling.text(each), value) for each, value in best],
        spelling.raw(token),
        {each: raw for each, _ in best if (raw := spelling.raw(each))},
    )
