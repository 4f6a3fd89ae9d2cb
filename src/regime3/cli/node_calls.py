"""How a verb reaches the node of a lab: where it answers, and one call with its refusal."""

from __future__ import annotations

import json
from typing import Annotated, Any

import httpx
import typer

from regime3 import disk
from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab

CALL_S_MAX = 30.0
TokenOption = Annotated[
    str,
    typer.Option(
        "--token", envvar="R3_TOKEN", help="An admin token of the node, if it asks for one."
    ),
]


def node_url(lab: Lab) -> str | None:
    """Where the lab's node answers; None when none runs."""
    if not disk.is_locked(lab.node_lock) or not lab.node_address_file.exists():
        return None
    return str(json.loads(lab.node_address_file.read_bytes())["url"])


def call(url: str, method: str, path: str, token: str, body: Any = None) -> Any:
    """One JSON call. Raises `NodeRefused` as the node does, `Unavailable` when it is not there."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    address = url.rstrip("/") + path
    try:
        answer = httpx.request(method, address, headers=headers, json=body, timeout=CALL_S_MAX)
        told = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise Unavailable(f"the node at {url} does not answer: {error}", "r3 node") from None
    if answer.status_code >= 400:
        refused = told.get("error", {})
        raise NodeRefused(
            answer.status_code,
            str(refused.get("code")),
            str(refused.get("message")),
            param=refused.get("param"),
        )
    return told
