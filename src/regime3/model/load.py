"""Loading what a lab holds: a folder of safetensors, a config, a tokenizer and a chat template.

    tokenizer = load_tokenizer(lab.current_model)
    model = load_model(lab.current_model, settings)      # fp32 masters, on the CPU

Nothing is fetched, no pickle is opened and no code of a model's is run: `importing` brings models
into a lab. Weights that are missing or of another shape are an error, never drawn at random.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from regime3.config import Settings
from regime3.errors import ModelError, Unavailable
from regime3.model.template import ChatTemplate

# Its bars are for a person at a notebook; ours are drawn by the command line.
logging.disable_progress_bar()

PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


def load_tokenizer(path: Path) -> Any:
    """The tokenizer of a model folder. Raises `ModelError`."""
    _require_folder(path)
    try:
        return AutoTokenizer.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"{path}: the tokenizer does not load: {error}", "r3 doctor") from None


def load_model(
    path: Path,
    settings: Settings,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Any:
    """The causal model of a folder, in `dtype` whatever it was saved in.

    transformers' own default would follow the file's dtype and train bf16 weights in silence.
    Raises `ModelError`, and `Unavailable` when the attention that is set is not installed.
    """
    _require_folder(path)
    require_safetensors(path)
    try:
        model, loading = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=dtype,
            attn_implementation=settings.model.attention,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
    except ImportError as error:
        raise Unavailable(
            f'model.attention = "{settings.model.attention}" cannot be used here: {error}',
            "r3 config --origin",
        ) from None
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelError(f"{path}: the model does not load: {error}", "r3 doctor") from None
    refuse_incomplete(path, loading)
    return model.to(device)


def end_of_turn_id(tokenizer: Any) -> int:
    """The token that ends an assistant's turn, and with it a generation. Raises `ModelError`."""
    return ChatTemplate(tokenizer).end_id


def require_safetensors(path: Path) -> None:
    """Raise `ModelError` unless the folder has safetensors weights; say why pickles are refused."""
    if any(path.glob("*.safetensors")):
        return
    pickles = sorted(item.name for item in path.iterdir() if item.suffix in PICKLE_SUFFIXES)
    if pickles:
        raise ModelError(
            f"{path}: {pickles[0]} is a pickle, which runs code when it is opened, so it is "
            "refused. Convert the weights to safetensors and import the folder again",
            "r3 init LAB --model FOLDER",
        )
    raise ModelError(f"{path}: there are no safetensors weights here", "r3 init LAB --model FOLDER")


def refuse_incomplete(path: Path | str, loading: dict[str, Any]) -> None:
    """Raise `ModelError` when transformers had to invent weights."""
    missing = sorted(map(str, loading.get("missing_keys") or []))
    mismatched = sorted(str(item[0]) for item in loading.get("mismatched_keys") or [])
    if missing or mismatched:
        what = ", ".join((missing + mismatched)[:3])
        raise ModelError(
            f"{path}: {len(missing)} weights are missing and {len(mismatched)} have another "
            f"shape than the config says ({what})",
            "r3 doctor",
        )


def _require_folder(path: Path) -> None:
    if not os.path.isdir(path):
        raise ModelError(f"{path}: no such model folder", "r3 doctor")
