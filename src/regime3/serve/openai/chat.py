"""`/v1/chat/completions`: messages in, an assistant's message out, in any of the three regimes.

What a model thinks stands in `reasoning_content`, apart from the answer in `content`, whichever
way its profile writes thoughts. With `regime` the row's system prompt of that regime is put first
unless there is one, regimes 2 and 3 are held to their grammar, and each choice carries the trace
decoded and the checker's verdict in `regime3`.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from regime3.errors import LanguageError, NodeRefused
from regime3.lang.codebook import Codebook
from regime3.lang.english import plain
from regime3.lang.problem import Problem, read_problem, show_body
from regime3.lang.terms import show
from regime3.model.profile import Profile
from regime3.records.answers import Written
from regime3.records.wire import Begun, Finished, Form, Generate, Piece, Prompt
from regime3.serve.link import EngineLink
from regime3.serve.openai import scores, sse
from regime3.serve.openai.asking import Tells, sampling_of, usage
from regime3.serve.openai.schema import ChatRequest
from regime3.serve.openai.thoughts import Splitter
from regime3.tasks.rows import CODES, ENGLISH, THINK
from regime3.tasks.verdict import judge

PROBLEM_FIELD = "problem"


class Chat:
    """One request: what is asked, and the answer in either form."""

    def __init__(
        self,
        body: ChatRequest,
        link: EngineLink,
        model: str,
        profile: Profile,
        book: Codebook | None,
    ) -> None:
        self._body, self._link, self._model = body, link, model
        self._profile, self._book = profile, book
        self.count = body.n or 1
        self._problem = _problem_of(body)
        if body.regime == CODES and book is None:
            raise NodeRefused(
                400,
                "no_codebook",
                f"{body.model} has no codes: regime 3 is not its",
                param="regime",
            )
        self._id = f"chatcmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    def ask(self) -> Generate:
        """What the engine is asked."""
        body = self._body
        wanted = (body.top_logprobs or 0) if body.logprobs else None
        return Generate(
            0,
            self._model,
            Prompt(messages=self._messages()),
            n=self.count,
            max_tokens=body.max_completion_tokens or body.max_tokens,
            sampling=sampling_of(body),
            stop=body.stops(),
            logprobs=wanted,
            form=self._form(),
            think_tokens_max=body.think_tokens_max,
        )

    def _messages(self) -> list[dict[str, Any]]:
        found = [message.plain() for message in self._body.messages]
        if self._body.regime is not None and found[0]["role"] != "system":
            found.insert(0, {"role": "system", "content": THINK[self._body.regime]})
        return found

    def _form(self) -> Form | None:
        if self._problem is None or self._body.regime in (None, ENGLISH):
            return None
        assert self._body.regime is not None
        return Form(self._body.regime, show(self._problem.term))

    # ----------------------------------------------------------------------------- whole

    async def whole(self) -> dict[str, Any]:
        """The body of a plain answer."""
        whole = await self._link.complete(self.ask())
        choices = []
        for index, sample in enumerate(whole.samples):
            splitter = Splitter(self._profile)
            splitter.take(sample.text)
            thought, answer = splitter.whole()
            choice = {
                "index": index,
                "message": _message(thought, answer),
                "logprobs": self._logprobs(sample),
                "finish_reason": sample.reason,
            }
            choices.append(choice | self._verdict(thought, answer))
        written = sum(sample.tokens for sample in whole.samples)
        counted = usage(whole.prompt_tokens, written, whole.shared_tokens)
        return {**self._head("chat.completion"), "choices": choices, "usage": counted}

    def _logprobs(self, told: Written | Piece) -> dict[str, Any] | None:
        """Scores of the text's tokens; the end token is none of them."""
        if not self._body.logprobs:
            return None
        return scores.of_chat((told.scores or [])[: len(told.ids)])

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._body.model,
            "system_fingerprint": self._model,
        }

    # ---------------------------------------------------------------------------- stream

    async def events(self, tells: Tells, begun: Begun, pause_s: float) -> AsyncIterator[str]:
        """The events of a streamed answer."""
        splitters = [Splitter(self._profile) for _ in range(self.count)]
        written = 0
        async with contextlib.aclosing(tells):
            for index in range(self.count):
                yield self._event(index, {"role": "assistant", "content": ""})
            async with contextlib.aclosing(sse.paced(tells, pause_s)) as lists:
                async for found in lists:
                    for tell in found:
                        splitter = splitters[tell.index]
                        if isinstance(tell, Finished):
                            written += tell.tokens
                            yield self._end(tell, splitter)
                            continue
                        delta = _delta(*splitter.take(tell.text))
                        if delta or (tell.ids and tell.scores):
                            yield self._event(tell.index, delta, self._logprobs(tell))
            options = self._body.stream_options
            if options is not None and options.include_usage:
                counted = usage(begun.prompt_tokens, written, begun.shared_tokens)
                head = self._head("chat.completion.chunk")
                yield sse.event({**head, "choices": [], "usage": counted})
            yield sse.DONE

    def _event(
        self, index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None = None
    ) -> str:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        return sse.event({**self._head("chat.completion.chunk"), "choices": [choice]})

    def _end(self, tell: Finished, splitter: Splitter) -> str:
        """The last event of a sample: what was held back, the reason, the verdict."""
        delta = _delta(*splitter.rest())
        choice = {
            "index": tell.index,
            "delta": delta,
            "logprobs": None,
            "finish_reason": tell.reason,
        }
        choice |= self._verdict(*splitter.whole())
        return sse.event({**self._head("chat.completion.chunk"), "choices": [choice]})

    # --------------------------------------------------------------------------- verdict

    def _verdict(self, thought: str, answer: str) -> dict[str, Any]:
        """The trace decoded and what the checker says; nothing without a regime and a problem."""
        regime = self._body.regime
        if regime is None or self._problem is None:
            return {}
        judged = judge(self._problem, regime, thought, answer, self._book)
        trace = english = None
        if judged.body is not None:
            trace = show_body(judged.body).splitlines()
            english = plain.show(self._problem, judged.body).splitlines()
        return {
            "regime3": {
                "regime": regime,
                "problem": show(self._problem.term),
                "trace": trace,
                "english": english,
                "verdict": {
                    "valid": judged.valid,
                    "right": judged.right,
                    "steps": judged.steps,
                    "first_bad_step": judged.index or None,
                    "reason": judged.reason or None,
                },
            }
        }


