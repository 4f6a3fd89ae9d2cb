"""`/models/uploads`: the tus routes over this node's registry."""

from __future__ import annotations

from fastapi import APIRouter

from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import NodeRefused
from regime3.paths import Lab
from regime3.registry import Registry
from regime3.serve.refusals import refusals
from regime3.ship.tus import upload_router
from regime3.ship.uploads import Uploads


def uploads_of(lab: Lab, settings: Settings, registry: Registry, clock: Clock) -> Uploads:
    """What arrives at this node; whole models become the registry's. Call `recover` at start."""

    def has(model_id: str) -> bool:
        try:
            registry.get(model_id)
        except NodeRefused:
            return lab.node_model(model_id).exists()
        return True

    bytes_max = int(settings.node.upload_gb_max * 1e9)
    return Uploads(lab, clock, bytes_max=bytes_max, adopt=registry.adopt, has=has)


def router(uploads: Uploads) -> APIRouter:
    """The routes. A guard that limits bodies and times of requests has to let PATCH pass here:
    the routes limit size and pace themselves."""
    return upload_router(uploads, refusals)
