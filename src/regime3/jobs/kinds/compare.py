"""`compare`: two models on one set, pair by pair. An item is one example, answered by both.

Sampled answers have seeds of their own on either side: two equal models must be able to differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from regime3.jobs.asking import answer_ask, marked
from regime3.jobs.desk import Desk
from regime3.jobs.kinds.evaluate import log_of, mark_of, posed_at
from regime3.jobs.orders import CompareOrder
from regime3.jobs.record import Bound, Item, Job
from regime3.jobs.sets import Posed
from regime3.score.measures import summary
from regime3.score.paired import paired

SIDES = ("first", "second")


class Compare:
    """The work of a comparison."""

    def __init__(self, job: Job, bound: list[Bound], desk: Desk) -> None:
        self._job, self._desk = job, desk
        self._order = CompareOrder.model_validate(job.order)
        self._bound = dict(zip(SIDES, bound, strict=True))

    async def do(self, item: int) -> dict[str, Any]:
        desk, order = self._desk, self._order
        found: dict[str, Any] = {}
        for side, bound in self._bound.items():
            # Posed for each: codes are another text in another codebook.
            posed = await posed_at(self._job, order, item, desk, bound)
            found = found or {**posed.place, "question": posed.prompt[-1]["content"]}
            found[side] = await self._answer(posed, side, bound)
        return found

    async def _answer(self, posed: Posed, side: str, bound: Bound) -> dict[str, Any]:
        ask = answer_ask(posed, bound, self._order, side=side)
        sample = (await self._desk.ask(ask)).samples[0]
        marks = await self._desk.think(
            marked, posed, sample.text, self._desk.profile, self._desk.book(bound)
        )
        return {"seed": ask.sampling.seed, **log_of(sample, marks, scored=False)}

    def _won(self, log: dict[str, Any]) -> bool:
        """A row that the checker cannot judge is won by the right answer."""
        return bool(log["right"] if self._order.by == "right" else log.get("valid", log["right"]))

    def lines(self, results: Iterable[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in results:
            missed = {} if each.missed is None else {"missed": each.missed}
            yield "pairs", {"item": each.item, **each.result, **missed}

    def summary(self, results: Iterable[Item]) -> dict[str, Any]:
        logs = [each.result for each in results if each.missed is None]
        families: dict[str, list[tuple[bool, bool]]] = {}
        for log in logs:
            pair = (self._won(log["first"]), self._won(log["second"]))
            families.setdefault(str(log.get("family", "")), []).append(pair)
        everything = [pair for family in families.values() for pair in family]
        return {
            **paired(everything).as_dict(),
            "families": {name: paired(pairs).as_dict() for name, pairs in families.items()},
            "measures": {side: summary(mark_of(log[side]) for log in logs) for side in SIDES},
        }
