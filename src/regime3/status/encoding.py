"""The bytes of the status file: JSON that every parser reads, without NaN or infinities.

msgspec writes a figure that is not finite as null at any depth; here the fields it stood in are
found, so that the board can say so. It is the last net under the checks at every source.
"""

from __future__ import annotations

import math

import msgspec

from regime3.records.status import TrainingStatus


def encode(status: TrainingStatus) -> tuple[bytes, set[str]]:
    """One JSON object and a newline, and the fields whose figure was not a number."""
    mended = {
        name
        for name in status.__struct_fields__
        if isinstance(value := getattr(status, name), float) and not math.isfinite(value)
    }
    return msgspec.json.encode(status) + b"\n", mended
