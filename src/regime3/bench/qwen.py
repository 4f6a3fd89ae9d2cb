"""Qwen3's own tokenizer, which ships compressed beside this file so that token counts repeat
anywhere. Its licence and origin are in `qwen3/NOTICE`."""

from __future__ import annotations

import lzma
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any


def folder() -> Path:
    """Where the compressed files lie."""
    return Path(str(resources.files("regime3.bench"))) / "qwen3"


def unpack(target: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json into `target`, a folder of a benchmark."""
    for packed in folder().glob("*.xz"):
        (target / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))


def tokenizer() -> Any:
    """Qwen3's tokenizer (151,669 tokens), as transformers loads it."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory(prefix="regime3-qwen3-") as place:
        unpack(Path(place))
        return AutoTokenizer.from_pretrained(place)
