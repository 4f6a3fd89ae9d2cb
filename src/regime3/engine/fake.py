"""An engine without a model: it counts or repeats what it is told, always the same way.

A token is a character, its id the code point. "count to 12" in the last message or the prompt is
answered by "1 2 ... 12", anything else by itself; samples after the first begin with their number,
as "1: ". A request with a form is answered by the oracle's body. It honours all that an HTTP test
can see: n, stop, max_tokens, log-probabilities, cancelling, slots, contexts, loading and draining.

It ships in the package, loads no torch, and needs no files: any folder name is a model.
`REGIME3_FAULT_ENGINE` makes it slow, hang or die.
"""

from __future__ import annotations

import re
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from regime3.config import Settings
from regime3.engine.base import Engine, context_exceeded, failed, model_not_found
from regime3.engine.faults import Faults
from regime3.engine.text import TextStream
from regime3.errors import LanguageError, NodeRefused
from regime3.records import wire

CONTEXT = 4096
VOCABULARY = 0x110000
_COUNT = re.compile(r"count to (\d{1,4})")


@dataclass(eq=False)
class _Sample:
    ask: wire.Generate
    index: int
    answer: str
    prompt: list[int]
    left: int
    """Tokens that it may still write."""
    stream: TextStream = field(init=False)
    written: int = 0
    begun: bool = False

    def __post_init__(self) -> None:
        self.stream = TextStream(_text, self.ask.stop)


@dataclass
class _Model:
    card: wire.ModelCard
    leaves_s: float | None = None
    """When what is left of its requests is cut off."""
    leaving: int = 0
    """The ask that unloads it."""


