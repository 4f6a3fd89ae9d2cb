"""The OpenAI routes: `/v1/models`, completions of both kinds, and the tokenizer's three."""

from __future__ import annotations

import contextlib
from typing import Any

from fastapi import APIRouter, Request, Response

from regime3.errors import NodeRefused
from regime3.model.profile import Profile
from regime3.records.models import DEFAULT
from regime3.records.wire import Prompt
from regime3.serve.node import Node
from regime3.serve.openai import sse
from regime3.serve.openai.asking import Gone, check_samples, first_told, unless_gone
from regime3.serve.openai.chat import Chat
from regime3.serve.openai.completions import Completion
from regime3.serve.openai.schema import (
    ChatRequest,
    CompletionRequest,
    DetokenizeRequest,
    ModelName,
    TokenizeRequest,
)
from regime3.serve.refusals import refusals

STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The whole answer, or with `stream` its pieces as server-sent events.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/event-stream": {},
        },
    }
}
CLOSED_REQUEST = 499
"""The status of an answer that nobody reads; it only shows in metrics."""


def router(node: Node) -> APIRouter:
    """All of them, over one node."""
    routes = APIRouter(tags=["openai"])
    _models(routes, node)
    _chat(routes, node)
    _completions(routes, node)
    _tokenizer(routes, node)
    return routes


def _models(routes: APIRouter, node: Node) -> None:
    @routes.get("/v1/models", responses=refusals())
    async def models() -> dict[str, Any]:
        """Models that answer now, and the aliases that name them."""
        return {"object": "list", "data": [_card(node, name) for name in node.names()]}

    @routes.get("/v1/models/{model:path}", responses=refusals(404))
    async def model(model: str) -> dict[str, Any]:
        """One of them."""
        node.resolve(model)
        return _card(node, model)


def _card(node: Node, name: str) -> dict[str, Any]:
    loaded = node.resolve(name)
    card = node.link.cards[loaded]
    return {
        "id": name,
        "object": "model",
        "created": int(node.began),
        "owned_by": "regime3",
        "root": loaded,
        "max_model_len": card.context_window,
        "codebook": card.codebook,
    }


def _chat(routes: APIRouter, node: Node) -> None:
    @routes.post(
        "/v1/chat/completions", response_model=None, responses=STREAMED | refusals(404, 429, 503)
    )
    async def chat(body: ChatRequest, request: Request) -> Response | dict[str, Any]:
        """Continue a conversation; in any regime, as a stream or whole."""
        count = check_samples(body, node.settings.node.samples_max)
        model = node.resolve(body.model)
        asked = Chat(body, node.link, model, Profile(node.settings.examples), node.book(model))
        if not body.stream:
            with node.gate.entered(count), contextlib.suppress(Gone):
                return await unless_gone(request, asked.whole())
            return Response(status_code=CLOSED_REQUEST)
        node.gate.enter(count)
        try:
            tells = node.link.stream(asked.ask())
            begun = await unless_gone(request, first_told(tells))
        except BaseException as error:
            node.gate.leave(count)
            if isinstance(error, Gone):
                return Response(status_code=CLOSED_REQUEST)
            raise
        return sse.response(
            node.leaving(count, asked.events(tells, begun, node.settings.node.stream_ms / 1000))
        )


def _completions(routes: APIRouter, node: Node) -> None:
    @routes.post(
        "/v1/completions", response_model=None, responses=STREAMED | refusals(404, 429, 503)
    )
    async def completions(body: CompletionRequest, request: Request) -> Response | dict[str, Any]:
        """Continue prompts; with `echo` and `logprobs` they are scored."""
        limits = node.settings.node
        check_samples(body, limits.samples_max)
        asked = Completion(body, node.link, node.resolve(body.model))
        if len(asked.prompts) > limits.prompts_max:
            raise NodeRefused(
                400,
                "too_many_prompts",
                f"{len(asked.prompts)} prompts; at most {limits.prompts_max} are taken",
                param="prompt",
            )
        if not body.stream:
            with node.gate.entered(asked.samples), contextlib.suppress(Gone):
                return await unless_gone(request, asked.whole())
            return Response(status_code=CLOSED_REQUEST)
        node.gate.enter(asked.samples)
        try:
            streams = await unless_gone(request, asked.begin())
        except BaseException as error:
            node.gate.leave(asked.samples)
            if isinstance(error, Gone):
                return Response(status_code=CLOSED_REQUEST)
            raise
        events = asked.events(streams, limits.stream_ms / 1000)
        return sse.response(node.leaving(asked.samples, events))


def _tokenizer(routes: APIRouter, node: Node) -> None:
    @routes.post("/tokenize", responses=refusals(404, 503))
    async def tokenize(body: TokenizeRequest) -> dict[str, Any]:
        """A text or a conversation as token ids."""
        if (body.prompt is None) == (body.messages is None):
            raise NodeRefused(
                400, "invalid_value", "give either prompt or messages", param="prompt"
            )
        model = node.resolve(body.model)
        messages = None
        if body.messages is not None:
            messages = [message.plain() for message in body.messages]
        found = await node.link.tokenize(model, Prompt(text=body.prompt, messages=messages))
        return {
            "count": len(found.ids),
            "max_model_len": node.link.cards[model].context_window,
            "tokens": found.ids,
            "token_strs": found.texts if body.return_token_strs else None,
        }

    @routes.post("/detokenize", responses=refusals(404, 503))
    async def detokenize(body: DetokenizeRequest) -> dict[str, Any]:
        """The text of token ids."""
        return {"prompt": await node.link.detokenize(node.resolve(body.model), list(body.tokens))}

    @routes.get("/tokenizer_info", responses=refusals(404, 503))
    async def tokenizer_info(model: ModelName = DEFAULT) -> dict[str, Any]:
        """What clients that render prompts themselves need to know."""
        card = node.link.cards[node.resolve(model)]
        return {
            "model": card.name,
            "vocab_size": card.vocabulary,
            "max_model_len": card.context_window,
            "bos_token": card.bos_token,
            "eos_token": card.eos_token,
            "pad_token": card.pad_token,
            "chat_template": card.chat_template,
        }
