"""How much device memory training will take: an estimate, for `r3 doctor` and the first budget.

Arithmetic only, from a config and the safetensors headers: no torch, no device, no promise. The
trainer's rehearsal measures; this says beforehand whether it is worth trying.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import NamedTuple

from regime3.errors import ModelError

FP32_BYTES, BF16_BYTES = 4, 2
LAYER_ACTIVATIONS = 34
"""Values kept a token and layer without checkpointing, in units of the hidden size: after
Korthikanti et al. 2022 (34 for attention and MLP, softmax left out as in fused attention)."""
LOGIT_COPIES = 3
"""The logits, their upcast or softmax, and their gradient exist at one time."""
WORKSPACE_GB = 0.8
"""CUDA context, cuBLAS workspaces and fragmentation."""


class ModelShape(NamedTuple):
    """What memory depends on."""

    parameters: int
    hidden: int
    layers: int
    vocabulary: int


def model_shape(folder: Path) -> ModelShape:
    """Read a model folder's shape without loading a weight. Raises `ModelError`."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = config.get("text_config") or config
        parameters = sum(_tensor_sizes(path) for path in sorted(folder.glob("*.safetensors")))
        shape = (text["hidden_size"], text["num_hidden_layers"], text["vocab_size"])
        return ModelShape(parameters, *map(int, shape))
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise ModelError(f"{folder}: not a readable model: {error}", "r3 doctor") from None


def training_memory_gb(
    shape: ModelShape,
    *,
    token_budget: int,
    loss_chunk_tokens: int,
    checkpointing: bool = True,
    autocast: bool = True,
) -> float:
    """Peak memory in GB (10^9 bytes) of full fine-tuning with AdamW.

    fp32 weights, gradients and two moments are 16 bytes a parameter; bf16 autocast adds a copy of
    the matrices. `token_budget` counts padded tokens of a micro-batch, `loss_chunk_tokens` the
    positions whose logits exist at one time.
    """
    width = BF16_BYTES if autocast else FP32_BYTES
    static = shape.parameters * (4 * FP32_BYTES + (BF16_BYTES if autocast else 0))
    one_layer = LAYER_ACTIVATIONS * shape.hidden * token_budget * width
    if checkpointing:
        kept = token_budget * shape.hidden * shape.layers * FP32_BYTES + one_layer
    else:
        kept = shape.layers * one_layer
    logits = LOGIT_COPIES * min(loss_chunk_tokens, token_budget) * shape.vocabulary * FP32_BYTES
    return (static + kept + logits) / 1e9 + (WORKSPACE_GB if autocast else 0.0)


def _tensor_sizes(path: Path) -> int:
    """Values in a safetensors file, by its header."""
    with open(path, "rb") as source:
        (length,) = struct.unpack("<Q", source.read(8))
        header = json.loads(source.read(length))
    total = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        count = 1
        for size in tensor["shape"]:
            count *= size
        total += count
    return total