class FakeEngine(Engine):
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._limit = settings.node.slots
        self._faults = Faults.from_environment()
        self._models: dict[str, _Model] = {}
        self._running: list[_Sample] = []
        self._waiting: deque[_Sample] = deque()
        self._written = self._read = 0

    @property
    def wait_s(self) -> float | None:
        if self._running or self._waiting:
            return 0.0
        return 0.0 if any(m.leaves_s is not None for m in self._models.values()) else None

    def pulse(self) -> wire.Pulse:
        counts = len(self._running), len(self._waiting), self._limit
        names = list(self._models)
        return wire.Pulse(0, *counts, self._written, self._read, models=names)

    def broke(self, error: BaseException) -> None:
        for number in {each.ask.id for each in (*self._running, *self._waiting)}:
            self.told.append(wire.Failed(number, 500, "engine_error", str(error)))
            self.cancel(number)

    # --------------------------------------------------------------------------- requests

    def submit(self, ask: wire.Generate) -> None:
        model = self._models.get(ask.model)
        if model is None or model.leaves_s is not None:
            raise model_not_found(ask.model)
        text = _prompt_text(ask.prompt)
        self._faults.on_prompt(text)
        prompt = [ord(each) for each in text]
        most = ask.max_tokens if ask.max_tokens is not None else CONTEXT - len(prompt)
        if len(prompt) + max(most, ask.max_tokens is None) > CONTEXT:
            raise context_exceeded(len(prompt), max(most, 0), CONTEXT)
        answer = self._answer(ask, text)
        for index in range(ask.n if most else 1):
            own = answer if index == 0 or ask.form else f"{index}: {answer}"
            self._waiting.append(_Sample(ask, index, own, prompt, most))

    def cancel(self, number: int) -> None:
        self._running = [each for each in self._running if each.ask.id != number]
        self._waiting = deque(each for each in self._waiting if each.ask.id != number)

    def _answer(self, ask: wire.Generate, text: str) -> str:
        if ask.form is not None:
            return self._gold(ask.form)
        if ask.prompt.messages:
            text = str(ask.prompt.messages[-1].get("content", ""))
        counted = _COUNT.search(text)
        return " ".join(map(str, range(1, int(counted[1]) + 1))) if counted else text

    def _gold(self, form: wire.Form) -> str:
        """The oracle's body as this lab writes it."""
        from regime3 import tasks
        from regime3.lang import codebook
        from regime3.lang.problem import read_problem
        from regime3.model.profile import Profile
        from regime3.records.rows import Message
        from regime3.tasks.rows import spelled

        try:
            problem = read_problem(form.problem)
        except LanguageError as error:
            raise NodeRefused(400, "invalid_problem", str(error), param="problem") from None
        family = next(each for each in tasks.FAMILIES.values() if problem.kind in each.kinds)
        steps, answer = spelled(problem, family.solve(problem), form.regime, codebook.shipped())
        message = Message("assistant", answer, steps or None)
        return Profile(self._settings.examples).completion(message, form.problem, 0)[0]

    # ------------------------------------------------------------------------------- steps

    def work(self) -> None:
        if self._running or self._waiting:
            self._faults.on_step(self._written)
        self._admit()
        for sample in list(self._running):
            self._write(sample)
        for name, model in list(self._models.items()):
            self._drain(name, model)

    def _admit(self) -> None:
        node = self._settings.node
        reserved = min(node.slots_reserved, self._limit - 1)
        jobs = sum(not each.ask.interactive for each in self._running)
        for sample in sorted(self._waiting, key=lambda each: not each.ask.interactive):
            if len(self._running) >= self._limit:
                return
            if not sample.ask.interactive:
                if jobs >= self._limit - reserved:
                    return
                jobs += 1
            self._waiting.remove(sample)
            self._running.append(sample)

    def _write(self, sample: _Sample) -> None:
        """The next token of a sample, or its end."""
        ask = sample.ask
        if sample.index == 0 and not sample.begun:
            self._begin(sample)
        sample.begun = True
        if ask.max_tokens == 0:
            self._running.remove(sample)
            return
        if sample.written == len(sample.answer):
            self._finish(sample, "stop", sample.written + 1)
        elif sample.left == 0:
            self._finish(sample, "length", sample.written)
        else:
            token = ord(sample.answer[sample.written])
            sample.written += 1
            sample.left -= 1
            self._written += 1
            sample.stream.add([token])
            scores = None if ask.logprobs is None else [_score(token, ask.logprobs)]
            self.told.append(
                wire.Piece(ask.id, sample.index, sample.stream.take(), [token], scores)
            )
            if sample.stream.stopped:
                self._finish(sample, "stop", sample.written)

    def _begin(self, sample: _Sample) -> None:
        top, prompt = sample.ask.prompt_logprobs, sample.prompt
        self._read += len(prompt)
        scores = None
        if top is not None:
            scores = [_score(token, top) for token in prompt]
            scores[:1] = [wire.TokenScore(each, chr(each), None) for each in prompt[:1]]
        reply = len(sample.ask.prompt.completion or "")
        self.told.append(wire.Begun(sample.ask.id, len(prompt), scores, completion_tokens=reply))

    def _finish(self, sample: _Sample, reason: str, tokens: int) -> None:
        sample.stream.finish()
        rest = sample.stream.take()
        if rest:
            self.told.append(wire.Piece(sample.ask.id, sample.index, rest, []))
        self.told.append(wire.Finished(sample.ask.id, sample.index, reason, tokens))
        self._running.remove(sample)

    # ------------------------------------------------------------------------------ models

    def load(self, ask: wire.Load) -> None:
        model = self._models.get(ask.model)
        if model is None and len(self._models) >= self._settings.node.residents_max:
            raise NodeRefused(409, "models_full", f"{len(self._models)} models are loaded already")
        began = time.monotonic()
        self._faults.on_load()
        card = wire.ModelCard(ask.model, 0, CONTEXT, VOCABULARY, "none", "fake", None)
        self._models[ask.model] = _Model(card)
        self.told.append(wire.Loaded(ask.id, card, time.monotonic() - began, 0.0))

    def unload(self, ask: wire.Unload) -> None:
        model = self._models.get(ask.model)
        if model is None:
            raise model_not_found(ask.model)
        model.leaves_s, model.leaving = time.monotonic() + ask.drain_s, ask.id

    def _drain(self, name: str, model: _Model) -> None:
        if model.leaves_s is None:
            return
        own = {e.ask.id for e in (*self._running, *self._waiting) if e.ask.model == name}
        if own and time.monotonic() < model.leaves_s:
            return
        for number in own:
            gone = NodeRefused(503, "model_unloaded", f"the model {name!r} has left")
            self.told.append(failed(number, gone))
            self.cancel(number)
        del self._models[name]
        self.told.append(wire.Unloaded(model.leaving, len(own)))

    # ------------------------------------------------------------------------------ tokens

    def limit(self, slots: int) -> None:
        self._limit = min(max(1, slots), self._settings.node.slots)

    def tokenize(self, ask: wire.Tokenize) -> wire.Tokens:
        if ask.model not in self._models:
            raise model_not_found(ask.model)
        text = _prompt_text(ask.prompt)
        return wire.Tokens(ask.id, [ord(each) for each in text], list(text))

    def detokenize(self, ask: wire.Detokenize) -> wire.Text:
        if ask.model not in self._models:
            raise model_not_found(ask.model)
        return wire.Text(ask.id, _text(_checked(ask.ids)))


def _prompt_text(prompt: wire.Prompt) -> str:
    if prompt.ids is not None:
        return _text(_checked(prompt.ids))
    if prompt.messages is None:
        return prompt.text or ""
    rendered = "".join(f"{_said(each)}\n" for each in prompt.messages)
    return rendered + (prompt.completion or "")


def _said(message: dict[str, Any]) -> str:
    if not isinstance(message.get("role"), str) or not isinstance(message.get("content"), str):
        raise NodeRefused(400, "invalid_messages", "a message has a role and a content, both text")
    return f"{message['role']}: {message['content']}"


def _checked(ids: list[int]) -> list[int]:
    if not all(0 <= each < VOCABULARY and not 0xD800 <= each < 0xE000 for each in ids):
        raise NodeRefused(400, "invalid_token", "no character has this token id", param="prompt")
    return ids


def _text(ids: list[int]) -> str:
    return "".join(map(chr, ids))


def _score(token: int, top: int) -> wire.TokenScore:
    """Made up: the token itself is the most likely, and its neighbours follow."""
    ranked = [(token + n, chr(token + n), -0.25 - n) for n in range(top)]
    return wire.TokenScore(token, chr(token), -0.25, ranked)
