"""The language over HTTP: canon, check, encode, decode. One trace a request, in any regime."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field, StrictBool, StrictStr

from regime3.lang import codebook
from regime3.lang.codebook import Codebook
from regime3.lang.traces import Trace
from regime3.serve.node import Node
from regime3.serve.openai.schema import Closed, ModelName
from regime3.serve.refusals import refusals
from regime3.tasks import language

TERM_MAX, BODY_MAX = 1 << 16, 1 << 20
"""Characters of a problem and of a body."""

ProblemText = Annotated[StrictStr, Field(min_length=1, max_length=TERM_MAX)]
BodyText = Annotated[StrictStr, Field(max_length=BODY_MAX)]


class CanonRequest(Closed):
    """A problem, a step or a term."""

    text: ProblemText
    fingerprint: StrictBool = False


class TraceRequest(Closed):
    """A problem and a body in any regime; `model` says whose codes they are, else the shipped."""

    problem: ProblemText
    body: BodyText
    model: ModelName | None = None


class EncodeRequest(TraceRequest):
    """`names` prints codes by name, for people."""

    names: StrictBool = False


class DecodeRequest(TraceRequest):
    """`to`: what to write."""

    to: Literal["sexpr", "english", "terse"] = "sexpr"


def router(node: Node) -> APIRouter:
    """All four, beside the engine: none of them needs a model."""
    routes = APIRouter(prefix="/lang", tags=["language"])

    def book_of(model: str | None) -> Codebook:
        found = None if model is None else node.book(node.resolve(model))
        return found or codebook.shipped()

    @routes.post("/canon", responses=refusals())
    async def canon(body: CanonRequest) -> dict[str, Any]:
        """Canonical form, and a problem's fingerprint."""
        return await asyncio.to_thread(language.canonical, body.text, body.fingerprint)

    @routes.post("/check", responses=refusals(404, 503))
    async def check(body: TraceRequest) -> dict[str, Any]:
        """The checker's verdict: the first bad step and why."""
        return await asyncio.to_thread(language.checked, _trace(body), book_of(body.model))

    @routes.post("/encode", responses=refusals(404, 503))
    async def encode(body: EncodeRequest) -> dict[str, Any]:
        """A body as codes."""
        book = book_of(body.model)
        return await asyncio.to_thread(language.encoded, _trace(body), book, body.names)

    @routes.post("/decode", responses=refusals(404, 503))
    async def decode(body: DecodeRequest) -> dict[str, Any]:
        """Codes as S-expressions or English."""
        book = book_of(body.model)
        return await asyncio.to_thread(language.decoded, _trace(body), book, body.to)

    return routes


def _trace(body: TraceRequest) -> Trace:
    return Trace(1, body.problem, body.body)
