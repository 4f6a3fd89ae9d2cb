"""Run the live page: bind, say where, serve until stopped.

The socket is bound before anything else, so a busy port is one clear sentence. The address is
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

from regime3 import disk
from regime3.config import Settings, Web
from regime3.errors import Unavailable
from regime3.exposure import ANY_ADDRESS
from regime3.paths import Lab
from regime3.web.app import create_app
from regime3.web.guard import check_exposure

BACKLOG = 128
CONNECTIONS_MAX = 200
SHUTDOWN_S_MAX = 3


def bind(web: Web) -> socket.socket:
    """A listening socket. Raises Unavailable when the port is taken or the address is not ours."""
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((web.host, web.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise Unavailable(
            f"the live page cannot use {web.host} port {web.port}: {reason}",
            f"r3 web --set web.port={web.port + 10}",
        ) from None
    return listener


def address_of(listener: socket.socket, web: Web) -> str:
    """The URL to open on this machine."""
    port = listener.getsockname()[1]
    host = "127.0.0.1" if web.host in ANY_ADDRESS else web.host
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def make_server(lab: Lab, settings: Settings) -> uvicorn.Server:
    """A server of the app, not yet running; `run(sockets=[bind(...)])` runs it."""
    config = uvicorn.Config(
        create_app(lab, settings),
        log_level="warning",
        access_log=False,  # addresses may carry the token
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX,
    )
    return uvicorn.Server(config)


def serve(lab: Lab, settings: Settings, tell: Callable[[str], None] = print) -> None:
    """Serve until SIGTERM or SIGINT. Raises SettingsError or Unavailable before it begins."""
    check_exposure(settings.web)
    listener = bind(settings.web)
    url = address_of(listener, settings.web)
    server = make_server(lab, settings)
    if threading.current_thread() is threading.main_thread():
        # uvicorn hands a signal on once it has shut down; by then there is nothing left to do.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
    disk.make_folder(lab.control)
    disk.write_json(lab.web_address_file, {"url": url, "pid": os.getpid()}, durable=False)
    tell(f"live page: {url}")
    try:
        with listener:
            server.run(sockets=[listener])
    finally:
        with contextlib.suppress(OSError):
            disk.remove(lab.web_address_file)
