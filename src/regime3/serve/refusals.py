"""How a refusal looks in the OpenAPI document: the same for every route."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Refusal(BaseModel):
    """Why the node says no."""

    model_config = ConfigDict(extra="forbid")

    message: str
    type: str
    param: str | None
    code: str | None


class RefusalBody(BaseModel):
    """OpenAI's shape of an error."""

    model_config = ConfigDict(extra="forbid")

    error: Refusal


REASONS = {
    400: "The request is malformed, or a field is out of bounds.",
    401: "A token is needed.",
    403: "The token may not do this, or a page of another site asks.",
    404: "There is no such thing.",
    405: "Not with this method.",
    408: "The body did not come in time.",
    409: "Not in the state that things are in.",
    412: "Another version of the protocol.",
    413: "The body is too large.",
    415: "Another content type.",
    414: "The path or the query is too long.",
    421: "The Host header names another machine.",
    422: "Understood, and refused.",
    429: "Too many requests; Retry-After says when.",
    431: "Too many headers, or too long.",
    503: "Not now; Retry-After says when.",
    507: "The disk is full.",
}
BY_THE_GUARD = (400, 401, 403, 408, 413, 414, 421, 429, 431)


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route: what the guard may answer, and these."""
    return {
        status: {"model": RefusalBody, "description": REASONS[status]}
        for status in sorted({*BY_THE_GUARD, *statuses})
    }
