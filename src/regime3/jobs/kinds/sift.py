"""`filter`: rows kept or refused, each with its reason. An item is a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from regime3.errors import InputRefused
from regime3.jobs.asking import reference_ask, reference_nats
from regime3.jobs.desk import Desk
from regime3.jobs.orders import FilterOrder
from regime3.jobs.record import Bound, Item, Job
from regime3.jobs.sets import of_row
from regime3.lang.codebook import Codebook
from regime3.tasks.verdict import judge_row


class Sift:
    """The work of a filter."""

    def __init__(self, job: Job, bound: list[Bound], desk: Desk) -> None:
        self._job, self._desk = job, desk
        self._order = FilterOrder.model_validate(job.order)
        self._bound = bound[0] if bound else None

    async def do(self, item: int) -> dict[str, Any]:
        row = await self._desk.store.row(self._job.id, item)
        found: dict[str, Any] = {"row": row, "kept": True}
        if self._order.checker:
            book = self._desk.book(self._bound)
            code, reason = await self._desk.think(refusal_of, row, book)
            if code:
                return {**found, "kept": False, "code": code, "reason": reason}
        if self._bound is not None:
            ask = reference_ask(of_row(row, item), self._bound, self._desk.profile)
            nats, tokens = reference_nats(await self._desk.ask(ask))
            found["cross_entropy"] = mean = nats / max(1, tokens)
            found |= self._bounds(mean)
        return found

    def _bounds(self, mean: float) -> dict[str, Any]:
        low, high = self._order.cross_entropy_min, self._order.cross_entropy_max
        if low is not None and mean < low:
            reason = f"cross-entropy {mean:.4f} is under {low:g}"
            return {"kept": False, "code": "cross_entropy_low", "reason": reason}
        if high is not None and mean > high:
            reason = f"cross-entropy {mean:.4f} is over {high:g}"
            return {"kept": False, "code": "cross_entropy_high", "reason": reason}
        return {}

    def lines(self, results: Iterable[Item]) -> Iterator[tuple[str, dict[str, Any]]]:
        for each in results:
            result = each.result
            if each.missed is not None:
                yield "refused", {"item": each.item, "code": "missed", "reason": each.missed}
            elif result["kept"]:
                yield "kept", result["row"]
            else:
                yield "refused", {"item": each.item, **result}

    def summary(self, results: Iterable[Item]) -> dict[str, Any]:
        kept = 0
        reasons: Counter[str] = Counter()
        for each in results:
            kept += bool(each.result.get("kept"))
            if not each.result.get("kept"):
                reasons[each.result.get("code", "missed")] += 1
        return {"kept": kept, "refused": sum(reasons.values()), "reasons": dict(reasons)}


def refusal_of(row: dict[str, Any], book: Codebook) -> tuple[str, str]:
    """Why the checker refuses a row, as a word and a sentence; empty if it does not."""
    try:
        judged = judge_row(row, book)
    except InputRefused as refusal:
        return "not_checkable", refusal.reason
    if judged.valid:
        return "", ""
    return "not_valid", f"step {judged.index}: {judged.reason}"
