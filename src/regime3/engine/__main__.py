"""`python -m regime3.engine FD --engine hf --settings JSON`: the node's engine process.

FD is the descriptor of an inherited socket. The node starts it; nobody types this. What the
arguments are is `records.launch`'s.
"""

from __future__ import annotations

import argparse

from regime3.config import Settings
from regime3.engine.base import Engine
from regime3.engine.process import serve
from regime3.errors import Unavailable
from regime3.records.launch import settings_of


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
    serve(given.descriptor, lambda: make(given.engine, settings))


if __name__ == "__main__":
    main()
