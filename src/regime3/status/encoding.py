"""The bytes of the status file: JSON that every parser reads, without NaN or infinities."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from regime3.records.status import TrainingStatus


def encode(status: TrainingStatus) -> tuple[bytes, set[str]]:
    """One JSON object and a newline, and the names of fields whose figure was not a number.

    Such a figure is written as null: the last net under the checks at every source.
    """
    mended: set[str] = set()
    value = {name: _finite(item, name, mended) for name, item in _builtins(status).items()}
    return msgspec.json.encode(value) + b"\n", mended


def _builtins(status: TrainingStatus) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(status)
    return plain


def _finite(value: Any, name: str, mended: set[str]) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        mended.add(name)
        return None
    if isinstance(value, dict):
        return {key: _finite(item, name, mended) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item, name, mended) for item in value]
    return value
