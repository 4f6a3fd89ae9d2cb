"""Run the viewer: bind, say where, serve until stopped.

Its sockets are bound before anything else, so a busy port is one clear sentence. The address is
left in the lab (`control/web.json`) while the page answers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable

import uvicorn

from regime3 import disk, listening
from regime3.config import Settings, Web
from regime3.paths import Lab
from regime3.web.app import create_app
from regime3.web.guard import check_exposure
from regime3.web.pages import DOORS

CONNECTIONS_MAX = 200
SHUTDOWN_S_MAX = 3


def bind(web: Web) -> list[socket.socket]:
    """A listening socket for each door: ports in a row, or any free ones for port 0.

    Raises Unavailable when one is taken or the address is not ours."""
    with contextlib.ExitStack() as stack:
        found = [
            stack.enter_context(
                listening.bind(
                    web.host,
                    web.port and web.port + place,
                    f"the {name} page",
                    f"r3 web --set web.port={web.port + 10}",
                )
            )
            for place, name in enumerate(DOORS)
        ]
        stack.pop_all()
    return found


def make_server(lab: Lab, settings: Settings, listeners: list[socket.socket]) -> uvicorn.Server:
    """A server of the app, not yet running; `run(sockets=listeners)` runs it."""
    ports = [each.getsockname()[1] for each in listeners]
    app = create_app(lab, settings, doors=dict(zip(ports, DOORS, strict=True)))
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,  # addresses may carry the token
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX,
    )
    server = uvicorn.Server(config)
    app.state.stream.closing = lambda: server.should_exit
    return server


def serve(lab: Lab, settings: Settings, tell: Callable[[str], None] = print) -> None:
    """Serve until SIGTERM or SIGINT. Raises SettingsError or Unavailable before it begins."""
    check_exposure(settings.web)
    listeners = bind(settings.web)
    url, *others = (listening.address_of(each, settings.web.host) for each in listeners)
    server = make_server(lab, settings, listeners)
    if threading.current_thread() is threading.main_thread():
        # uvicorn hands a signal on once it has shut down; by then there is nothing left to do.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
    disk.make_folder(lab.control)
    disk.write_json(lab.web_address_file, {"url": url, "pid": os.getpid()}, durable=False)
    tell(f"live page: {url} (memory {others[0]}, lab {others[1]})")
    try:
        server.run(sockets=listeners)
    finally:
        for each in listeners:
            each.close()
        with contextlib.suppress(OSError):
            disk.remove(lab.web_address_file)
