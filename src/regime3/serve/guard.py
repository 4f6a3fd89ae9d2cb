"""The guard before every route of the node: default-deny, and it knows no route.

    app = Guard(app, settings.node, TokenFile(lab), audit=Audit(lab))

In this order: shape of the request (path, query, headers), Host, Origin, token and its scope,
rate, size and time of the body, nesting of its JSON. The app behind sees a body that has come
whole, uploads excepted, which are counted as they pass. Every refusal is shaped as OpenAI's.

Without tokens a node on loopback is open to whoever is on this machine; with tokens they are
asked for everywhere; `tokens.check_exposure` keeps an open address from starting without one.
An inference token reaches the paths below and nothing else: a new path is for admins.
"""

from __future__ import annotations

import asyncio
import json
import math
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regime3.clock import Clock, SystemClock
from regime3.config import Node
from regime3.errors import NodeRefused
from regime3.exposure import host_allowed, is_loopback, names_of
from regime3.serve.bodies import Incoming, Watched, linger, read_whole, replayed
from regime3.serve.faults import fault_of
from regime3.serve.limits import Buckets, Limits
from regime3.serve.nesting import DEPTH_MAX, is_deeper, is_utf8_json
from regime3.tokens import Token, TokenFile

UPLOADS = "/models/uploads"
INFERENCE_PATHS = frozenset(
    {"/tokenize", "/detokenize", "/tokenizer_info", "/gpu", "/system"}
    | {"/health", "/ready", "/version", "/info", "/metrics"}
)
SCANNED_HERE_BYTES_MAX = 256 << 10
"""A longer body is scanned in a thread: others do not wait for it."""
INFERENCE_PREFIXES = ("/v1/", "/lang/")
INFERENCE_METHODS = ("GET", "HEAD", "POST")
READING_METHODS = ("GET", "HEAD", "OPTIONS", "TRACE")
HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


@dataclass(frozen=True)
class Caller:
    """Who asks: a token, or whoever is on this machine."""

    id: str
    scope: str
    name: str

    @classmethod
    def of(cls, token: Token) -> Caller:
        return cls(token.id, token.scope, token.name)


LOCAL = Caller("local", "admin", "open on loopback")
AuditWrite = Callable[[dict[str, Any]], None]


