"""The guard before every route: host, method, token, and the headers of every answer.

On loopback the Host header must name loopback, so that no other site's page can reach the lab
through a name of its own (DNS rebinding). On any other address every request needs a token:
`web.token`, or one of `r3 token create view|control`, as `Authorization: Bearer` or as `?token=`
once, which leaves a cookie. It knows no route but those that act: they take a POST of JSON from
our own pages alone (Origin), and a `control` token on every address.
"""

from __future__ import annotations

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from regime3.config import Web
from regime3.errors import SettingsError
from regime3.exposure import host_allowed, is_loopback, names_of
from regime3.tokens import TokenFile

COOKIE = "regime3"
CONTROL_COOKIE = "regime3-control"
ACTING = ("/api/session", "/api/act", "/api/chat")
BODY_BYTES_MAX = 32_768
TOKEN_CHARACTERS_MIN = 16
QUERY_BYTES_MAX = 4096
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def check_exposure(web: Web) -> None:
    """Raises SettingsError when the page would be open to others without a token."""
    if is_loopback(web.host):
        return
    if not web.token:
        raise SettingsError(
            "web.host",
            f"{web.host} can be reached by others and web.token is empty",
            'Set web.token to a long random text, or web.host = "127.0.0.1"',
        )
    if len(web.token) < TOKEN_CHARACTERS_MIN:
        raise SettingsError(
            "web.token",
            f"a token of {len(web.token)} characters can be guessed",
            f"Use at least {TOKEN_CHARACTERS_MIN} characters",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(b"regime3 cookie " + text.encode()).hexdigest()


class Guard:
    """ASGI middleware around the whole app. Sets `scope["control"]`: whether the asker may act."""

    def __init__(self, app: ASGIApp, web: Web, tokens: TokenFile) -> None:
        self.app = app
        self._open = is_loopback(web.host)
        self._names = names_of(web.host)
        self._tokens = tokens
        # Only digests are kept and compared: equal time, whatever the texts' length.
        self._token, self._cookie = _digest(web.token), _digest(_digest(web.token))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, reason = refusal
            await JSONResponse({"error": reason}, status)(scope, receive, _dressed(send, None))
            return
        # The token in the address is answered with a cookie, so that it need not stay there.
        given = _in_query(scope)
        fresh = None
        if not self._open and given:
            fresh = self._cookie if self._is_ours(given) else given
        await self.app(scope, receive, _dressed(send, fresh))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and reason to refuse with, or None."""
        acts = scope["path"] in ACTING
        if scope["method"] not in ("GET", "HEAD") and not (acts and scope["method"] == "POST"):
            return 405, "this page only shows; use r3 to act"
        if not host_allowed(headers.get("host", ""), self._names, self._open):
            return 421, "the Host header names another machine"
        if len(scope["query_string"]) > QUERY_BYTES_MAX:
            return 414, "the query is too long"
        scopes = self._scopes(scope, headers)
        scope["control"] = "control" in scopes
        if not self._open and not scopes:
            return 401, "a token is needed: open /?token=... with web.token of regime3.toml"
        return _foreign(scope, headers) if scope["method"] == "POST" else None

    def _scopes(self, scope: Scope, headers: Headers) -> set[str]:
        """What the tokens given are good for."""
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        cookies = _cookies(headers)
        given = [
            _in_query(scope),
            *cookies,
            *([bearer.strip()] if kind.lower() == "bearer" else []),
        ]
        found = {token.scope for text in given if text and (token := self._tokens.find(text))}
        ours = any(self._is_ours(text) for text in given if text not in cookies)
        if ours or any(
            hmac.compare_digest(text.encode(), self._cookie.encode()) for text in cookies
        ):
            found.add("view")
        return set(found)

    def _is_ours(self, text: str) -> bool:
        """Whether it is `web.token`."""
        return hmac.compare_digest(_digest(text), self._token)


def _foreign(scope: Scope, headers: Headers) -> tuple[int, str] | None:
    """Why a POST is none of our own pages', or too much."""
    origin = headers.get("origin", "")
    if origin != f"{scope['scheme']}://{headers.get('host', '')}":
        return 403, "only the lab's own pages may act (the Origin header names another)"
    if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return 415, "want application/json"
    length = headers.get("content-length", "")
    if not length.isdigit() or len(length) > 9 or int(length) > BODY_BYTES_MAX:
        return 413, f"at most {BODY_BYTES_MAX} bytes, with a content-length"
    return None


def _cookies(headers: Headers) -> list[str]:
    try:
        cookie = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return []
    return [cookie[name].value for name in (COOKIE, CONTROL_COOKIE) if name in cookie]


def _in_query(scope: Scope) -> str:
    found: list[str] = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])
    return found[0]


def _dressed(send: Send, cookie: str | None) -> Send:
    """`send` that adds our headers, and the cookie when there is one to set."""

    async def send_dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
            if cookie is not None:
                headers.append(
                    "set-cookie", f"{COOKIE}={cookie}; HttpOnly; SameSite=Strict; Path=/"
                )
        await send(message)

    return send_dressed
