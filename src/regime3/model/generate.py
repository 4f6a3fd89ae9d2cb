"""A small greedy decoder: validation previews, and abilities measured outside the node.

`greedy(model, tokenizer, prompts, tokens_max)` decodes prompts as one left-padded batch with the
model's own cache; rows that have ended leave the batch. It neither samples nor streams; the engine
room does those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

LEAVE_SHARE = 0.25
"""Rows leave the cache together, when so large a share of the batch has ended."""

Masker = Callable[[list[int], torch.Tensor], torch.Tensor]
"""Row numbers and their logits (rows, vocabulary) to logits with what may not come masked."""
Chosen = Callable[[int, int], None]
"""Told of each row number and the token that it was given."""


def end_ids(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a completion: the generation config's and the tokenizer's."""
    found: set[int] = set()
    for source in (getattr(model, "generation_config", None), model.config, tokenizer):
        ids = getattr(source, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, list | tuple) else {ids} if ids is not None else set()
    return found


@torch.no_grad()
def greedy(
    model: Any,
    tokenizer: Any,
    prompts: list[list[int]],
    tokens_max: int,
    masker: Masker | None = None,
    chosen: Chosen | None = None,
) -> list[list[int]]:
    """Completions of `prompts` (token ids), at most `tokens_max` each, without the end token."""
    batch = _Batch(model, prompts)
    ends = end_ids(model, tokenizer)
    made: list[list[int]] = [[] for _ in prompts]
    ended: set[int] = set()
    for _ in range(tokens_max):
        logits = batch.logits()
        if masker is not None:
            logits = masker(batch.rows, logits)
        tokens = logits.argmax(-1)
        for row, token in zip(batch.rows, tokens.tolist(), strict=True):
            if row in ended:
                continue
            if token in ends:
                ended.add(row)
                continue
            made[row].append(token)
            if chosen is not None:
                chosen(row, token)
        if len(ended) == len(prompts):
            break
        batch.append(tokens)
        batch.drop(ended)
    return made


class _Batch:
    """Rows that are decoded together: ids to feed next, attention mask, positions, cache."""

    def __init__(self, model: Any, prompts: list[list[int]]) -> None:
        self.model = model
        device = next(model.parameters()).device
        longest = max(map(len, prompts))
        pads = [longest - len(prompt) for prompt in prompts]
        ids = [[0] * pad + prompt for pad, prompt in zip(pads, prompts, strict=True)]
        self.rows = list(range(len(prompts)))
        self.ids = torch.tensor(ids, device=device)
        self.mask = torch.tensor([[0] * n + [1] * (longest - n) for n in pads], device=device)
        self.places = (self.mask.cumsum(-1) - 1).clamp(min=0)
        self.cache: Any = None

    def logits(self) -> torch.Tensor:
        """The last position's logits (rows, vocabulary)."""
        out = self.model(
            input_ids=self.ids,
            attention_mask=self.mask,
            position_ids=self.places,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self.cache = out.past_key_values
        found: torch.Tensor = out.logits[:, -1]
        return found

    def append(self, tokens: torch.Tensor) -> None:
        """Feed these tokens (rows) next."""
        self.ids = tokens[:, None]
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.rows), 1)], dim=1)
        self.places = self.places[:, -1:] + 1

    def drop(self, ended: set[int]) -> None:
        """Let rows that have ended leave, once they are worth the copy."""
        keep = [place for place, row in enumerate(self.rows) if row not in ended]
        if len(self.rows) - len(keep) < LEAVE_SHARE * len(self.rows):
            return
        kept = torch.tensor(keep, device=self.ids.device)
        self.rows = [self.rows[place] for place in keep]
        self.ids, self.mask, self.places = self.ids[kept], self.mask[kept], self.places[kept]
        self.cache.batch_select_indices(kept)
