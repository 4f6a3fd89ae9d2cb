"""Drawing the next tokens of a batch: temperature, top-k, top-p, one keyed uniform a row.

The inverse of the distribution function in the order of token ids: the same uniform gives the same
token, whatever else is in the batch, up to the noise of floating point. Temperature 0 takes the
most likely token. Rows that want no top-k or top-p pay for none.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

NUCLEUS_FIRST = 256
"""Most likely tokens in which a nucleus is looked for before all are sorted."""
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def uniforms(keys: NDArray[np.uint64], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number in [0, 1) for each key and step: splitmix64, Steele et al. 2014."""
    with np.errstate(over="ignore"):
        state = keys + _GOLDEN * (steps.astype(np.uint64) + np.uint64(1))
        state = (state ^ (state >> np.uint64(30))) * _MIX[0]
        state = (state ^ (state >> np.uint64(27))) * _MIX[1]
        state ^= state >> np.uint64(31)
    found: NDArray[np.float64] = (state >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return found


def draw(
    logits: torch.Tensor,
    temperature: NDArray[np.float32],
    top_p: NDArray[np.float32],
    top_k: NDArray[np.int64],
    uniform: NDArray[np.float64],
) -> NDArray[np.int64]:
    """One token a row of `logits` [rows, vocabulary], fp32; they may be spoilt."""
    hot = temperature > 0
    if not hot.any():
        return _host(logits.argmax(-1))
    if hot.all():
        return _drawn(logits, temperature, top_p, top_k, uniform)
    tokens = _host(logits.argmax(-1)).copy()
    rows = np.flatnonzero(hot)
    chosen = logits[torch.from_numpy(rows).to(logits.device)]
    tokens[rows] = _drawn(chosen, temperature[rows], top_p[rows], top_k[rows], uniform[rows])
    return tokens


def _drawn(
    logits: torch.Tensor,
    temperature: NDArray[np.float32],
    top_p: NDArray[np.float32],
    top_k: NDArray[np.int64],
    uniform: NDArray[np.float64],
) -> NDArray[np.int64]:
    device = logits.device
    if (temperature != 1).any():
        # Less the maximum first: a low temperature must not overflow.
        logits = logits - logits.amax(-1, keepdim=True)
        logits = logits / torch.from_numpy(temperature).to(device)[:, None]
    if (top_k > 0).any():
        logits = _only_top(logits, top_k)
    shares = logits.softmax(-1)
    if (top_p < 1).any():
        shares = _nucleus(shares, top_p)
    ladder = shares.cumsum(-1, dtype=torch.float64)
    wanted = torch.from_numpy(uniform).to(device)[:, None] * ladder[:, -1:]
    return _host(torch.searchsorted(ladder, wanted, right=True)[:, 0])


def _only_top(logits: torch.Tensor, top_k: NDArray[np.int64]) -> torch.Tensor:
    """Minus infinity for all but the k most likely tokens and their equals."""
    most = min(int(top_k.max()), logits.shape[-1])
    best = logits.topk(most, dim=-1).values
    at = torch.from_numpy(np.clip(top_k, 1, most) - 1).to(logits.device)
    least = best.gather(1, at[:, None])
    least.masked_fill_(torch.from_numpy(top_k <= 0).to(logits.device)[:, None], -math.inf)
    return logits.masked_fill(logits < least, -math.inf)


def _nucleus(shares: torch.Tensor, top_p: NDArray[np.float32]) -> torch.Tensor:
    """Zero for all but the most likely tokens that make up `top_p`, and their equals."""
    wanted = torch.from_numpy(top_p).to(shares.device)[:, None]
    count = shares.shape[-1]
    for most in (min(NUCLEUS_FIRST, count), count):
        best = shares.topk(most, dim=-1).values
        before = best.cumsum(-1) - best
        if most == count or bool((before[:, -1:] + best[:, -1:] >= wanted).all()):
            break
    inside = (before < wanted).sum(-1, keepdim=True).clamp(min=1)
    least = best.gather(1, inside - 1)
    least.masked_fill_(wanted >= 1, 0.0)
    return shares.masked_fill(shares < least, 0.0)


def _host(tokens: torch.Tensor) -> NDArray[np.int64]:
    found: NDArray[np.int64] = tokens.cpu().numpy()
    return found
