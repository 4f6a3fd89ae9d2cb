"""Codes in a model: `<E000>` to `<E511>` as tokens, and embeddings for them that mean something.

    add_codes(model, tokenizer, book)            # in memory
    prepare(folder, target, book)                # the same for a model folder, fp32 safetensors
    ids_of([252, 195], code_ids(tokenizer)[0])    # packed codes as token ids
    book = codebook_of(folder)                   # what the codes of a saved model stand for

Each code is one token of its own, and no special one: it is decoded like text. A new row starts as
the mean of the rows of what the code stands for, in words, plus a little keyed noise, so that
codes that stand for the same words differ. A folder says which codebook its codes are of, in
`codebook.json` and by name in `config.json`; it loads in plain transformers. Nothing here packs,
trains or constrains; spec, *Packing*, last paragraph.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import AddedToken

from regime3 import disk
from regime3.config import Settings
from regime3.errors import ModelError
from regime3.lang.codebook import Codebook
from regime3.lang.codes import CODES_MAX, token
from regime3.model.codebooks import CODEBOOK_FILE, CONFIG_FIELD
from regime3.model.load import load_model, load_tokenizer

ROWS_MULTIPLE: Final = 64
"""Embeddings grow to a multiple of this, which is what matrix units like."""
NOISE_SHARE: Final = 0.1
"""Standard deviation of the noise, as a share of that of the embeddings there."""
ONE_FILE: Final = "1TB"
"""Shard size that keeps weights in one model.safetensors."""

TOKENS: Final = tuple(token(code) for code in range(CODES_MAX))
_HOLE = re.compile(r"\s*_( …)?")


def add_codes(model: Any, tokenizer: Any, book: Codebook, seed: int = 0) -> None:
    """Give a model and its tokenizer the codes of a codebook.

    A pair that has them already is left as it is. Raises `ModelError` if it has codes of another
    codebook, or only some, or if the tokenizer has no fast form.
    """
    if _present(tokenizer) or _name_in(model.config):
        _demand_same(model, tokenizer, book)
        return
    if not getattr(tokenizer, "is_fast", False):
        raise ModelError("codes need a fast tokenizer (tokenizer.json)", "r3 doctor")
    texts = [wording(book, code) for code in range(CODES_MAX)]
    # Before they are tokens: an expansion never holds a code, but none should depend on another.
    parts = tokenizer(texts, add_special_tokens=False)["input_ids"]
    tokenizer.add_tokens(
        [AddedToken(name, normalized=False, special=False) for name in TOKENS], special_tokens=False
    )
    ids = code_ids(tokenizer)
    _grow(model, ids[-1] + 1, f"codes|{seed}|{book.name}", ids, parts)
    setattr(model.config, CONFIG_FIELD, book.name)


def code_ids(tokenizer: Any) -> list[int]:
    """The token ids of codes 0 to 511, which follow one another.

    Raises `ModelError` if the vocabulary lacks one or they are scattered.
    """
    found = _ids(tokenizer)
    for name, each in zip(TOKENS, found, strict=True):
        if each is None:
            raise ModelError(f"the vocabulary has no {name}: the model has no codes", "r3 init")
    ids = [each for each in found if each is not None]
    if ids != list(range(ids[0], ids[0] + CODES_MAX)):
        raise ModelError("the codes do not follow one another in the vocabulary")
    return ids


def ids_of(codes: Sequence[int], first: int) -> list[int]:
    """The token ids of packed codes, given code 0's: what tokenising their text would give."""
    assert not codes or 0 <= min(codes) <= max(codes) < CODES_MAX
    return [first + code for code in codes]


def wording(book: Codebook, code: int) -> str:
    """What a code stands for, without the holes: `(add (scale x0))`."""
    return _HOLE.sub("", book.expansion(code))


# ------------------------------------------------------------------------------------- folders


def prepare(source: Path, target: Path, book: Codebook, seed: int = 0) -> None:
    """Write the model of folder `source` with codes into the folder `target`, which the caller
    seals: fp32 safetensors, tokenizer, codebook. Raises `ModelError`."""
    tokenizer = load_tokenizer(source)
    model = load_model(source, Settings())
    add_codes(model, tokenizer, book, seed)
    write_model(model, tokenizer, target, book)


