"""One model in memory: weights, tokenizer, template, and the loop that runs its requests.

    resident = Resident.load(name, folder, settings, device)    # in any thread
    resident.start(slots, told)                                 # in the engine's
    resident.submit(ask, order)

It turns asks into token ids and refuses those that cannot be answered. The loop does the rest.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import psutil
import torch

from regime3.config import Settings
from regime3.engine.base import context_exceeded
from regime3.engine.batch import Batch
from regime3.engine.forward import Forward
from regime3.engine.guides import Guides
from regime3.engine.loop import Loop
from regime3.engine.pool import Pool
from regime3.engine.sequence import Request, Sequence, key_of
from regime3.engine.slots import Slots
from regime3.engine.spelling import Spelling
from regime3.engine.telling import Telling
from regime3.engine.text import TextStream
from regime3.errors import InputRefused, ModelError, NodeRefused
from regime3.model.chat import ChatRenderer
from regime3.model.codebooks import codebook_of
from regime3.model.content import PlainContent
from regime3.model.generate import end_ids
from regime3.model.load import load_model, load_tokenizer
from regime3.records import wire
from regime3.records.rows import Message

POOL_SHARE = 0.5
"""Of the memory that is free when a model has been loaded: a second model needs room too."""
POOL_TOKENS_LEAST = 1 << 12


class Resident:
    """A model that is held. Made by `load`; `start` before anything is submitted."""

    def __init__(
        self, name: str, folder: Path, model: Any, tokenizer: Any, settings: Settings
    ) -> None:
        self.name, self.folder, self.settings = name, folder, settings
        self.model, self.tokenizer = model, tokenizer
        self.device = next(model.parameters()).device
        self.book = codebook_of(folder)
        self.forward = Forward(model, Pool(settings.node.slots, 0, self.device))
        self.renderer: ChatRenderer | None = None
        self.no_template = ""
        try:
            self.renderer = ChatRenderer(tokenizer, settings.examples, self.forward.context)
            self.content = PlainContent(tokenizer, self.renderer)
        except ModelError as error:
            self.no_template = str(error).partition("\n")[0]
        self.ends = end_ids(model, tokenizer)
        if self.renderer is not None:
            self.ends.add(self.renderer.template.end_id)
        self.guides = Guides(
            tokenizer,
            self.renderer,
            self.book,
            settings.examples,
            self.ends,
            self.forward.vocabulary,
        )
        self.spelling = Spelling(tokenizer)
        self.requests: dict[int, Request] = {}
        self.loop: Loop
        self.leaves_s: float | None = None
        """When its requests are cut off; None: it stays."""
        self.leaving: int = 0
        """The ask that unloads it."""

    @classmethod
    def load(cls, name: str, folder: Path, settings: Settings, device: torch.device) -> Resident:
        """Read and warm up. Raises `ModelError`, and what torch raises when memory runs out."""
        kind = settings.node.dtype
        if kind == "auto":
            kind = "bfloat16" if device.type == "cuda" else "float32"
        tokenizer = load_tokenizer(folder)
        if settings.model.attention == "flash_attention_2":
            # It takes no 4D masks; sdpa is as fast for one token a row.
            settings = replace(settings, model=replace(settings.model, attention="sdpa"))
        model = load_model(folder, settings, dtype=getattr(torch, kind), device=device)
        resident = cls(name, folder, model.eval(), tokenizer, settings)
        return resident

    def warm(self) -> None:
        """One forward, so that the first request finds everything in place."""
        pool = self.forward.pool
        pool.tokens_max = POOL_TOKENS_LEAST
        pool.fit(1, 8)
        self.forward.fill([0], [[0] * 4], [0], every=False)
        pool.tokens_max = self.settings.node.pool_tokens or self._pool_tokens()
        pool.drop()

    def start(self, slots: Slots, told: list[wire.AnyTell]) -> None:
        """Make the loop, whose tells go to `told`."""
        batch = Batch(slots.total)
        stream_s = self.settings.node.stream_ms / 1e3
        telling = Telling(batch, self.forward.vocabulary, self.ends, self.spelling, stream_s, told)
        self.loop = Loop(self.forward, telling, slots, self.forward.pool.tokens_max)

    def _pool_tokens(self) -> int:
        """Tokens whose keys and values fit into a share of what memory is free."""
        pool = self.forward.pool
        if self.device.type == "cuda":
            total = torch.cuda.get_device_properties(self.device).total_memory
            free = total * self.settings.node.memory_share
            free = min(
                free - torch.cuda.memory_allocated(self.device), torch.cuda.mem_get_info()[0]
            )
        else:
            free = float(psutil.virtual_memory().available)
        return max(POOL_TOKENS_LEAST, int(POOL_SHARE * free / pool.token_bytes))

    @property
    def card(self) -> wire.ModelCard:
        """What to say of it."""
        tokenizer = self.tokenizer
        template = tokenizer.chat_template
        return wire.ModelCard(
            self.name,
            sum(each.numel() for each in self.model.parameters()),
            self.forward.context,
            self.forward.vocabulary,
            str(self.forward.dtype).removeprefix("torch."),
            str(self.device),
            None if self.book is None else self.book.name,
            tokenizer.bos_token,
            tokenizer.eos_token,
            tokenizer.pad_token,
            template if isinstance(template, str) else None,
        )

    # ----------------------------------------------------------------------------- requests

    def submit(self, ask: wire.Generate, order: int) -> None:
        """Let a request wait for the batch. Raises `NodeRefused`."""
        self._check(ask)
        ids = self.ids_of(ask.prompt)
        reply = self._reply(ask.prompt)
        ids += reply
        room = self.forward.context - len(ids)
        wanted = ask.max_tokens if ask.max_tokens is not None else max(room, 1)
        if wanted > room:
            param = "messages" if ask.prompt.messages is not None else "prompt"
            raise context_exceeded(len(ids), wanted, self.forward.context, param)
        request = Request(ask, ids, wanted, order, len(reply))
        seed = secrets.randbits(63) if ask.sampling.seed is None else ask.sampling.seed
        sequences = []
        for index in range(ask.n if wanted else 1):
            stream = TextStream(self.decode, ask.stop)
            guide = self.guides.of(ask, wanted)
            sequences.append(Sequence(request, index, key_of(seed, index), stream, guide))
        request.left = set(sequences)
        self.loop.add(sequences)
        self.requests[ask.id] = request

    def cancel(self, number: int) -> None:
        """Forget a request."""
        if self.requests.pop(number, None) is not None:
            self.loop.forget(number)

    def sweep(self) -> None:
        """Forget requests that are done."""
        done = self.loop.telling.done
        for request in done:
            self.requests.pop(request.ask.id, None)
        done.clear()

    def _check(self, ask: wire.Generate) -> None:
        sampling, vocabulary = ask.sampling, self.forward.vocabulary
        if ask.n < 1 or (ask.max_tokens or 0) < 0:
            raise bad("n is at least 1 and max_tokens at least 0", "n")
        if sampling.temperature < 0 or not 0 < sampling.top_p <= 1 or sampling.top_k < 0:
            raise bad("temperature is 0 or more, top_p in (0, 1], top_k 0 or more", "temperature")
        if any(not 0 <= token < vocabulary for token in sampling.logit_bias):
            raise bad(f"logit_bias is of token ids below {vocabulary:,}", "logit_bias")
        for top in (ask.logprobs, ask.prompt_logprobs):
            if top is not None and not 0 <= top <= vocabulary:
                raise bad(f"so many log-probabilities do not exist: {top}", "logprobs")

    # ------------------------------------------------------------------------------- tokens

    def ids_of(self, prompt: wire.Prompt) -> list[int]:
        """A prompt's token ids. Raises `NodeRefused`."""
        if prompt.ids is not None:
            ids = prompt.ids
            if any(not 0 <= each < self.forward.vocabulary for each in ids):
                raise bad(f"token ids lie below {self.forward.vocabulary:,}", "prompt")
        elif prompt.messages is not None:
            ids = self._rendered(prompt.messages, prompt.thinking)
        else:
            ids = self.tokenizer(prompt.text or "")["input_ids"] or self._start_ids()
        if not ids:
            raise bad("a prompt has at least one token", "prompt")
        return list(ids)

    def _start_ids(self) -> list[int]:
        """What stands for an empty text."""
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return [token]
        return []

    def _rendered(self, messages: list[dict[str, Any]], thinking: bool | None) -> list[int]:
        if self.renderer is None:
            raise NodeRefused(400, "no_chat_template", self.no_template, param="messages")
        if not messages:
            raise bad("there are no messages", "messages")
        try:
            chat = [msgspec.convert(_plain(each), Message) for each in messages]
            return self.content.prompt_ids(chat, thinking=thinking is not False)
        except (msgspec.ValidationError, InputRefused) as error:
            message = str(error).partition("\n")[0]
            raise NodeRefused(400, "invalid_messages", message, param="messages") from None

    def _reply(self, prompt: wire.Prompt) -> list[int]:
        """The tokens of a reply that comes with the messages."""
        if prompt.completion is None:
            return []
        if prompt.messages is None or self.renderer is None:
            raise bad("a completion follows messages", "completion")
        return self.renderer.completion_ids(
            prompt.completion, thinking=prompt.thinking is not False
        )

    def decode(self, ids: list[int]) -> str:
        """Tokens as text, control tokens included."""
        text: str = self.tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False)
        return text


def bad(message: str, param: str) -> NodeRefused:
    """A request that cannot be meant so."""
    return NodeRefused(400, "invalid_request", message, param=param)


def _plain(message: dict[str, Any]) -> dict[str, Any]:
    """A message of OpenAI's kind as one of ours: text parts joined, unknown fields left out."""
    if not isinstance(message, dict):
        raise InputRefused("a message is an object")
    content = message.get("content")
    if isinstance(content, list):
        parts = [each.get("text") if isinstance(each, dict) else None for each in content]
        if not all(isinstance(each, str) for each in parts):
            raise InputRefused("only text can be read here")
        content = "".join(map(str, parts))
    role = "system" if message.get("role") == "developer" else message.get("role")
    found = {"role": role, "content": "" if content is None else content}
    if message.get("reasoning_content"):
        found["reasoning_content"] = message["reasoning_content"]
    return found


def timed(began: float) -> float:
    """Seconds since."""
    return time.monotonic() - began
