"""A small app behind the guard: it answers everything, and says what reached it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from regime3.clock import Clock
from regime3.config import Node
from regime3.paths import Lab
from regime3.serve.guard import Guard
from regime3.serve.limits import Limits
from regime3.tokens import TokenFile

LOCAL = "http://127.0.0.1:8765"
OUTSIDE = "http://10.0.0.5:8765"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Says method, path, who asked and how much came; reads the body as an app would."""
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError("the client left")
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    told = {"path": scope["path"], "size": size, "caller": scope["state"]["caller"].scope}
    body = json.dumps(told).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"access-control-allow-origin", b"*"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Guarded:
    """The app, its lab and its tokens."""

    def __init__(
        self,
        root: Path,
        host: str = "127.0.0.1",
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.lab = Lab(root)
        self.tokens = TokenFile(self.lab)
        self.audit: list[dict[str, Any]] = []
        self.app = Guard(
            echo,
            Node(host=host),
            self.tokens,
            limits=limits,
            audit=self.audit.append,
            clock=clock,
        )
        self.client = TestClient(self.app, LOCAL if host == "127.0.0.1" else OUTSIDE)

    def token(self, scope: Any) -> dict[str, str]:
        """Headers with a fresh token."""
        text, _ = TokenFile(self.lab).create(scope, "test", 0.0)
        return {"authorization": f"Bearer {text}"}
