"""The nano model: a Qwen3 architecture of a million parameters, for demos and tests.

    build_nano(folder)         # a model folder that plain transformers loads
    build_untrained(folder)    # the same before anything was trained

It has the 512 codes from the start. Untrained weights are drawn from keyed generators, one for each
parameter, so two builds on one set of library versions are byte-identical and nothing is
downloaded. Weights that `regime3.recipe` trained lie in the package in bf16, if it was run; this
module only reads and writes them. It is here so that the full path runs in seconds on a CPU.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import torch
from safetensors import torch as safetensors
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging

from regime3 import disk
from regime3.lang import codebook
from regime3.model import nano_tokenizer
from regime3.model.codebooks import CODEBOOK_FILE, CONFIG_FIELD

# Its bars are for a person at a notebook; ours are drawn by the command line.
logging.disable_progress_bar()

HIDDEN = 128
LAYERS = 4
EMBEDDING_STD = 0.02
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")
WEIGHTS = "model.safetensors"
TIED = ("model.embed_tokens.weight", "lm_head.weight")
"""One matrix: the file holds it under the first name."""


def build_nano(target: Path) -> None:
    """Write the model, fp32, with tokenizer, chat template and codebook into the folder `target`.

    Its weights are the package's, or untrained ones while the package has none.
    """
    shipped = shipped_weights()
    if not shipped.is_file():
        build_untrained(target)
        return
    model = untrained()
    stored = safetensors.load_file(shipped)
    stored[TIED[1]] = stored[TIED[0]]
    model.load_state_dict({name: weight.float() for name, weight in stored.items()})
    _write(model, target)


def build_untrained(target: Path) -> None:
    """The same with weights that were never trained: the same ones each time."""
    model = untrained()
    draw_weights(model)
    _write(model, target)


def untrained(vocabulary: int = nano_tokenizer.VOCABULARY) -> Qwen3ForCausalLM:
    """The architecture, with weights that mean nothing yet: see `draw_weights`."""
    with torch.random.fork_rng(devices=[]):  # transformers draws weights first, from the global one
        return Qwen3ForCausalLM(nano_config(vocabulary))


def nano_config(vocabulary: int = nano_tokenizer.VOCABULARY) -> Qwen3Config:
    """1,049,984 parameters, embeddings tied, 4,096 tokens of context, no dropout."""
    first = nano_tokenizer.VOCABULARY - len(nano_tokenizer.ADDED)
    return Qwen3Config(
        vocab_size=vocabulary,
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=nano_tokenizer.CONTEXT,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        pad_token_id=first + nano_tokenizer.ADDED.index(nano_tokenizer.PADDING),
        bos_token_id=None,
        eos_token_id=first + nano_tokenizer.ADDED.index(nano_tokenizer.TURN_END),
        dtype="float32",
    )


@torch.no_grad()
def draw_weights(model: torch.nn.Module, seed: int = 0) -> None:
    """Normal weights: embeddings small, matrices by fan-in, those that write to the residual
    stream smaller with depth (GPT-2's rule); norms stay one."""
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            weight.fill_(1.0)
            continue
        std = EMBEDDING_STD if "embed" in name else 1 / math.sqrt(weight.shape[1])
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            std /= math.sqrt(2 * LAYERS)
        digest = hashlib.sha256(f"nano|{seed}|{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
        weight.normal_(0.0, std, generator=generator)


def shipped_weights() -> Path:
    """Where the package keeps trained weights, if it has any."""
    return nano_tokenizer.ship_to() / WEIGHTS


def write_weights(source: Path, target: Path) -> None:
    """Write the weights of the model folder `source` into the file `target`, in bf16."""
    stored = safetensors.load_file(source / WEIGHTS)
    small = {name: weight.to(torch.bfloat16) for name, weight in stored.items()}
    disk.write_bytes(target, safetensors.save(small, metadata={"format": "pt"}))


def _write(model: Any, target: Path) -> None:
    book = codebook.shipped()
    setattr(model.config, CONFIG_FIELD, book.name)
    disk.make_folder(target)
    model.save_pretrained(target)
    for name in TOKENIZER_FILES:
        disk.write_bytes(target / name, (nano_tokenizer.ship_to() / name).read_bytes())
    book.save(target / CODEBOOK_FILE)
