"""`generate`: one prompt, answered as a job. Its only item holds all samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from regime3.jobs.desk import Desk
from regime3.jobs.orders import GenerateOrder
from regime3.jobs.record import Bound, Item, Job
from regime3.records.wire import Generate, Prompt, Sampling


class PromptWork:
    """The work of a queued prompt."""

    def __init__(self, job: Job, bound: list[Bound], desk: Desk) -> None:
        self._order, self._desk = GenerateOrder.model_validate(job.order), desk
        (self._bound,) = bound

    async def do(self, item: int) -> dict[str, Any]:
        order = self._order
        if order.messages is None:
            prompt = Prompt(text=order.prompt)
        else:
            prompt = Prompt(messages=[m.model_dump(exclude_none=True) for m in order.messages])
        ask = Generate(
            0,
            self._bound.loaded,
            prompt,
            n=order.n,
            max_tokens=order.max_tokens,
            sampling=Sampling(order.temperature, order.top_p, order.top_k, order.seed),
            stop=order.stop,
            interactive=False,
        )
        whole = await self._desk.ask(ask)
        samples = [
            {"text": each.text, "tokens": each.tokens, "finish": each.reason}
            for each in whole.samples
        ]
        return {"prompt_tokens": whole.prompt_tokens, "samples": samples}

    def lines(self, results: Iterable[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in results:
            for number, sample in enumerate(each.result.get("samples", [])):
                yield "samples", {"sample": number, **sample}

    def summary(self, results: Iterable[Item]) -> dict[str, Any]:
        samples = [sample for each in results for sample in each.result.get("samples", [])]
        return {"samples": len(samples), "tokens": sum(each["tokens"] for each in samples)}
