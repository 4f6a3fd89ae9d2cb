"""Progress of a benchmark: plain lines on standard error, so that `--json` stays one object."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator


def rounds(count: int, what: str) -> Iterator[int]:
    """0..count-1, with a line before each round and the seconds of the last one."""
    began = time.monotonic()
    for number in range(count):
        took = f", {time.monotonic() - began:.0f} s so far" if number else ""
        print(f"{what}: round {number + 1} of {count}{took}", file=sys.stderr, flush=True)
        yield number