class Guard:
    """ASGI middleware around the whole app. `scope["state"]` tells the app `request_id` and
    `caller`."""

    def __init__(
        self,
        app: ASGIApp,
        node: Node,
        tokens: TokenFile,
        *,
        limits: Limits | None = None,
        audit: AuditWrite | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.app = app
        self._tokens = tokens
        self._limits = limits or Limits.of(node)
        self._clock = clock or SystemClock()
        self._audit = audit
        self._local_only = is_loopback(node.host)
        self._names = names_of(node.host)
        named = self._limits
        self._rate = Buckets(named.requests_per_s, named.requests_burst, self._clock)
        self._denied = Buckets(named.denied_per_s, named.denied_burst, self._clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"req-{secrets.token_hex(16)}"
        incoming, answer = Incoming(receive), _Answer(send, request_id)
        headers = Headers(scope=scope)
        caller: Caller | None = None
        try:
            self._check_shape(scope, headers)
            self._check_origin(headers)
            caller = self._caller(scope, headers)
            self._check_scope(scope, caller)
            self._check_length(scope, headers)
            scope.setdefault("state", {}).update(request_id=request_id, caller=caller)
            if _is_upload(scope):
                await self._upload(scope, incoming, answer)
            else:
                body = await read_whole(incoming, self._limits)
                if body is None:
                    return  # the client is gone
                if len(body) > SCANNED_HERE_BYTES_MAX:
                    await asyncio.to_thread(_check_json, body)
                else:
                    _check_json(body)
                await self.app(scope, replayed(body, receive), answer.send)
        except NodeRefused as refused:
            await answer.refuse(refused)
            await linger(incoming, self._limits)
            await answer.end()
        finally:
            self._write_audit(scope, caller, answer)

    # ------------------------------------------------------------------ who may, and what

    def _check_shape(self, scope: Scope, headers: Headers) -> None:
        limits = self._limits
        path = scope["path"]
        if len(scope.get("raw_path") or path.encode()) > limits.path_bytes_max:
            raise NodeRefused(414, "path_too_long", "the path is too long")
        if len(scope["query_string"]) > limits.query_bytes_max:
            raise NodeRefused(414, "query_too_long", "the query is too long")
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > limits.headers_max or size > limits.header_bytes_max:
            raise NodeRefused(431, "headers_too_large", "too many headers, or too long")
        for name in ("host", "origin", "authorization", "content-length", "content-type"):
            if len(headers.getlist(name)) > 1:
                raise NodeRefused(400, "header_repeated", f"the header {name} is given twice")
        if not _is_plain_path(path):
            raise NodeRefused(400, "bad_path", "the path holds what no path of ours has")

    def _check_origin(self, headers: Headers) -> None:
        host = headers.get("host", "")
        # Beyond loopback the token guards: no page of another site has it.
        if self._local_only and not host_allowed(host, self._names, True):
            raise NodeRefused(421, "wrong_host", "the Host header names another machine")
        origin = headers.get("origin")
        if origin is not None and not _same_origin(origin, host):
            raise NodeRefused(403, "foreign_origin", "a page of another site may not ask this")

    def _caller(self, scope: Scope, headers: Headers) -> Caller:
        if self._local_only and not self._tokens.any():
            return LOCAL
        kind, _, text = headers.get("authorization", "").partition(" ")
        token = self._tokens.find(text.strip()) if kind.lower() == "bearer" else None
        if token is None:
            client = scope.get("client") or ("unknown", 0)
            self._spend(self._denied, str(client[0]))
            raise NodeRefused(
                401,
                "invalid_api_key",
                "a token is needed: Authorization: Bearer",
                next_command="r3 token create inference",
            )
        self._spend(self._rate, token.id)
        return Caller.of(token)

    def _spend(self, buckets: Buckets, key: str) -> None:
        wait_s = buckets.take(key)
        if wait_s:
            raise NodeRefused(429, "rate_limit_exceeded", "too many requests", retry_after_s=wait_s)

    def _check_scope(self, scope: Scope, caller: Caller) -> None:
        if caller.scope != "admin" and not is_for_inference(scope["method"], scope["path"]):
            raise NodeRefused(403, "admin_only", "this needs an admin token")

    # ------------------------------------------------------------------ bodies

    def _check_length(self, scope: Scope, headers: Headers) -> None:
        """By what the client says; what comes is counted as well."""
        given = headers.get("content-length")
        if given is None:
            return
        if not (given.isascii() and given.isdigit()) or len(given) > 18:
            raise NodeRefused(400, "bad_content_length", "content-length is not a number")
        limits = self._limits
        length_max = limits.upload_bytes_max if _is_upload(scope) else limits.body_bytes_max
        if int(given) > length_max:
            raise NodeRefused(413, "body_too_large", f"a body holds at most {length_max} bytes")

    async def _upload(self, scope: Scope, incoming: Incoming, answer: _Answer) -> None:
        """Counted as it passes. When it is refused on the way, the app is told that the client
        has left, and whatever it makes of that is replaced by the refusal."""
        guarded = Watched(incoming, self._limits)
        answer.overruled = lambda: guarded.refused is not None
        try:
            await self.app(scope, guarded.receive, answer.send)
        except Exception:
            if guarded.refused is None:
                raise
        if guarded.refused is not None and not answer.begun:
            raise guarded.refused

    def _write_audit(self, scope: Scope, caller: Caller | None, answer: _Answer) -> None:
        """One line for each call of an admin that may have changed something."""
        method, path = scope["method"], scope["path"]
        if self._audit is None or caller is None or method in READING_METHODS:
            return
        if caller.scope != "admin" or is_for_inference(method, path):
            return
        client = scope.get("client")
        self._audit(
            {
                "time": self._clock.now(),
                "request_id": answer.request_id,
                "method": method,
                "path": path,
                "status": answer.status,
                "token": caller.id,
                "name": caller.name,
                "client": client[0] if client else None,
            }
        )


class _Answer:
    """The way back: every answer gets our headers, none says that other origins may read it."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send, self.request_id = send, request_id
        self.begun = False
        self.status: int | None = None
        self.overruled: Callable[[], bool] = lambda: False

    async def send(self, message: Message) -> None:
        if self.overruled() and not self.begun:
            return  # the refusal is sent instead
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            for name in [name for name in headers if name.startswith("access-control-")]:
                del headers[name]
            for name, value in HEADERS.items():
                headers[name] = value
            headers["x-request-id"] = self.request_id
            headers.setdefault("cache-control", "no-store")
        await self._send(message)

    async def refuse(self, refused: NodeRefused) -> None:
        """Send a refusal, all but its end."""
        if self.begun:
            raise refused  # an answer is under way; the server breaks it off
        self.overruled = lambda: False
        body = json.dumps(fault_of(refused)).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if refused.status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b"Bearer"))
        if refused.retry_after_s is not None:
            headers.append((b"retry-after", str(math.ceil(refused.retry_after_s)).encode()))
        await self.send(
            {"type": "http.response.start", "status": refused.status, "headers": headers}
        )
        await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})


def is_for_inference(method: str, path: str) -> bool:
    """Whether an inference token reaches this."""
    known = path in INFERENCE_PATHS or path.startswith(INFERENCE_PREFIXES)
    return known and method in INFERENCE_METHODS


def _is_upload(scope: Scope) -> bool:
    path: str = scope["path"]
    return path == UPLOADS or path.startswith(f"{UPLOADS}/")


def _is_plain_path(path: str) -> bool:
    """No way up, no empty segment, no backslash, nothing unprintable."""
    segments = path.split("/")
    if segments[0] or not path.isprintable() or "\\" in path:
        return False
    return not any(part in (".", "..") for part in segments) and "" not in segments[1:-1]


def _same_origin(origin: str, host: str) -> bool:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()


def _check_json(body: bytes) -> None:
    if not is_utf8_json(body):
        raise NodeRefused(400, "bad_encoding", "the body is not UTF-8 JSON: it holds a zero byte")
    if is_deeper(body):
        raise NodeRefused(400, "too_deep", f"the JSON nests deeper than {DEPTH_MAX}")
