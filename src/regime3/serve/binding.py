"""How jobs learn of models: a name becomes the very weights that answer to it now."""

from __future__ import annotations

from regime3.errors import NodeRefused
from regime3.jobs.record import Bound
from regime3.serve.models import Models


class Binding:
    """The node's models as jobs see them."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def resolve(self, name: str) -> Bound:
        """The model of an id or alias, loaded. Raises `NodeRefused`: 404 if there is none."""
        loaded = self._models.resolve(name)
        card = self._models.link.cards[loaded]
        try:
            sha256 = self._models.registry.get(loaded).manifest_sha256
        except NodeRefused:
            sha256 = ""  # the fake engine's model lies in no folder
        return Bound(loaded, loaded, sha256, card.codebook)
