"""The node as its routes see it: the link to the engine, the models, the gate, the settings."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

from regime3.config import Settings
from regime3.errors import InputRefused, NodeRefused
from regime3.lang import codebook
from regime3.lang.codebook import Codebook
from regime3.paths import Lab
from regime3.serve.link import EngineLink
from regime3.serve.models import Models
from regime3.serve.openai.asking import Gate

CODEBOOK_FILE = "codebook.json"


class Node:
    """What the routes share."""

    def __init__(self, lab: Lab, settings: Settings, link: EngineLink, models: Models) -> None:
        self.lab, self.settings, self.link, self.models = lab, settings, link, models
        self.began = time.time()
        self.gate = Gate(settings.node.slots + settings.node.waiting_max)
        self._books: dict[str, Codebook | None] = {}

    def resolve(self, name: str) -> str:
        """The loaded model that a name means. Raises `NodeRefused`."""
        return self.models.resolve(name)

    def names(self) -> list[str]:
        """Names that answer now: aliases first, then ids."""
        loaded = self.link.cards
        aliases = [name for name, id in self.models.registry.aliases.items() if id in loaded]
        return [*aliases, *loaded]

    def book(self, model: str) -> Codebook | None:
        """The codebook of a loaded model, None if it has no codes."""
        card = self.link.cards.get(model)
        if card is None or card.codebook is None:
            return None
        if card.codebook not in self._books:
            self._books[card.codebook] = _read_book(
                self.models.registry.folder(model), card.codebook
            )
        return self._books[card.codebook]

    def book_named(self, name: str | None) -> Codebook:
        """The codebook of a name that some loaded model speaks; None is the package's.

        Raises `NodeRefused` for one that no model here has."""
        shipped = codebook.shipped()
        if name is None or name == shipped.name:
            return shipped
        for model, card in self.link.cards.items():
            found = self.book(model) if card.codebook == name else None
            if found is not None:
                return found
        raise NodeRefused(
            409, "codebook_not_found", f"no loaded model speaks codebook {name[:12]}", param="model"
        )

    async def leaving(self, samples: int, events: AsyncIterator[str]) -> AsyncIterator[str]:
        """The events, and the room given back after them."""
        try:
            async for each in events:
                yield each
        finally:
            self.gate.leave(samples)


def _read_book(folder: Path, name: str) -> Codebook | None:
    """The codebook beside a model, else the shipped one of that name, else none."""
    shipped = codebook.shipped()
    if shipped.name == name:
        return shipped
    try:
        return codebook.load(folder / CODEBOOK_FILE, expected=name)
    except InputRefused:
        return None