def _problem_of(body: ChatRequest) -> Problem | None:
    """The problem that is posed: the field, else a last message that is one.

    Raises `NodeRefused` for one that cannot be read, or when a grammar is asked for without."""
    if body.regime is None:
        if body.problem is not None:
            raise NodeRefused(
                400, "no_regime", "a problem wants a regime: 1, 2 or 3", param="regime"
            )
        return None
    text = body.problem
    if text is None:
        last = body.messages[-1].plain()["content"].strip()
        text = last if last.startswith("(") else None
    if text is None:
        if body.regime == ENGLISH:
            return None
        raise NodeRefused(
            400,
            "no_problem",
            f"regime {body.regime} is held to the grammar of a problem: give it as an "
            'S-expression in "problem", for example (gcd 462 147)',
            param=PROBLEM_FIELD,
        )
    try:
        return read_problem(text)
    except LanguageError as error:
        raise NodeRefused(400, "bad_problem", error.message, param=PROBLEM_FIELD) from None


def _message(thought: str, answer: str) -> dict[str, Any]:
    found: dict[str, Any] = {"role": "assistant", "content": answer, "refusal": None}
    return found | ({"reasoning_content": thought} if thought else {})


def _delta(thought: str, answer: str) -> dict[str, Any]:
    found = {"reasoning_content": thought} if thought else {}
    return found | ({"content": answer} if answer else {})
