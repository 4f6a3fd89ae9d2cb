"""Every refusal as the OpenAI clients read it: `{"error": {message, type, param, code}}`.

Whatever a request is, the answer is a status that says whose fault it was and a sentence; never a
stack trace. What is not foreseen here is our own bug: 500, logged with its trace.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from regime3.errors import DiskFull, NodeRefused, Regime3Error, Unavailable

SHOWN_MAX = 300
"""Characters of what was sent that an error repeats."""

log = logging.getLogger("regime3.node")

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "service_unavailable_error",
    507: "insufficient_storage_error",
}


def fault(
    status: int, code: str, message: str, param: str | None = None
) -> dict[str, dict[str, str | None]]:
    """The body itself."""
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def fault_of(refused: NodeRefused) -> dict[str, dict[str, str | None]]:
    """The body of a refusal, with the command to type next where there is one."""
    message = refused.message
    if refused.next_command is not None:
        message += f" (next: {refused.next_command})"
    return fault(refused.status, refused.code, message, refused.param)


def _place(location: Sequence[str | int]) -> str:
    """The field at fault, as `messages.0.role`; pydantic's names for branches of a union end it."""
    found = []
    for each in location[1:]:  # the first says where: body, path, query
        if not str(each).isidentifier() and not isinstance(each, int):
            break
        found.append(str(each))
    return ".".join(found)


def answer(error: Regime3Error) -> JSONResponse:
    """The answer that an error of ours amounts to."""
    if isinstance(error, NodeRefused):
        headers = {}
        if error.retry_after_s is not None:
            headers["retry-after"] = str(max(1, round(error.retry_after_s)))
        body = fault_of(error)
        return JSONResponse(body, error.status, headers)
    if isinstance(error, DiskFull):
        return JSONResponse(fault(507, "disk_full", error.message), 507)
    if isinstance(error, Unavailable):
        return JSONResponse(fault(503, "unavailable", error.message), 503, {"retry-after": "5"})
    return JSONResponse(fault(400, "refused", error.message), 400)


def install(app: FastAPI) -> None:
    """Give an app these answers."""

    @app.exception_handler(Regime3Error)
    async def ours(_: Request, error: Regime3Error) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = _place(first["loc"])
        message = f"{place}: {first['msg']}" if place else str(first["msg"])
        return JSONResponse(fault(400, "invalid_value", message[:SHOWN_MAX], place or None), 400)

    @app.exception_handler(HTTPException)
    async def unrouted(request: Request, error: HTTPException) -> JSONResponse:
        message = str(error.detail)
        if error.status_code == 404:
            message = f"there is no {request.method} {request.url.path[:SHOWN_MAX]}"
        code = {404: "no_such_route", 405: "method_not_allowed"}.get(error.status_code, "refused")
        return JSONResponse(
            fault(error.status_code, code, message), error.status_code, error.headers
        )

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s", request.method, request.url.path, exc_info=error)
        body = fault(500, "bug", f"a bug of the node's: {type(error).__name__}; its log has more")
        return JSONResponse(body, 500)
