"""Do the tensors of a folder fit its config, as far as that can be told without a framework?

For the Llama-shaped families every name and shape follows from `config.json`; of others the
embedding and the number of layers are compared. What passes here may still fail to load; what
fails here would have failed later, or loaded with weights drawn at random.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from regime3.records.models import refused_folder
from regime3.records.tensors import FLOATS, Tensor

LLAMA_SHAPED: Final = frozenset({"llama", "mistral", "qwen2", "qwen3"})
NUMBER_MAX: Final = 1 << 32
LAYERS_MAX: Final = 10_000
SHOWN_MAX: Final = 3
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks?)\.(\d+)\.")
_ALIASES: Final = {
    "hidden_size": ("hidden_size", "n_embd", "d_model"),
    "num_hidden_layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "max_position_embeddings": ("max_position_embeddings", "n_positions"),
    "vocab_size": ("vocab_size",),
}


def number(config: Mapping[str, Any], name: str) -> int | None:
    """A positive whole number of the config under any of its names; None when it has none.

    Raises `NodeRefused` when it is something else."""
    for key in _ALIASES.get(name, (name,)):
        value = config.get(key)
        if value is None:
            continue
        if type(value) is not int or not 0 < value <= NUMBER_MAX:
            raise _misfit(f"{key} is not a whole number from 1 to {NUMBER_MAX}", "config.json")
        return value
    return None


def check_shapes(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raises `NodeRefused` when config and tensors cannot belong together."""
    odd = [name for name, tensor in tensors.items() if tensor.dtype not in FLOATS]
    if odd:
        raise _misfit(f"{odd[0]} is {tensors[odd[0]].dtype}; weights are {sorted(FLOATS)}")
    layers = number(config, "num_hidden_layers")
    vocabulary, width = number(config, "vocab_size"), number(config, "hidden_size")
    if layers is None or vocabulary is None or width is None:
        raise _misfit("it does not say how many layers, how wide, how many tokens", "config.json")
    if layers > LAYERS_MAX:
        raise _misfit(f"{layers} layers; {LAYERS_MAX} are allowed", "config.json")
    held = {int(found[1][:6]) for name in tensors if (found := _LAYER.search(name))}
    if held != set(range(layers)):
        raise _misfit(f"the config says {layers} layers, the weights have {len(held)}")
    if config.get("model_type") in LLAMA_SHAPED:
        _check_each(dict(_llama_shaped(config, layers, vocabulary, width)), tensors)
    elif not any(tensor.shape == (vocabulary, width) for tensor in tensors.values()):
        raise _misfit(f"no tensor has the embeddings' shape {vocabulary} x {width}")


def _check_each(wanted: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor]) -> None:
    missing = [name for name in wanted if name not in tensors]
    if missing:
        shown = ", ".join(missing[:SHOWN_MAX])
        raise _misfit(f"{len(missing)} tensors are missing ({shown})")
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            raise _misfit(f"{name} is {tensors[name].shape}, the config says {shape}", name)


def _llama_shaped(
    config: Mapping[str, Any], layers: int, vocabulary: int, width: int
) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Names and shapes that a decoder of this family has at least."""
    heads = number(config, "num_attention_heads")
    inner = number(config, "intermediate_size")
    if heads is None or inner is None:
        raise _misfit("it lacks num_attention_heads or intermediate_size", "config.json")
    groups = number(config, "num_key_value_heads") or heads
    head = number(config, "head_dim") or width // heads
    yield "model.embed_tokens.weight", (vocabulary, width)
    yield "model.norm.weight", (width,)
    if not config.get("tie_word_embeddings", False):
        yield "lm_head.weight", (vocabulary, width)
    for layer in range(layers):
        at = f"model.layers.{layer}."
        yield f"{at}input_layernorm.weight", (width,)
        yield f"{at}post_attention_layernorm.weight", (width,)
        yield f"{at}self_attn.q_proj.weight", (heads * head, width)
        yield f"{at}self_attn.k_proj.weight", (groups * head, width)
        yield f"{at}self_attn.v_proj.weight", (groups * head, width)
        yield f"{at}self_attn.o_proj.weight", (width, heads * head)
        yield f"{at}mlp.gate_proj.weight", (inner, width)
        yield f"{at}mlp.up_proj.weight", (inner, width)
        yield f"{at}mlp.down_proj.weight", (width, inner)


def _misfit(why: str, param: str | None = None) -> Exception:
    return refused_folder("config_mismatch", f"config and weights do not fit: {why}", param)
