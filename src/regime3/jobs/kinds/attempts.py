"""`data_gen`: attempts of a model at training problems. An item is a problem with all its attempts.

A shard's line is one attempt with its lineage. Only a verified one is a chat row that can be
trained (`messages` ends in what was written); any other has the prompt's messages under `prompt`,
so that a shard dropped into an inbox can teach nothing that was not verified.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from regime3.jobs.asking import answer_ask, marked
from regime3.jobs.desk import Desk
from regime3.jobs.orders import DataGenOrder
from regime3.jobs.record import Bound, Item, Job
from regime3.jobs.sets import Posed, drawn
from regime3.lang import signature
from regime3.lang.codebook import Codebook
from regime3.model.profile import Profile
from regime3.records.answers import Written


class Attempts:
    """The work of generating data."""

    def __init__(self, job: Job, bound: list[Bound], desk: Desk) -> None:
        self._job, self._desk = job, desk
        self._order = DataGenOrder.model_validate(job.order)
        (self._bound,) = bound

    async def do(self, item: int) -> dict[str, Any]:
        desk, order, book = self._desk, self._order, self._desk.book(self._bound)
        levels = order.levels
        level, index = levels[item % len(levels)], order.start + item // len(levels)
        posed = await desk.think(drawn, order.family, level, "train", index, order.regime, book)
        ask = answer_ask(posed, self._bound, order, n=order.attempts)
        samples = (await desk.ask(ask)).samples
        attempts = await desk.think(_all_marked, posed, samples, desk.profile, book)
        return {
            **posed.place,
            "prompt": posed.prompt,
            "fingerprint": posed.fingerprint,
            "seed": ask.sampling.seed,
            "attempts": attempts,
        }

    def _lineage(self) -> dict[str, Any]:
        return {
            "job": self._job.id,
            "model": self._bound.model,
            "model_sha256": self._bound.sha256,
            "codebook": self._desk.book(self._bound).name,
            "checker": signature.VERSION,
            "language_sha256": signature.SHA256,
            "temperature": self._order.temperature,
            "top_p": self._order.top_p,
        }

    def lines(self, results: Iterable[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
        seen: set[tuple[str, str]] = set()
        lineage = self._lineage()
        for each in results:
            for number, attempt in enumerate(each.result.get("attempts", [])):
                if not attempt["valid"] and self._order.keep == "verified":
                    continue
                if attempt["valid"] and self._order.distinct:
                    key = (each.result["fingerprint"], attempt["canonical"])
                    if key in seen:
                        continue
                    seen.add(key)
                yield "attempts", line_of(each.result, number, attempt, lineage)

    def summary(self, results: Iterable[Item]) -> dict[str, Any]:
        problems: Counter[int] = Counter()
        attempts: Counter[int] = Counter()
        right: Counter[int] = Counter()
        solved: Counter[int] = Counter()
        tokens: Counter[int] = Counter()
        bodies: dict[int, set[tuple[str, str]]] = {}
        for each in results:
            if each.missed is not None:
                continue
            level = each.result["level"]
            problems[level] += 1
            for attempt in each.result["attempts"]:
                attempts[level] += 1
                right[level] += attempt["right"]
                solved[level] += attempt["valid"]
                tokens[level] += attempt["tokens"]
                if attempt["valid"]:
                    body = (each.result["fingerprint"], attempt["canonical"])
                    bodies.setdefault(level, set()).add(body)
        levels = [
            {
                "level": level,
                "problems": problems[level],
                "attempts": attempts[level],
                "right": right[level],
                "solved": solved[level],
                "distinct": len(bodies.get(level, ())),
                "tokens": tokens[level],
            }
            for level in sorted(problems)
        ]
        names = ("problems", "attempts", "right", "solved", "distinct", "tokens")
        return {**{name: sum(each[name] for each in levels) for name in names}, "levels": levels}


def _all_marked(
    posed: Posed, samples: list[Written], profile: Profile, book: Codebook
) -> list[dict[str, Any]]:
    return [
        {
            "text": each.text,
            "tokens": each.tokens,
            "finish": each.reason,
            **marked(posed, each.text, profile, book),
        }
        for each in samples
    ]


def line_of(
    result: dict[str, Any], number: int, attempt: dict[str, Any], lineage: dict[str, Any]
) -> dict[str, Any]:
    """One attempt as a shard has it."""
    place = ("problem", "family", "level", "regime", "split", "index", "fingerprint")
    found: dict[str, Any] = {}
    if attempt["valid"]:
        reply = {"role": "assistant", "content": attempt["answer"]}
        if attempt["thought"]:
            reply["reasoning_content"] = attempt["thought"]
        found["messages"] = [*result["prompt"], reply]
    else:
        found["prompt"] = result["prompt"]
    found |= {name: result[name] for name in place}
    if result["regime"] == 3:
        found["codebook"] = lineage["codebook"]
    return {
        **found,
        "attempt": {"seed": result["seed"], "sample": number, **attempt},
        "lineage": lineage,
    }
