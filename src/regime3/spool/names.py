"""File names: which ones the inbox takes, and how a name is made safe to show and to store.

Pure functions over text. Content decides identity, so a name may be cut or changed freely.
"""

from __future__ import annotations

import unicodedata

DATA_SUFFIX = ".jsonl"
SIDECAR_SUFFIX = ".jsonl.meta.json"
TEMP_SUFFIXES = (".part", ".tmp", "~", ".crdownload", ".swp")
NAME_BYTES_MAX = 160
FORBIDDEN = frozenset('\\/<>:"|?*')
BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_temporary(name: str) -> bool:
    """A name that says "not finished": a leading dot, or an ending that copiers use."""
    return name.startswith(".") or name.endswith(TEMP_SUFFIXES)


def is_sidecar(name: str) -> bool:
    return name.endswith(SIDECAR_SUFFIX)


def stem(name: str) -> str:
    """A data file's name without its `.jsonl`."""
    return name.removesuffix(DATA_SUFFIX)


def sidecar_name(data_name: str) -> str:
    """The sidecar that goes with `x.jsonl`: `x.jsonl.meta.json`."""
    return stem(data_name) + SIDECAR_SUFFIX


def shown(text: str) -> str:
    """Text that cannot move a terminal's cursor or reverse its line; unicode stays."""
    return "".join("_" if _unsafe(character) else character for character in text)


def sanitised(name: str) -> str:
    """A file name's stem for terminals and file systems, at most NAME_BYTES_MAX bytes."""
    safe = "".join("_" if c in FORBIDDEN else c for c in shown(name)).strip()
    if safe[:1] in ("-", "."):
        safe = "_" + safe[1:]
    cut = safe.encode("utf-8")[:NAME_BYTES_MAX].decode("utf-8", "ignore").strip()
    return cut or "unnamed"


def _unsafe(character: str) -> bool:
    # Cs: what a file name that is not UTF-8 becomes. The joiner that emojis need is Cf: kept.
    return (
        unicodedata.category(character) in ("Cc", "Cs", "Cn", "Co", "Zl", "Zp")
        or character in BIDI_CONTROLS
    )
