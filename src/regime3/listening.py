"""Sockets that wait for callers: bound before all else, so that a busy port is one sentence."""

from __future__ import annotations

import socket

from regime3.errors import Unavailable
from regime3.exposure import ANY_ADDRESS

BACKLOG = 128


def bind(host: str, port: int, what: str, next_command: str) -> socket.socket:
    """A listening socket for `what`. Raises Unavailable when the port is taken or the address is
    not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise Unavailable(f"{what} cannot use {host} port {port}: {reason}", next_command) from None
    return listener


def address_of(listener: socket.socket, host: str) -> str:
    """The URL to open on this machine."""
    port = listener.getsockname()[1]
    here = "127.0.0.1" if host in ANY_ADDRESS else host
    return f"http://[{here}]:{port}/" if ":" in here else f"http://{here}:{port}/"
