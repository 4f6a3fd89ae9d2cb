"""A small greedy decoder for validation previews, until the node serves them.

`greedy(model, tokenizer, prompts, tokens_max)` decodes a few prompts as one left-padded batch
with the model's own cache. It neither samples nor streams; the engine room does those.
"""

from __future__ import annotations

from typing import Any

import torch


def end_ids(model: Any, tokenizer: Any) -> set[int]:
    """Tokens that end a completion: the generation config's and the tokenizer's."""
    found: set[int] = set()
    for source in (getattr(model, "generation_config", None), model.config, tokenizer):
        ids = getattr(source, "eos_token_id", None)
        found |= set(ids) if isinstance(ids, list | tuple) else {ids} if ids is not None else set()
    return found


@torch.no_grad()
def greedy(
    model: Any, tokenizer: Any, prompts: list[list[int]], tokens_max: int
) -> list[list[int]]:
    """Completions of `prompts` (token ids), at most `tokens_max` each, without the end token."""
    device = next(model.parameters()).device
    ends = end_ids(model, tokenizer)
    longest = max(map(len, prompts))
    pads = [longest - len(prompt) for prompt in prompts]
    ids = torch.tensor([[0] * n + p for n, p in zip(pads, prompts, strict=True)], device=device)
    mask = torch.tensor([[0] * n + [1] * (longest - n) for n in pads], device=device)
    places = (mask.cumsum(-1) - 1).clamp(min=0)
    made: list[list[int]] = [[] for _ in prompts]
    open_rows = set(range(len(prompts)))
    cache = None
    for _ in range(tokens_max):
        out = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=places,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache = out.past_key_values
        chosen = out.logits[:, -1].argmax(-1)
        for row, token in enumerate(chosen.tolist()):
            if row in open_rows and token in ends:
                open_rows.discard(row)
            elif row in open_rows:
                made[row].append(token)
        if not open_rows:
            break
        ids = chosen[:, None]
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=1)
        places = places[:, -1:] + 1
    return made
