"""Acting from the page: a session of a control token, and one route for everything that is done.

    POST /api/session  {"token": "r3c_..."}    leaves a cookie that scripts cannot read; "" ends it
    GET  /api/session                          whether this browser may act
    POST /api/act      `regime3.acting.Act`    what became of it, and the act that takes it back

The guard has looked at origin, type and size before, and says who may act.
"""

from __future__ import annotations

from typing import Any

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from regime3.acting import Act, act
from regime3.config import Settings
from regime3.errors import InputRefused, Regime3Error
from regime3.paths import Lab
from regime3.tokens import TokenFile
from regime3.web.guard import BODY_BYTES_MAX, CONTROL_COOKIE

SESSION_S = 30 * 86400
_read = msgspec.json.Decoder(Act).decode


class Acts:
    """The routes of one lab."""

    def __init__(self, lab: Lab, settings: Settings, tokens: TokenFile) -> None:
        self.lab, self.settings, self.tokens = lab, settings, tokens

    async def session(self, request: Request) -> Response:
        """Whether this browser may act; with a POST, begin or end."""
        if request.method != "POST":
            return JSONResponse({"control": request.scope["control"]})
        try:
            body = msgspec.json.decode(await body_of(request), type=dict[str, str])
        except msgspec.MsgspecError:
            return JSONResponse({"error": 'want {"token": "..."}'}, 400)
        text = body.get("token", "")
        if not text:
            answer = JSONResponse({"control": False})
            answer.delete_cookie(CONTROL_COOKIE, path="/")
            return answer
        token = self.tokens.find(text)
        if token is None or token.scope != "control":
            told = "that is no token that may act" if token is None else "that token may only look"
            return JSONResponse({"error": told, "next": "r3 token create control"}, 403)
        answer = JSONResponse({"control": True})
        answer.set_cookie(
            CONTROL_COOKIE, text, SESSION_S, path="/", httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    async def act(self, request: Request) -> Response:
        """Do one thing."""
        if not request.scope["control"]:
            told = {"error": "a control token is needed", "next": "r3 token create control"}
            return JSONResponse(told, 403)
        try:
            wanted = _read(await body_of(request))
        except msgspec.MsgspecError as error:
            return JSONResponse({"error": f"no act: {error}", "next": None}, 400)
        try:
            done = await anyio.to_thread.run_sync(act, self.lab, self.settings, wanted)
        except Regime3Error as refused:
            status = 409 if isinstance(refused, InputRefused) else 503
            return JSONResponse({"error": refused.message, "next": refused.next_command}, status)
        return Response(msgspec.json.encode(done), media_type="application/json")


async def body_of(request: Request) -> Any:
    """The guard has read its length; a body that is longer all the same is cut."""
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > BODY_BYTES_MAX:
            break
    return data
