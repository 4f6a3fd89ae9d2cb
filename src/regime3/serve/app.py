"""The node's app: every route, the errors' one shape, and a schema that says what is true.

The guard stands in front of all of it, not here: `server.serve` puts it there, so that no route
can be reached around it.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi

from regime3 import __version__
from regime3.serve import faults
from regime3.serve.node import Node
from regime3.serve.routes import language, openai

DESCRIPTION = "Inference, evaluation, generation, models, telemetry and power of one GPU."


def create_app(node: Node, more: list[APIRouter] | None = None) -> FastAPI:
    """The app over a node; `more` are the routers of its other parts."""
    app = FastAPI(title="regime3 node", version=__version__, description=DESCRIPTION)
    faults.install(app)
    for router in [openai.router(node), language.router(node), *(more or [])]:
        app.include_router(router)

    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    return app


def _schema(app: FastAPI) -> dict[str, Any]:
    """FastAPI's schema without the 422 that it promises: a bad value is a 400 here."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for methods in schema["paths"].values():
            for route in methods.values():
                if "ValidationError" in str(route["responses"].get("422", "")):
                    del route["responses"]["422"]
        app.openapi_schema = schema
    return app.openapi_schema
