"""A Qwen3 model so small that a test can train it."""

from __future__ import annotations

from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM


def tiny_qwen3(vocabulary: int, seed: int = 0, **given: Any) -> Qwen3ForCausalLM:
    """30,000 parameters with a vocabulary of 97; `given` are fields of the configuration."""
    torch.manual_seed(seed)
    fields = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": 2,
        "dtype": "float32",
    }
    return Qwen3ForCausalLM(Qwen3Config(**(fields | given)))
