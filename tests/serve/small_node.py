"""A node of routers alone: a link that loads nothing, and an app that answers refusals."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from regime3.errors import NodeRefused
from regime3.records import wire


def a_card(name: str) -> wire.ModelCard:
    return wire.ModelCard(name, 1, 64, 32, "float32", "cpu", None)


class FakeLink:
    """Stands in for `EngineLink`: remembers what is held; drains as long as it is told to."""

    def __init__(self) -> None:
        self.cards: dict[str, wire.ModelCard] = {}
        self.lost: dict[str, str] = {}
        self.asked: list[str] = []
        self.slow = asyncio.Event()
        self.slow.set()
        self.drained = asyncio.Event()
        self.drained.set()
        self.refuses: NodeRefused | None = None

    async def load(self, name: str, folder: str) -> wire.Loaded:
        self.asked.append(f"load {name}")
        await self.slow.wait()
        if self.refuses is not None:
            raise self.refuses
        self.lost.pop(name, None)
        self.cards[name] = a_card(name)
        return wire.Loaded(1, self.cards[name], 0.25, 0.125)

    async def unload(self, name: str, drain_s: float) -> wire.Unloaded:
        self.asked.append(f"unload {name}")
        self.cards.pop(name, None)
        await self.drained.wait()
        return wire.Unloaded(1)


def an_app(*routers: APIRouter) -> FastAPI:
    """The routers with the one thing that they expect of an app."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)

    async def refuse(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, NodeRefused)
        body: dict[str, Any] = {
            "message": error.message,
            "type": "invalid_request_error",
            "param": error.param,
            "code": error.code,
        }
        return JSONResponse({"error": body}, error.status)

    app.add_exception_handler(NodeRefused, refuse)
    return app
