"""Who can reach an address, and whether a Host header names us: shared by page and node.

A page of another site can point a name of its own at 127.0.0.1 (DNS rebinding); the Host header
then still says that name, which is why it is looked at. Decides nothing about tokens.
"""

from __future__ import annotations

import ipaddress
import socket

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
ANY_ADDRESS = ("0.0.0.0", "::", "")


def is_loopback(host: str) -> bool:
    """Whether an address or name to bind reaches this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_of(host: str) -> set[str]:
    """Names by which a server bound to `host` may be called."""
    names = {*LOOPBACK_NAMES, host}
    if not is_loopback(host):
        names |= {socket.gethostname(), f"{socket.gethostname()}.local", socket.getfqdn()}
    return names


def host_allowed(header: str, names: set[str], local_only: bool) -> bool:
    """Whether a Host header names us. Bare addresses cannot be rebound; `local_only` wants them
    to be of loopback."""
    name = header.rpartition(":")[0] if has_port(header) else header
    name = name.strip("[]").lower().rstrip(".")
    if name in names:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or not local_only


def has_port(header: str) -> bool:
    """`name:8080` and `[::1]:8080` have one; `name`, `[::1]` and `::1` have none."""
    return header.count(":") == 1 or "]:" in header