def write_model(model: Any, tokenizer: Any, target: Path, book: Codebook | None) -> None:
    """Write both into the folder `target`, with the codebook if the model has codes."""
    disk.make_folder(target)
    model.save_pretrained(target, max_shard_size=ONE_FILE)
    tokenizer.save_pretrained(target)
    if book is not None:
        book.save(target / CODEBOOK_FILE)


# ---------------------------------------------------------------------------------- embeddings


def _ids(tokenizer: Any) -> list[int | None]:
    """The id of each code, or None where the vocabulary lacks it."""
    found = tokenizer.convert_tokens_to_ids(list(TOKENS))
    return [None if each == tokenizer.unk_token_id else each for each in found]


def _present(tokenizer: Any) -> int:
    """How many of the codes are tokens already."""
    return sum(each is not None for each in _ids(tokenizer))


def _name_in(config: Any) -> str | None:
    return getattr(config, CONFIG_FIELD, None)


def _demand_same(model: Any, tokenizer: Any, book: Codebook) -> None:
    """Pass if model and tokenizer have all the codes of this codebook."""
    named = _name_in(model.config)
    if named is None:
        raise ModelError(
            f"{_present(tokenizer)} of the tokens {TOKENS[0]} to {TOKENS[-1]} are in the"
            f" vocabulary, yet the model's config names no codebook ({CONFIG_FIELD}): start from"
            " the model without them"
        )
    if named != book.name:
        raise ModelError(
            f"the model has codes of codebook {named[:12]}, which mean other things than those of"
            f" {book.name[:12]}: start from the model without codes",
            "r3 codebook show FILE",
        )
    code_ids(tokenizer)


@torch.no_grad()
def _grow(
    model: Any, rows: int, label: str, ids: Sequence[int], parts: Sequence[Sequence[int]]
) -> None:
    """Make room for `rows` tokens and fill the rows of `ids`, each from the rows of its `parts`."""
    weights = model.get_input_embeddings().weight
    known = weights.shape[0]
    wanted = max(known, -(-rows // ROWS_MULTIPLE) * ROWS_MULTIPLE)
    if wanted > known:
        # transformers draws what is new from the global generator first.
        with torch.random.fork_rng(devices=[weights.device] if weights.is_cuda else []):
            model.resize_token_embeddings(wanted, mean_resizing=False)
    found = {"input": model.get_input_embeddings(), "output": model.get_output_embeddings()}
    if found["output"] is None or found["output"].weight is found["input"].weight:
        del found["output"]
    for side, layer in found.items():
        _fill(layer.weight, known, f"{label}|{side}", ids, parts)
    bias = getattr(model.get_output_embeddings(), "bias", None)
    if bias is not None:
        _fill(bias.unsqueeze(1), known, f"{label}|bias", ids, parts)


def _fill(
    weight: torch.Tensor,
    known: int,
    label: str,
    ids: Sequence[int],
    parts: Sequence[Sequence[int]],
) -> None:
    """New rows of one matrix: codes' as above, padding's the mean of all, so that none stands out.

    Rows below `known` that are no code's stay as they are.
    """
    old = weight[:known].float()
    scale = NOISE_SHARE * float(old.std())
    weight[known:] = old.mean(dim=0).to(weight)
    rows = torch.stack([old[list(part)].mean(dim=0) for part in parts])
    noise = torch.stack([_noise(f"{label}|{code}", rows.shape[1]) for code in range(len(rows))])
    weight[ids[0] : ids[-1] + 1] = (rows + scale * noise.to(rows)).to(weight)


def _noise(label: str, width: int) -> torch.Tensor:
    """Normal numbers keyed by a label: the same ones on every machine, on the CPU."""
    seed = int.from_bytes(hashlib.sha256(label.encode()).digest()[:7], "big")
    return torch.randn(width, generator=torch.Generator().manual_seed(seed))
