"""How deep JSON nests, from its bytes alone, before any parser sees it.

A recursive parser can be brought down by depth. Here strings are cut out by one linear regular
expression and innermost pairs are peeled off layer by layer, so that 8 MB cost milliseconds.
Exact for valid JSON; for what is no JSON it may only say deeper than a parser would get.
"""

from __future__ import annotations

import re
from typing import Final

DEPTH_MAX: Final = 100
# The last quote is optional: a string without an end reaches to the end, and nothing is tried
# twice, so that no text costs more than one pass.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SQUARE = bytes.maketrans(b"{}", b"[]")


def is_deeper(body: bytes, depth_max: int = DEPTH_MAX) -> bool:
    """Whether arrays and objects nest deeper than `depth_max`. The text must be UTF-8."""
    if body.count(b"[") + body.count(b"{") <= depth_max:
        return False
    rest = _STRINGS.sub(b"", body).translate(_SQUARE, delete=_NOT_BRACKETS)
    for layer in range(depth_max + 1):
        opened = rest.count(b"[")
        if opened == 0:
            return False
        peeled = rest.replace(b"[]", b"")
        if len(peeled) == len(rest):
            return layer + opened > depth_max
        rest = peeled
    return True


def is_utf8_json(body: bytes) -> bool:
    """False for UTF-16 and UTF-32, which would hide brackets from `is_deeper`: their JSON always
    holds NUL bytes, and ours never does."""
    return b"\0" not in body
