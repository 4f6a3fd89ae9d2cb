"""How an engine process is told its settings: on its command line, as JSON.

    spawn_engine(engine_arguments(settings))     # the node's side
    settings = settings_of(arguments)            # the engine's

Only the sections that an engine reads are handed over. No file is read and no torch is needed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from regime3.config import Settings, sections

SECTIONS: Final = ("model", "examples", "node")
"""What an engine goes by."""


def engine_arguments(settings: Settings) -> list[str]:
    """What follows the socket's descriptor on an engine's command line."""
    tree = settings.as_dict()
    text = json.dumps({name: tree[name] for name in SECTIONS}, ensure_ascii=False)
    return ["--engine", settings.node.engine, "--settings", text]


def settings_of(text: str) -> Settings:
    """The settings that a `--settings` argument holds; sections that are missing are defaults."""
    kinds = sections()
    given = {name: kinds[name](**values) for name, values in json.loads(text or "{}").items()}
    return replace(Settings(), **given)
