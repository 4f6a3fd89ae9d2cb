"""`/v1/completions`: prompts as text or token ids, one or many, with `echo` and true scores.

Choices come prompt by prompt, `n` each, as OpenAI numbers them. With `echo` and `logprobs` the
prompt's tokens are scored too, the first with null: what evaluation harnesses read. Nothing that
stands in a score is rounded or made up.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from regime3.errors import NodeRefused
from regime3.records.answers import Whole, Written
from regime3.records.wire import Begun, Finished, Generate, Piece, Prompt, TokenScore
from regime3.serve.link import EngineLink
from regime3.serve.openai import scores, sse
from regime3.serve.openai.asking import Tells, first_told, sampling_of, usage
from regime3.serve.openai.schema import CompletionRequest


def prompts_of(body: CompletionRequest) -> list[Prompt]:
    """Each prompt of the body. Raises `NodeRefused` for an empty one of token ids."""
    given = body.prompt
    if isinstance(given, str):
        return [Prompt(text=given)]
    if given and isinstance(given[0], int):
        return [Prompt(ids=list(given))]
    found = []
    for each in given:
        if isinstance(each, str):
            found.append(Prompt(text=each))
        elif each:
            found.append(Prompt(ids=list(each)))  # type: ignore[arg-type]
        else:
            raise NodeRefused(400, "empty_prompt", "a prompt has no token", param="prompt")
    return found


class Completion:
    """One request: what is asked for each prompt, and the answer in either form."""

    def __init__(self, body: CompletionRequest, link: EngineLink, model: str) -> None:
        self._body, self._link, self._model = body, link, model
        self.prompts = prompts_of(body)
        self.count = body.n or 1
        if body.best_of not in (None, body.n or 1):
            raise NodeRefused(
                400, "unsupported", "best_of other than n is not served", param="best_of"
            )
        if body.stream and body.echo and body.logprobs is not None:
            raise NodeRefused(
                400, "unsupported", "scores of an echoed prompt are not streamed", param="stream"
            )
        self._id = f"cmpl-{uuid.uuid4().hex}"
        self._created = int(time.time())

    @property
    def samples(self) -> int:
        """Choices in all."""
        return len(self.prompts) * self.count

    def _ask(self, prompt: Prompt) -> Generate:
        body = self._body
        return Generate(
            0,
            self._model,
            prompt,
            n=self.count,
            max_tokens=body.max_tokens,
            sampling=sampling_of(body),
            stop=body.stops(),
            logprobs=body.logprobs,
            prompt_logprobs=body.logprobs if body.echo else None,
        )

    # ----------------------------------------------------------------------------- whole

    async def whole(self) -> dict[str, Any]:
        """The body of a plain answer."""
        tasks = [asyncio.ensure_future(self._one(prompt)) for prompt in self.prompts]
        try:
            answers = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        choices: list[dict[str, Any]] = []
        for echoed, whole in zip(await self._echoed(), answers, strict=True):
            # Scoring alone writes nothing; the prompt is then the whole choice.
            for sample in whole.samples or [Written(reason="length")] * self.count:
                choices.append(self._choice(len(choices), echoed, whole, sample))
        written = sum(sample.tokens for whole in answers for sample in whole.samples)
        read = sum(whole.prompt_tokens for whole in answers)
        shared = sum(whole.shared_tokens for whole in answers)
        return {**self._head(), "choices": choices, "usage": usage(read, written, shared)}

    async def _one(self, prompt: Prompt) -> Whole:
        return await self._link.complete(self._ask(prompt))

    async def _echoed(self) -> list[str]:
        """The text of each prompt, if it shall be repeated."""
        if not self._body.echo:
            return [""] * len(self.prompts)
        found = []
        for prompt in self.prompts:
            ids = prompt.ids or []
            text = prompt.text
            found.append(await self._link.detokenize(self._model, ids) if text is None else text)
        return found

    def _choice(self, index: int, echoed: str, whole: Whole, sample: Written) -> dict[str, Any]:
        found: list[TokenScore] = [*(whole.prompt or []), *(sample.scores or [])]
        wanted = self._body.logprobs is not None
        return {
            "index": index,
            "text": echoed + sample.text,
            "logprobs": scores.of_completion(found, 0) if wanted else None,
            "finish_reason": sample.reason,
        }

    def _head(self) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "text_completion",
            "created": self._created,
            "model": self._body.model,
        }

    # ---------------------------------------------------------------------------- stream

    async def begin(self) -> list[tuple[Tells, Begun]]:
        """Every prompt's tells, its prompt in. Raises `NodeRefused` before anything is sent."""
        streams: list[Tells] = [self._link.stream(self._ask(prompt)) for prompt in self.prompts]
        try:
            begun = await asyncio.gather(*map(first_told, streams))
        except BaseException:
            await close(streams)
            raise
        return list(zip(streams, begun, strict=True))

    async def events(
        self, streams: list[tuple[Tells, Begun]], pause_s: float
    ) -> AsyncIterator[str]:
        """The events of a streamed answer."""
        read = sum(begun.prompt_tokens for _, begun in streams)
        written = 0
        try:
            if self._body.echo:
                for number, text in enumerate(await self._echoed()):
                    for index in range(self.count):
                        yield self._event(number * self.count + index, text, None, None)
            offsets = [0] * self.samples
            async for number, tell in merged([tells for tells, _ in streams], pause_s):
                index = number * self.count + tell.index
                if isinstance(tell, Finished):
                    written += tell.tokens
                    yield self._event(index, "", None, tell.reason)
                else:
                    found = (
                        None
                        if tell.scores is None
                        else scores.of_completion(tell.scores, offsets[index])
                    )
                    offsets[index] += len(tell.text)
                    yield self._event(index, tell.text, found, None)
            options = self._body.stream_options
            if options is not None and options.include_usage:
                yield sse.event({**self._head(), "choices": [], "usage": usage(read, written)})
            yield sse.DONE
        finally:
            await close([tells for tells, _ in streams])

    def _event(
        self, index: int, text: str, logprobs: dict[str, Any] | None, reason: str | None
    ) -> str:
        choice = {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}
        return sse.event({**self._head(), "choices": [choice]})


async def merged(
    streams: list[Tells], pause_s: float
) -> AsyncIterator[tuple[int, Piece | Finished]]:
    """Tells of several streams as they come, each with its stream's number."""
    inbox: asyncio.Queue[tuple[int, Piece | Finished] | BaseException | None] = asyncio.Queue()

    async def read(number: int, tells: Tells) -> None:
        try:
            async with contextlib.aclosing(sse.paced(tells, pause_s)) as lists:
                async for found in lists:
                    for tell in found:
                        inbox.put_nowait((number, tell))
            inbox.put_nowait(None)
        except NodeRefused as refusal:
            inbox.put_nowait(refusal)

    readers = [asyncio.create_task(read(number, tells)) for number, tells in enumerate(streams)]
    left = len(readers)
    try:
        while left:
            found = await inbox.get()
            if isinstance(found, BaseException):
                raise found
            if found is None:
                left -= 1
            else:
                yield found
    finally:
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)


async def close(streams: list[Tells]) -> None:
    """Let go of streams; what they asked for is cancelled."""
    for tells in streams:
        await tells.aclose()
