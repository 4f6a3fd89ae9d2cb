"""Which encodings are not UTF-8: told by a byte order mark, or by where the NUL bytes stand."""

from __future__ import annotations

import shlex

UTF8_BOM = b"\xef\xbb\xbf"
# A row begins with keys, which are ASCII in every language: the first bytes tell.
SAMPLE_BYTES = 64
SAMPLE_BYTES_MIN = 8
NUL_SHARE_MIN = 0.7
# UTF-32LE begins with the mark of UTF-16LE: longer marks first.
_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32LE"),
    (b"\x00\x00\xfe\xff", "UTF-32BE"),
    (b"\xff\xfe", "UTF-16LE"),
    (b"\xfe\xff", "UTF-16BE"),
)


def foreign_encoding(block: bytes) -> str | None:
    """The encoding of a file that begins with `block`, when it is UTF-16 or UTF-32."""
    for mark, name in _MARKS:
        if block.startswith(mark):
            return name
    sample = block[:SAMPLE_BYTES]
    if len(sample) < SAMPLE_BYTES_MIN:
        return None
    quarters = [sample[place::4] for place in range(4)]
    empty = [part.count(0) / len(part) >= NUL_SHARE_MIN for part in quarters]
    patterns = {
        (False, True, True, True): "UTF-32LE",
        (True, True, True, False): "UTF-32BE",
        (False, True, False, True): "UTF-16LE",
        (True, False, True, False): "UTF-16BE",
    }
    return patterns.get((empty[0], empty[1], empty[2], empty[3]))


def conversion(encoding: str, name: str) -> str:
    """The command that makes a file of ours out of it."""
    source, target = shlex.quote(f"{name}.jsonl"), shlex.quote(f"{name}.utf8.jsonl")
    return f"iconv -f {encoding} -t UTF-8 {source} > {target}"
