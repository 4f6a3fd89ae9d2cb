"""The nano model: a Qwen3 architecture of under a million parameters, for demos and tests.

    build_nano(folder)    # then AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer too

Its weights are drawn from keyed generators, one for each parameter, so two builds on one set of
library versions are byte-identical and nothing is downloaded. It knows nothing before training;
it is here so that the full path runs in seconds on a CPU.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM
from transformers.utils import logging

from regime3 import disk
from regime3.model import nano_tokenizer

# Its bars are for a person at a notebook; ours are drawn by the command line.
logging.disable_progress_bar()

HIDDEN = 128
LAYERS = 4
EMBEDDING_STD = 0.02
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def build_nano(target: Path) -> None:
    """Write the model, fp32, with its tokenizer and chat template into the folder `target`."""
    disk.make_folder(target)
    with torch.random.fork_rng(devices=[]):  # transformers draws weights first, from the global one
        model = Qwen3ForCausalLM(nano_config())
    _draw_weights(model)
    model.save_pretrained(target)
    for name in TOKENIZER_FILES:
        disk.write_bytes(target / name, (nano_tokenizer.ship_to() / name).read_bytes())


def nano_config() -> Qwen3Config:
    """984,448 parameters, embeddings tied, 4,096 tokens of context, no dropout."""
    padding = nano_tokenizer.VOCABULARY - len(nano_tokenizer.CONTROL) - len(nano_tokenizer.EMOJIS)
    turn_end = padding + nano_tokenizer.CONTROL.index(nano_tokenizer.TURN_END)
    return Qwen3Config(
        vocab_size=nano_tokenizer.VOCABULARY,
        hidden_size=HIDDEN,
        intermediate_size=3 * HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=nano_tokenizer.CONTEXT,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        pad_token_id=padding,
        bos_token_id=None,
        eos_token_id=turn_end,
        dtype="float32",
    )


@torch.no_grad()
def _draw_weights(model: torch.nn.Module) -> None:
    """Normal weights: embeddings small, matrices by fan-in, those that write to the residual
    stream smaller with depth (GPT-2's rule); norms stay one."""
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            weight.fill_(1.0)
            continue
        std = EMBEDDING_STD if "embed" in name else 1 / math.sqrt(weight.shape[1])
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            std /= math.sqrt(2 * LAYERS)
        seed = int.from_bytes(hashlib.sha256(f"nano|{name}".encode()).digest()[:7], "big")
        weight.normal_(0.0, std, generator=torch.Generator().manual_seed(seed))
