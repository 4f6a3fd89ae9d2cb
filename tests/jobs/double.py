"""A double of the engine that answers at once and the same for ever, as it is told to.

It knows the reference of every problem that it was shown (`learn`) and answers by the manner of
the model: right, wrong, garbage; a share of the attempts, drawn by key; or not at all.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from regime3.config import Settings
from regime3.errors import NodeRefused
from regime3.jobs.record import Bound
from regime3.jobs.sets import drawn
from regime3.lang import codebook
from regime3.model.profile import Profile
from regime3.records.answers import Whole, Written
from regime3.records.rows import Message
from regime3.records.wire import Begun, Finished, Generate, Piece, TokenScore

PROFILE = Profile(Settings().examples)
MANNERS = ("right", "wrong", "garbage", "mixed")


def models(*names: str) -> FakeModels:
    return FakeModels({name: bound(name) for name in names or MANNERS})


def bound(name: str, content: str = "") -> Bound:
    digest = hashlib.sha256((name + content).encode()).hexdigest()
    return Bound(name, f"{name}-id", digest)


@dataclass
class FakeModels:
    """Names, and the ids behind them, to models."""

    known: dict[str, Bound]

    async def resolve(self, name: str) -> Bound:
        for alias, found in self.known.items():
            if name in (alias, found.model):
                return found
        raise NodeRefused(404, "model_not_found", f"there is no model {name}", param="model")


@dataclass
class FakeEngine:
    """Keeps `Completes`. `before` is asked before each answer and may refuse or wait."""

    before: Callable[[Generate], Any] | None = None
    delay_s: float = 0.0
    replies: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    """By the model and the last message."""
    asks: list[Generate] = field(default_factory=list)
    running: int = 0
    running_max: int = 0
    cancelled: int = 0

    def learn(self, family: str, levels: list[int], split: Any, count: int) -> FakeEngine:
        book = codebook.shipped()
        for level in levels:
            for index in range(count):
                for regime in (1, 2, 3):
                    posed = drawn(family, level, split, index, regime, book)
                    self.teach(posed.row)
        return self

    def teach(self, row: dict[str, Any]) -> None:
        said = row["messages"][-1]
        reply = Message("assistant", said["content"], said.get("reasoning_content"))
        self.replies[_key(row["messages"][:-1])] = PROFILE.completion(reply, "", 0)[0]

    async def complete(self, ask: Generate) -> Whole:
        self.asks.append(ask)
        messages = ask.prompt.messages or []
        self.asked[f"{ask.model}|{messages[-1]['content'] if messages else ask.prompt.text}"] += 1
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        try:
            await asyncio.sleep(self.delay_s)
            if self.before is not None:
                held = self.before(ask)
                if asyncio.iscoroutine(held):
                    await held
            return self._whole(ask)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1

    async def stream(self, ask: Generate) -> AsyncIterator[Begun | Piece | Finished]:
        whole = await self.complete(ask)
        yield Begun(0, whole.prompt_tokens)
        for number, sample in enumerate(whole.samples):
            yield Piece(0, number, sample.text, sample.ids, sample.scores)
            yield Finished(0, number, sample.reason, sample.tokens)

    def _whole(self, ask: Generate) -> Whole:
        if ask.max_tokens == 0:
            completion = ask.prompt.completion or ""
            count = len(completion)
            scores = [TokenScore(0, "p", None)] + [
                TokenScore(1, each, -0.5) for each in completion + "$"
            ]
            return Whole(count + 2, scores, 0, [], count + 1)
        return Whole(3, None, 0, [self._sample(ask, number) for number in range(ask.n)])

    def _sample(self, ask: Generate, number: int) -> Written:
        golden = self.replies.get(_key(ask.prompt.messages or []), "?")
        text = answer(ask.model, golden, f"{ask.sampling.seed}|{number}")
        scores = None
        if ask.logprobs is not None:
            scores = [TokenScore(1, each, -0.1) for each in text] + [TokenScore(2, "<end>", -9.0)]
        return Written(text, [1] * len(text), scores, "stop", len(text) + 1)


def answer(manner: str, golden: str, key: str) -> str:
    """A reply in a manner."""
    if manner == "mixed":
        digest = hashlib.sha256(key.encode()).digest()
        manner = ("right", "wrong", "garbage")[digest[0] % 3]
    if manner == "right":
        return golden
    if manner == "garbage":
        return "((((🤔🛑 <E7> \x00"
    cut = golden.rfind("<E") if "<E" in golden else 0
    return golden[:cut] + "<E12>" if cut else "(qed 987654321)"


def _key(messages: list[dict[str, Any]]) -> tuple[str, str]:
    system = next((each["content"] for each in messages if each["role"] == "system"), "")
    return system, messages[-1]["content"] if messages else ""
