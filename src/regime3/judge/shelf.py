"""What the node holds for the judge: checkpoints shipped, loaded, under their aliases."""

from __future__ import annotations

from regime3.client import Client
from regime3.errors import NodeRefused
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.records.models import id_of
from regime3.ship.export import origin_of
from regime3.ship.push import Node, push

WEIGHTS = "model.safetensors"


class Shelf:
    """One node's models as far as a judge needs them. Raises `NodeRefused`, `Unavailable`."""

    def __init__(self, lab: Lab, client: Client) -> None:
        self._lab, self._client = lab, client

    def ship(self, seal: Seal) -> str:
        """Bring a checkpoint to the node, resuming what was cut; its id there."""
        origin = origin_of(seal.path)
        assert origin is not None
        if self.has(id_of(origin)):
            return id_of(origin)
        with Node(self._client.address, self._client.token) as node:
            return push(self._lab, seal, node).id

    def has(self, model_id: str) -> bool:
        """Whether the node has it on disk, whole and verified."""
        try:
            self._client.call("GET", f"/models/{model_id}")
        except NodeRefused as refused:
            if refused.status == 404:
                return False
            raise
        return True

    def hold(self, model_id: str, alias: str) -> None:
        """Have it in memory under an alias; it is so already most of the time."""
        found = self._client.call("GET", "/models")
        states = {each["id"]: each["state"] for each in found["models"]}
        if found["aliases"].get(alias) != model_id or states.get(model_id) != "active":
            self._client.call("PUT", f"/models/aliases/{alias}", {"id": model_id})


def weights_of(seal: Seal) -> str:
    """What tells equal weights: a rollback's seal holds those of its target."""
    parts = [f"{n}:{f.sha256}" for n, f in seal.manifest.files.items() if n.endswith("safetensors")]
    return "|".join(sorted(parts))
