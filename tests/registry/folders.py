"""Small model folders, sound and unsound, made without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from regime3.records.tensors import encode_header

WIDTH, VOCABULARY, LAYERS, INNER, HEADS, HEAD = 8, 32, 2, 16, 2, 4


def a_config(**changes: Any) -> dict[str, Any]:
    """The config that `weights` fits."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "dtype": "float32",
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 1,
        "head_dim": HEAD,
        "vocab_size": VOCABULARY,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
        **changes,
    }


def shapes(layers: int = LAYERS) -> dict[str, tuple[int, ...]]:
    """Names and shapes of its tensors."""
    found: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (VOCABULARY, WIDTH),
        "model.norm.weight": (WIDTH,),
    }
    for layer in range(layers):
        at = f"model.layers.{layer}."
        found |= {
            f"{at}input_layernorm.weight": (WIDTH,),
            f"{at}post_attention_layernorm.weight": (WIDTH,),
            f"{at}self_attn.q_proj.weight": (HEADS * HEAD, WIDTH),
            f"{at}self_attn.k_proj.weight": (HEAD, WIDTH),
            f"{at}self_attn.v_proj.weight": (HEAD, WIDTH),
            f"{at}self_attn.o_proj.weight": (WIDTH, HEADS * HEAD),
            f"{at}mlp.gate_proj.weight": (INNER, WIDTH),
            f"{at}mlp.up_proj.weight": (INNER, WIDTH),
            f"{at}mlp.down_proj.weight": (WIDTH, INNER),
        }
    return found


def weights(tensors: dict[str, tuple[int, ...]] | None = None, seed: int = 0) -> bytes:
    """The bytes of a safetensors file of fp32 normals."""
    tensors = shapes() if tensors is None else tensors
    head = encode_header([(n, "F32", s) for n, s in tensors.items()], {"format": "pt"})
    values = sum(int(np.prod(shape)) for shape in tensors.values())
    return head + np.random.default_rng(seed).standard_normal(values).astype("<f4").tobytes()


def a_folder(path: Path, seed: int = 0, extra_bytes: int = 0, **config: Any) -> Path:
    """A model folder without a manifest; `extra_bytes` of text make it larger."""
    path.mkdir(parents=True)
    (path / "config.json").write_text(json.dumps(a_config(**config)))
    (path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"auto_map": 3}}}))
    (path / "model.safetensors").write_bytes(weights(seed=seed))
    if extra_bytes:
        block = np.random.default_rng(seed).bytes(extra_bytes)
        (path / "notes.txt").write_bytes(block)
    return path
