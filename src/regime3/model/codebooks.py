"""Which codebook the codes of a saved model are of. Without torch, for whoever proves rows.

book = codebook_of(lab.current_model) or codebook.shipped()
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from regime3.errors import InputRefused, ModelError
from regime3.lang import codebook
from regime3.lang.codebook import Codebook

CODEBOOK_FILE: Final = "codebook.json"
CONFIG_FIELD: Final = "codebook_sha256"


def has_codes(folder: Path) -> bool:
    """Whether the model of a folder says that it has codes; `codebook_of` verifies."""
    return _name_of(folder) is not None


def codebook_of(folder: Path) -> Codebook | None:
    """The codebook of a model folder; None if the model has no codes.

    Raises `ModelError` if the file is missing, changed, or not the one that the model names.
    """
    name = _name_of(folder)
    if name is None:
        return None
    try:
        return codebook.load(folder / CODEBOOK_FILE, expected=name)
    except InputRefused as refusal:
        raise ModelError(f"the model's codebook: {refusal.message}", "r3 doctor") from None


def _name_of(folder: Path) -> str | None:
    """The codebook that the folder's config names."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: no readable config.json: {error}", "r3 doctor") from None
    return config.get(CONFIG_FIELD) if isinstance(config, dict) else None
