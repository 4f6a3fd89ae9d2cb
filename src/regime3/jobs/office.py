"""Where jobs are asked for and asked about: what the routes call.

    jobs = await Jobs.open(lab, settings, engine, models)
    await jobs.start()
    view = await jobs.create(order)
    await jobs.close()

An order is checked whole before there is a job: its models and its data set exist, and are bound.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

from regime3 import disk
from regime3.clock import Clock, SystemClock
from regime3.config import Settings
from regime3.errors import NodeRefused, Unavailable
from regime3.jobs import output
from regime3.jobs.desk import Books, Desk, shipped_only
from regime3.jobs.orders import DataGenOrder, FilterOrder, OnSet, Order
from regime3.jobs.record import Item, Job, Kind, Models, State
from regime3.jobs.runner import Pace, Runner
from regime3.jobs.sets import Chosen, choose, demand_family
from regime3.jobs.store import Draft, Store
from regime3.paths import Lab
from regime3.records.answers import Completes

ID_BYTES = 12
RETRY_AFTER_S = 30.0


class Jobs:
    """The jobs of a node."""

    def __init__(
        self, lab: Lab, store: Store, desk: Desk, runner: Runner, models: Models, clock: Clock
    ) -> None:
        self._lab, self._store, self._desk = lab, store, desk
        self._runner, self._models, self._clock = runner, models, clock
        self._again = asyncio.Lock()
        """Held while a job that has ended is tried again or deleted: never both."""

    def watch(self, progress: Callable[[str, str, int, int], None]) -> None:
        """Have a job's id, kind, items done and items in all told as they change."""
        self._runner.on_progress = progress

    @classmethod
    async def open(
        cls,
        lab: Lab,
        settings: Settings,
        engine: Completes,
        models: Models,
        *,
        clock: Clock | None = None,
        books: Books = shipped_only,
        workshop: Executor | None = None,
        **runner: Any,
    ) -> Jobs:
        """The jobs of a lab. `runner`: its limits, for tests. Raises `LabError`."""
        clock = clock or SystemClock()
        disk.make_folder(lab.node)
        store = await Store.open(lab.node_jobs_file)
        desk = Desk(engine, store, settings, books, workshop)
        worker = Runner(
            lab, store, desk, models, clock, **{"requests": settings.node.job_requests, **runner}
        )
        return cls(lab, store, desk, worker, models, clock)

    async def start(self) -> None:
        """Go on with what is open."""
        await self._runner.start()

    async def close(self) -> None:
        """Stop working; nothing is lost."""
        await self._runner.stop()
        self._desk.close()
        await self._store.close()

    # --------------------------------------------------------------------------- asking for

    async def create(self, order: Order) -> Job:
        """Queue a job. Raises `NodeRefused`: 400, 404 or 429."""
        bound = [await self._models.resolve(name) for name in order.models]
        for each in bound:
            self._desk.book(each)
        chosen = await asyncio.to_thread(self._chosen, order)
        draft = Draft(
            id="job-" + secrets.token_hex(ID_BYTES),
            kind=order.kind,
            priority=order.priority,
            total=chosen.total,
            # Rows are kept as inputs, once.
            order=order.model_dump(mode="json", exclude={"rows"}) | _rows_told(order),
            bound=bound,
            facts=chosen.facts,
            inputs=chosen.inputs,
        )
        try:
            job = await self._store.create(draft, self._clock.now())
        except Unavailable as full:
            raise NodeRefused(
                429, "store_unavailable", full.message, retry_after_s=RETRY_AFTER_S
            ) from None
        self._runner.wake()
        return job

    def _chosen(self, order: Order) -> Chosen:
        if isinstance(order, OnSet | FilterOrder):
            return choose(order, self._dataset)
        if isinstance(order, DataGenOrder):
            demand_family(order.family)
            return Chosen(order.problems, {"source": "tasks", "split": "train"})
        return Chosen(1, {"source": "prompt"})

    def _dataset(self, name: str) -> Path:
        return self._lab.node_dataset(name)

    # --------------------------------------------------------------------------- asking about

    async def job(self, job_id: str) -> Job:
        """Raises `NodeRefused` 404."""
        return await self._store.job(job_id)

    def pace(self, job: Job) -> Pace:
        """How fast it goes."""
        return self._runner.pace(job)

    async def recent(
        self, *, state: State | None, kind: Kind | None, before: int | None, limit: int
    ) -> list[Job]:
        """Newest first; `before` is a sequence."""
        return await self._store.jobs(state=state, kind=kind, before=before, limit=limit)

    async def examples(self, job_id: str, after: int, limit: int) -> list[Item]:
        """Results as they came, after sequence `after`. Raises `NodeRefused` 404."""
        await self._store.job(job_id)
        return await self._store.items(job_id, after, limit)

    async def manifest(self, job_id: str) -> dict[str, Any]:
        """What a done job has published. Raises `NodeRefused` 404 or 409."""
        job = await self._store.job(job_id)
        if job.state is not State.DONE:
            raise NodeRefused(
                409, "job_state", f"job {job_id} is {job.state}: its output comes when it is done"
            )
        return await asyncio.to_thread(output.manifest, self._lab, job_id)

    async def shard(self, job_id: str, name: str) -> Path:
        """The file of a shard. Raises `NodeRefused` 404 or 409."""
        await self.manifest(job_id)
        return await asyncio.to_thread(output.shard_file, self._lab, job_id, name)

    async def stats(self) -> dict[str, Any]:
        """Jobs by kind and state, items under way, and what the engine did for jobs."""
        kinds: dict[str, dict[str, int]] = {kind: {} for kind in Kind}
        states = dict.fromkeys(State, 0)
        for kind, state, count in await self._store.counts():
            kinds[kind][state] = count
            states[state] += count
        return {
            "jobs": sum(states.values()),
            "states": {str(state): count for state, count in states.items()},
            "kinds": kinds,
            "items_running": self._runner.running,
            **self._desk.facts(),
        }

    async def models_in_use(self) -> set[str]:
        """Ids that open jobs are bound to."""
        return {each.model for job in await self._store.open_jobs() for each in job.bound}

    # --------------------------------------------------------------------------- changing

    async def cancel(self, job_id: str) -> Job:
        """End it at once; its results so far can be read. Raises `NodeRefused` 404 or 409."""
        job = await self._store.cancel(job_id, self._clock.now())
        self._runner.forget(job_id)
        return job

    async def retry(self, job_id: str) -> Job:
        """Queue a failed or cancelled one for what it lacks. Raises `NodeRefused`."""
        async with self._again:
            job = await self._store.retry(job_id)
            await asyncio.to_thread(output.withdraw, self._lab, job_id)
        self._runner.forget(job_id)
        return job

    async def delete_older(self, age_s: float) -> list[str]:
        """Delete jobs that ended longer ago than this, output first; gives their ids.

        Raises `Unavailable` and `OSError`."""
        before = self._clock.now() - age_s
        return await self._delete(await self._store.ended_before(before), before)

    async def delete_beyond(self, size_bytes: int) -> list[str]:
        """Delete the oldest ended jobs until the output of the others fits; gives their ids.

        Raises `Unavailable` and `OSError`."""
        before = self._clock.now()
        ended = await self._store.ended_before(before)
        sizes = await asyncio.to_thread(output.sizes, self._lab, ended)
        spare, excess = [], sum(sizes) - size_bytes
        for job_id, size in zip(ended, sizes, strict=True):
            if excess <= 0:
                break
            spare.append(job_id)
            excess -= size
        return await self._delete(spare, before)

    async def _delete(self, job_ids: list[str], before: float) -> list[str]:
        """Those of them that are still ended. Output goes first, so that a kill in between leaves
        a job that is deleted next time, and never a folder that no job knows."""
        found = []
        for job_id in job_ids:
            async with self._again:
                job = await self._store.job(job_id)
                if job.ended is None or job.ended >= before:
                    continue  # tried again meanwhile
                await asyncio.to_thread(output.withdraw, self._lab, job_id)
                await self._store.delete_ended(job_id)
            found.append(job_id)
        return found

    async def set_priority(self, job_id: str, priority: int) -> Job:
        """Raises `NodeRefused` 404 or 409."""
        job = await self._store.set_priority(job_id, priority)
        self._runner.wake()
        return job


def _rows_told(order: Order) -> dict[str, Any]:
    """Rows by reference, so that the order can be read back: they are the job's inputs."""
    return {"dataset_ref": "rows"} if getattr(order, "rows", None) is not None else {}
