"""`eval`: one model on a set. An item is one example in one regime, answered and scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from regime3.jobs.asking import (
    answer_ask,
    marked,
    reference_ask,
    reference_nats,
    sureness,
    wanted,
)
from regime3.jobs.desk import Desk
from regime3.jobs.orders import EvalOrder, Metric, OnSet
from regime3.jobs.record import Bound, Item, Job
from regime3.jobs.sets import Posed, example_of, of_row
from regime3.records.answers import Written
from regime3.score.measures import Marked, summary

ANSWERED = {Metric.EXACT_MATCH, Metric.CALIBRATION, Metric.STEPS}
"""Metrics that need an answer; cross-entropy needs none."""


async def posed_at(job: Job, order: OnSet, item: int, desk: Desk, bound: Bound) -> Posed:
    """The example of an item."""
    if job.facts["source"] == "tasks":
        return await desk.think(example_of, order, job.facts, item, desk.book(bound))
    return of_row(await desk.store.row(job.id, item), item)


def log_of(sample: Written, marks: dict[str, Any], scored: bool) -> dict[str, Any]:
    """The per-example log of an answer."""
    found = {"text": sample.text, "tokens": sample.tokens, "finish": sample.reason, **marks}
    if scored:
        found["confidence"] = sureness(sample, marks["thought"], marks["answer"])
    return found


def mark_of(log: dict[str, Any]) -> Marked:
    """The measures in a log."""
    names = ("right", "valid", "confidence", "tokens", "reference_nats")
    known = {name: log[name] for name in names if log.get(name) is not None}
    return Marked(
        **known, steps=log.get("share"), reference_tokens=log.get("reference_tokens") or 0
    )


class Evaluate:
    """The work of an evaluation."""

    def __init__(self, job: Job, bound: list[Bound], desk: Desk) -> None:
        self._job, self._desk = job, desk
        self._order = EvalOrder.model_validate(job.order)
        (self._bound,) = bound
        self._metrics = set(self._order.metrics)

    async def do(self, item: int) -> dict[str, Any]:
        desk, order, bound = self._desk, self._order, self._bound
        posed = await posed_at(self._job, order, item, desk, bound)
        found = {**posed.place, "question": posed.prompt[-1]["content"]}
        found["reference"] = wanted(posed, desk.profile)
        if self._metrics & ANSWERED:
            scored = Metric.CALIBRATION in self._metrics
            ask = answer_ask(posed, bound, order, scored=scored)
            sample = (await desk.ask(ask)).samples[0]
            marks = await desk.think(marked, posed, sample.text, desk.profile, desk.book(bound))
            found |= {"seed": ask.sampling.seed, **log_of(sample, marks, scored)}
        if Metric.CROSS_ENTROPY in self._metrics:
            whole = await desk.ask(reference_ask(posed, bound, desk.profile))
            found["reference_nats"], found["reference_tokens"] = reference_nats(whole)
        return found

    def lines(self, results: Iterable[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in results:
            missed = {} if each.missed is None else {"missed": each.missed}
            yield "examples", {"item": each.item, **each.result, **missed}

    def summary(self, results: Iterable[Item]) -> dict[str, Any]:
        logs = [each.result for each in results if each.missed is None]
        whole = summary(map(mark_of, logs))
        return {**whole, "groups": groups(logs)}


def groups(logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Measures of each family, level and regime that occurs."""
    names = ("family", "level", "regime")
    found: dict[tuple[Any, ...], list[Marked]] = {}
    for log in logs:
        found.setdefault(tuple(log.get(name) for name in names), []).append(mark_of(log))
    ordered = sorted(found, key=lambda key: tuple((each is None, each or 0) for each in key[1:]))
    ordered.sort(key=lambda key: str(key[0]))
    return [
        {**dict(zip(names, key, strict=True)), **summary(found[key], bins=False)} for key in ordered
    ]
