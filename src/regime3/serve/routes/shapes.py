"""What the node's routes share with their schema: error bodies, as OpenAI's clients read them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


class ErrorDetail(BaseModel):
    """Why not."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """The body of every refusal."""

    error: ErrorDetail


_MEANING = {
    400: "The request cannot be meant so",
    401: "No token, or one that may not",
    403: "Not from here",
    404: "There is none of that name",
    405: "Not with this method",
    408: "The sender is too slow",
    409: "Something stands against it now",
    412: "Another version of the protocol",
    413: "Too large",
    415: "Another content type",
    422: "Understood, and refused",
    429: "Too many at a time",
    503: "Not now",
    507: "The disk is full",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route; what the guard may answer is always among them."""
    always = {400, 401, 403, 413, 422}
    return {
        status: {"model": ErrorBody, "description": _MEANING[status]}
        for status in sorted(always | set(statuses))
    }
