"""Bringing a model into a lab: a folder, a hub id or a GGUF file becomes fp32 safetensors.

    import_model("Qwen/Qwen3-0.6B", temp)      # the hub's cache and login are transformers' own
    import_model("./my-model", temp)
    import_model("model.Q4_1.gguf", temp)      # needs the extra `gguf`; dequantised
    import_model("./my-model", temp, book)     # and give it the codes of a codebook

The caller gives a temp folder and seals it. What is written loads with plain transformers. A
model that could not be trained is refused here, with the reason: pickled weights, remote code,
missing weights, no chat template, no end of turn. Nothing is trained, merged or quantised.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from regime3.errors import ModelError, Unavailable
from regime3.lang.codebook import Codebook
from regime3.model.codebooks import codebook_of
from regime3.model.codes import add_codes, write_model
from regime3.model.load import refuse_incomplete, require_safetensors
from regime3.model.template import ChatTemplate

GGUF_TEMPLATE_FIELD = "tokenizer.chat_template"


def import_model(source: str, target: Path, book: Codebook | None = None) -> None:
    """Write the model named by `source` into the folder `target`: weights in fp32 safetensors,
    config, tokenizer and chat template.

    With `book` the model gets its codes; one that has codes already keeps them. Raises
    `ModelError` for what cannot be read or trained, `Unavailable` when the gguf extra is missing.
    """
    path = Path(source).expanduser()
    if path.suffix == ".gguf":
        model, tokenizer = _from_gguf(path)
    elif path.is_dir():
        require_safetensors(path)
        model, tokenizer = _from_pretrained(str(path), local=True)
    elif path.exists() or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise ModelError(f"{source}: no model folder and no .gguf file", "r3 init --help")
    else:
        model, tokenizer = _from_pretrained(source, local=False)
    ChatTemplate(tokenizer)  # refuses now what training would refuse later
    if path.is_dir() and book is None:
        book = codebook_of(path)
    if book is not None:
        add_codes(model, tokenizer, book)
    write_model(model, tokenizer, target, book)


def _from_pretrained(source: str, *, local: bool, **more: Any) -> tuple[Any, Any]:
    """Model and tokenizer from a folder or the hub."""
    shared = {"trust_remote_code": False, "local_files_only": local, **more}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **shared)
        model, loading = AutoModelForCausalLM.from_pretrained(
            source,
            dtype=torch.float32,
            use_safetensors=None if more else True,  # a GGUF is neither pickle nor safetensors
            output_loading_info=True,
            **shared,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ModelError(f"{source}: cannot be imported: {error}", "r3 init --help") from None
    refuse_incomplete(source, loading)
    return model, tokenizer


def _from_gguf(path: Path) -> tuple[Any, Any]:
    """Dequantised model and tokenizer of a GGUF file, with the chat template it carries."""
    if not path.is_file():
        raise ModelError(f"{path}: no such file", "r3 init --help")
    if importlib.util.find_spec("gguf") is None:
        raise Unavailable("GGUF files are read by the gguf package", "pip install 'regime3[gguf]'")
    model, tokenizer = _from_pretrained(str(path.parent), local=True, gguf_file=path.name)
    if not tokenizer.chat_template:
        tokenizer.chat_template = _gguf_template(path)
    return _plain(model), tokenizer


def _gguf_template(path: Path) -> str | None:
    """The chat template in the file's metadata, or None."""
    from gguf import GGUFReader

    field = GGUFReader(str(path)).get_field(GGUF_TEMPLATE_FIELD)
    return None if field is None else str(field.contents())


def _plain(model: Any) -> Any:
    """The same weights in a model that does not call itself quantised.

    transformers leaves the GGUF's quantisation in the config, and a Trainer refuses such a model.
    """
    config = type(model.config).from_dict(
        {k: v for k, v in model.config.to_dict().items() if k != "quantization_config"}
    )
    plain = type(model)._from_config(config, dtype=torch.float32)
    plain.load_state_dict(model.state_dict(), strict=True)
    plain.generation_config = model.generation_config
    plain.tie_weights()
    return plain
