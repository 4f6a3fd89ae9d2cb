"""A node that takes models, as a real server process."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import uvicorn
from fastapi import FastAPI

from regime3 import config
from regime3.clock import SystemClock
from regime3.paths import Lab
from regime3.registry import Registry
from regime3.serve.models import Models
from regime3.serve.routes import models as model_routes
from regime3.serve.routes import uploads as upload_routes
from regime3.ship import tus
from tests.serve.small_node import FakeLink, an_app


def an_uploading_app(lab: Lab, settings: config.Settings | None = None) -> tuple[FastAPI, Registry]:
    """The routers of models and uploads over a link that loads nothing."""
    settings = settings or config.Settings()
    registry = Registry(lab, SystemClock())
    uploads = upload_routes.uploads_of(lab, settings, registry, SystemClock())
    uploads.recover()
    models = Models(lab, settings, registry, FakeLink())  # type: ignore[arg-type]
    return an_app(upload_routes.router(uploads), model_routes.router(models)), registry


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def serve(root: str, port: int) -> None:
    """The server, in a process of its own."""
    tus.SYNC_BYTES = 1 << 20  # type: ignore[misc]  # small models too are resumed midway
    app, _ = an_uploading_app(Lab(Path(root)))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def start(lab: Lab, port: int) -> multiprocessing.process.BaseProcess:
    """A server process that answers; forked from one that has imported everything."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.ship.node"])
    process = processes.Process(target=serve, args=(str(lab.root), port), daemon=True)
    process.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            httpx.options(f"http://127.0.0.1:{port}/models/uploads")
            return process
        assert process.is_alive(), "the node did not come up"
        time.sleep(0.02)
    raise TimeoutError


@contextlib.contextmanager
def running(lab: Lab) -> Iterator[str]:
    """A node's URL for a while."""
    port = a_free_port()
    process = start(lab, port)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.join()
