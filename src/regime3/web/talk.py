"""Talking to the node's models from the page: what is said goes to the node, its stream comes back.

    POST /api/chat   `Ask`; the node's own server-sent events, or {"error", "next"}
    GET  /api/lab/problem?family=&level=   a held-out problem to pose

It costs the node time, so it wants a control token. Nothing is kept.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any, Final, Literal

import httpx
import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from regime3 import tasks
from regime3.client import node_address
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.tasks.rows import ENGLISH, row
from regime3.web.acts import body_of

TURNS_MAX: Final = 40
CONNECT_S_MAX: Final = 3.0
SILENCE_S_MAX: Final = 120.0
INDEX_FIRST, INDEX_MAX = 1_000_000, 2_000_000
"""Beyond everything that the judge and the benchmarks ask."""


class Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that was said."""

    role: Literal["user", "assistant"]
    content: str


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page may ask of a model; `regime` None: as it likes, without the checker."""

    model: str
    messages: list[Turn]
    regime: Literal[1, 2, 3] | None = None
    problem: str | None = None
    temperature: float = 0.0


_read = msgspec.json.Decoder(Ask).decode


class Talk:
    """The routes of one lab."""

    def __init__(self, lab: Lab, settings: Settings) -> None:
        self.lab, self.settings = lab, settings

    async def chat(self, request: Request) -> Response:
        """One reply, as it is written. A browser that goes away ends the writing."""
        if not request.scope["control"]:
            return _refusal(403, "a control token is needed", "r3 token create control")
        try:
            asked = _read(await body_of(request))
        except msgspec.MsgspecError as error:
            return _refusal(400, f"nothing that can be asked: {error}", None)
        if not 0 < len(asked.messages) <= TURNS_MAX:
            return _refusal(400, f"want 1 to {TURNS_MAX} turns", None)
        try:
            address, token = node_address(self.lab, self.settings)
        except Unavailable as problem:
            return _refusal(503, problem.message, problem.next_command)
        return await _passed_on(address, token, asked)


async def _passed_on(address: str, token: str, asked: Ask) -> Response:
    """The node's answer; its refusals in our words."""
    told = {key: value for key, value in msgspec.to_builtins(asked).items() if value is not None}
    client = httpx.AsyncClient(
        base_url=address,
        headers={"authorization": f"Bearer {token}"} if token else {},
        timeout=httpx.Timeout(SILENCE_S_MAX, connect=CONNECT_S_MAX),
    )
    try:
        question = client.build_request(
            "POST", "/v1/chat/completions", json=told | {"stream": True}
        )
        answer = await client.send(question, stream=True)
        if answer.status_code != 200:
            await answer.aread()
            await client.aclose()
            return _refusal(409, _said(answer), None)
    except httpx.HTTPError as error:
        await client.aclose()
        return _refusal(503, f"no node answers: {type(error).__name__}", "r3 node")

    async def pieces() -> AsyncIterator[bytes]:
        try:
            async for piece in answer.aiter_raw():
                yield piece
        except httpx.HTTPError as error:
            reason = f"the node broke off: {type(error).__name__}"
            yield b"data: " + msgspec.json.encode({"error": {"message": reason}}) + b"\n\n"
        finally:
            await answer.aclose()
            await client.aclose()

    return StreamingResponse(pieces(), media_type="text/event-stream")


def _said(answer: httpx.Response) -> str:
    """Why the node refused."""
    try:
        return str(answer.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"the node answers {answer.status_code}"


def _refusal(status: int, reason: str, command: str | None) -> Response:
    return JSONResponse({"error": reason, "next": command}, status)


def problem(family: str, level: int) -> dict[str, Any]:
    """A held-out problem that nobody asks otherwise: its prompt, its terms, the oracle's answer."""
    index = random.randrange(INDEX_FIRST, INDEX_MAX)
    made = row(tasks.sample(family, level, "heldout", index), ENGLISH, codebook.shipped())
    last = made["messages"][-1]
    golden = "\n".join(part for part in (last.get("reasoning_content"), last["content"]) if part)
    return {
        "family": family,
        "level": level,
        "prompt": made["messages"][1]["content"],
        "problem": made["problem"],
        "golden": golden,
    }
