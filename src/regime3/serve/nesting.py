"""How deep JSON nests, from its bytes alone, before any parser sees it.

A recursive parser can be brought down by depth. Here escapes are taken out, quotes say what is
text, and a running sum over the brackets that are left is the depth at each place: a few passes
over the bytes, none of them in Python. Exact for valid JSON, and never less than what a parser
would reach in what is not.
"""

from __future__ import annotations

from typing import Final

import numpy as np

DEPTH_MAX: Final = 100
_OTHERS = bytes(set(range(256)) - set(b'[]{}"'))
_STEPS = np.zeros(256, dtype=np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1


def is_deeper(body: bytes, depth_max: int = DEPTH_MAX) -> bool:
    """Whether arrays and objects nest deeper than `depth_max`. The text must be UTF-8."""
    if body.count(b"[") + body.count(b"{") <= depth_max:
        return False
    # Pairs of backslashes first, from the left: only then is one before a quote an escape.
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    marks = np.frombuffer(plain.translate(None, delete=_OTHERS), dtype=np.uint8)
    outside = np.cumsum(marks == ord('"'), dtype=np.uint8) & 1 == 0
    depths = np.cumsum(_STEPS[marks] * outside, dtype=np.int32)
    return bool(depths.size) and int(depths.max()) > depth_max


def is_utf8_json(body: bytes) -> bool:
    """False for UTF-16 and UTF-32, which would hide brackets from `is_deeper`: their JSON always
    holds NUL bytes, and ours never does."""
    return b"\0" not in body
