"""The guard before every route: host, method, token, and the headers of every answer.

On loopback the Host header must name loopback, so that no other site's page can reach the lab
through a name of its own (DNS rebinding). On any other address every request needs the token:
`Authorization: Bearer`, or `?token=` once, which leaves a cookie. It knows no route: what is
added later is guarded too.
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

COOKIE = "regime3"
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
    """ASGI middleware around the whole app."""

    def __init__(self, app: ASGIApp, web: Web) -> None:
        self.app = app
        self._open = is_loopback(web.host)
        self._names = names_of(web.host)
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
        fresh = self._cookie if not self._open and self._in_query(scope) else None
        await self.app(scope, receive, _dressed(send, fresh))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and reason to refuse with, or None."""
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "this page only shows; use r3 to act"
        if not host_allowed(headers.get("host", ""), self._names, self._open):
            return 421, "the Host header names another machine"
        if len(scope["query_string"]) > QUERY_BYTES_MAX:
            return 414, "the query is too long"
        if not self._open and not self._token_given(scope, headers):
            return 401, "a token is needed: open /?token=... with web.token of regime3.toml"
        return None

    def _token_given(self, scope: Scope, headers: Headers) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and hmac.compare_digest(_digest(bearer.strip()), self._token):
            return True
        return self._in_cookie(headers) or self._in_query(scope)

    def _in_cookie(self, headers: Headers) -> bool:
        try:
            cookie = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        value = cookie[COOKIE].value if COOKIE in cookie else ""
        return hmac.compare_digest(value.encode(), self._cookie.encode())

    def _in_query(self, scope: Scope) -> bool:
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        return hmac.compare_digest(_digest(given), self._token)


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
