"""`r3 node`: bind, start the engine, load the champion, answer until stopped.

The order of the node's world, top to bottom: nothing is open before the exposure is checked, the
address is left in the lab while it answers, and on the way out streams end before the engine does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from regime3 import disk, listening
from regime3.config import Settings
from regime3.paths import Lab

CONNECTIONS_MAX = 1024
SHUTDOWN_S_MAX = 5
KEEP_ALIVE_S = 75


def bind(settings: Settings) -> socket.socket:
    """The node's listening socket. Raises Unavailable."""
    node = settings.node
    return listening.bind(
        node.host, node.port, "the node", f"r3 node --set node.port={node.port + 10}"
    )


def http_server(app: ASGIApp) -> uvicorn.Server:
    """A server of the app, not yet running."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX,
    )
    server = uvicorn.Server(config)
    # Signals are ours: the engine and the jobs have to be ended in order.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


async def until_stopped(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve(sockets=[listener])


@contextlib.contextmanager
def announced(lab: Lab, settings: Settings, listener: socket.socket, tell: Callable[[str], None]):  # type: ignore[no-untyped-def]
    """The address stands in the lab while the node answers."""
    url = listening.address_of(listener, settings.node.host)
    disk.make_folder(lab.node)
    disk.write_json(lab.node_address_file, {"url": url, "pid": os.getpid()}, durable=False)
    tell(f"node: {url} (OpenAI clients: {url}v1, documentation: {url}docs)")
    try:
        yield url
    finally:
        with contextlib.suppress(OSError):
            disk.remove(lab.node_address_file)
