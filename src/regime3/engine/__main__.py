"""`python -m regime3.engine FD --engine hf --settings JSON`: the node's engine process.

FD is the descriptor of an inherited socket. The node starts it; nobody types this. What the
arguments are is `records.launch`'s.
"""

from __future__ import annotations

import argparse
import os
from typing import Final

from regime3.config import Settings
from regime3.engine.base import Engine
from regime3.engine.process import serve
from regime3.errors import Unavailable
from regime3.records.launch import settings_of

LOADING: Final = {"THP_MEM_ALLOC_ENABLE": "1", "HF_DEACTIVATE_ASYNC_LOAD": "1"}
"""How torch and transformers take a model in: into huge pages, as clearing small ones takes longer
than to read and widen the weights; and one tensor after another, as several threads that fault
pages in wait for one another's lock on the address space, and the batch that runs waits with them.
"""


def make(kind: str, settings: Settings) -> Engine:
    """The engine of a kind; torch is imported here if it needs it."""
    if kind == "fake":
        from regime3.engine.fake import FakeEngine

        return FakeEngine(settings)
    if kind == "hf":
        from regime3.engine.hf import HfEngine

        return HfEngine(settings)
    raise Unavailable(f"the engine {kind} is not part of this version", "r3 config --origin")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m regime3.engine")
    parser.add_argument("descriptor", type=int)
    parser.add_argument("--engine", default="hf")
    parser.add_argument("--settings", default="{}")
    given = parser.parse_args()
    settings = settings_of(given.settings)
    for name, value in LOADING.items():
        os.environ.setdefault(name, value)  # read by both when they are imported or load
    serve(given.descriptor, lambda: make(given.engine, settings))


if __name__ == "__main__":
    main()
