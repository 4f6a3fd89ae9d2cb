"""Keeps the engine's one batch filled with items of jobs: by priority, then by age.

    runner = Runner(lab, store, desk, models, clock, requests=32)
    await runner.start(); runner.wake(); await runner.stop()

One loop decides, a task an item asks. An item whose request fails because the engine is away is
asked again, later and later; from its second failure on, alone among such suspects, so that one
prompt that kills the engine does not drag its neighbours along. When it is given up, it is missed
alone if the engine has answered others meanwhile; else the job fails, to be tried again by a
person. Results are in the store before anybody is told of them: to stop a runner is to kill it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from regime3.clock import Clock
from regime3.errors import InputRefused, LanguageError, NodeRefused, Regime3Error, Unavailable
from regime3.jobs import output
from regime3.jobs.desk import Desk
from regime3.jobs.kinds import KINDS, Work
from regime3.jobs.record import Item, Job, Models, State, unlike
from regime3.jobs.store import Store
from regime3.paths import Lab

FAILURES_MAX = 10
"""Of one item, because the engine was away, before it is given up."""
BACKOFF_S, BACKOFF_S_MAX = 0.25, 30.0
AWAY, FULL = 503, 429
"""Statuses that say: later."""
FULL_PAUSES = 5
"""Doublings of the pause while the engine has no room."""
GONE = ("model_not_found",)

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Active:
    """A job that is being worked on."""

    job: Job
    work: Work
    waiting: Iterator[int]
    """Items not begun by this process."""
    began_s: float
    running: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    recorded: int = 0
    """Results since `began_s`."""
    drained: bool = False
    """Nothing waits any more."""
    finishing: asyncio.Task[None] | None = None


class Pace:
    """How fast a job goes, and when it will be done."""

    def __init__(self, items_per_s: float | None, eta_s: float | None, running: int) -> None:
        self.items_per_s, self.eta_s, self.running = items_per_s, eta_s, running


class Runner:
    """Works on the jobs of a store. Use from one event loop."""

    def __init__(
        self,
        lab: Lab,
        store: Store,
        desk: Desk,
        models: Models,
        clock: Clock,
        *,
        requests: int,
        backoff_s: float = BACKOFF_S,
        failures_max: int = FAILURES_MAX,
    ) -> None:
        self._lab, self._store, self._desk = lab, store, desk
        self._models, self._clock = models, clock
        self._requests, self._backoff_s, self._failures_max = requests, backoff_s, failures_max
        self._active: dict[str, Active] = {}
        self.on_progress: Callable[[str, str, int, int], None] = lambda *_: None
        """Told a job's id, kind, items done and items in all."""
        self._open: list[Job] = []
        """Those to be worked on, in order, as they were at the last wake."""
        self._stale = True
        self._wake = asyncio.Event()
        self._alone = asyncio.Lock()
        self._loop: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # --------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Go on with whatever is open."""
        await asyncio.to_thread(output.sweep, self._lab)
        self._loop = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave everything as it is; the next start goes on."""
        running = [task for active in self._active.values() for task in active.running.values()]
        tasks = [*([self._loop] if self._loop else []), *running, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._active.clear()

    def wake(self) -> None:
        """Something has changed: a job was made, cancelled, or has another priority."""
        self._stale = True
        self._wake.set()

    def forget(self, job_id: str) -> None:
        """A job was cancelled: let go of its requests at once."""
        active = self._active.pop(job_id, None)
        if active is not None:
            for task in active.running.values():
                task.cancel()
        self.wake()

    def pace(self, job: Job) -> Pace:
        """Of a job that runs; nothing is known of others."""
        active = self._active.get(job.id)
        if active is None:
            return Pace(None, None, 0)
        passed = self._clock.monotonic() - active.began_s
        if not active.recorded or passed <= 0:
            return Pace(None, None, len(active.running))
        rate = active.recorded / passed
        return Pace(rate, (job.total - job.done) / rate, len(active.running))

    @property
    def running(self) -> int:
        """Items under way."""
        return sum(len(active.running) for active in self._active.values())

    # --------------------------------------------------------------------------- deciding

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                await self._fill()
            except Unavailable as full:
                log.warning("jobs wait: %s", full.message)
                await asyncio.sleep(self._pause(4))
                continue
            await self._wake.wait()

    async def _fill(self) -> None:
        """Begin items until the batch has its share, the first job's first."""
        if self._stale:
            self._stale = False
            self._open = await self._store.open_jobs()
        for job in self._open:
            if self.running >= self._requests:
                return
            active = self._active.get(job.id) or await self._begin(job)
            if active is None:
                continue
            while self.running < self._requests and not active.drained:
                self._begin_item(active)
            self._finish_if_done(active)

    async def _begin(self, job: Job) -> Active | None:
        """Take a job up; None if it ends right here."""
        try:
            if not await self._store.begin(job.id, self._clock.now()):
                return None
            work = await self._work_of(job)
        except (NodeRefused, InputRefused) as refusal:
            if isinstance(refusal, NodeRefused) and refusal.status in (AWAY, FULL):
                self._later(refusal.retry_after_s or self._pause(4))
                return None
            await self._fail(job, refusal.message)
            return None
        done = await self._store.done_items(job.id)
        waiting = (item for item in range(job.total) if item not in done)
        active = Active(job, work, waiting, self._clock.monotonic())
        self._active[job.id] = active
        return active

    async def _work_of(self, job: Job) -> Work:
        """Raises `NodeRefused` if its models are not what they were."""
        bound = []
        for was in job.bound:
            now = await self._models.resolve(was.model)
            changed = unlike(was, now)
            if changed:
                raise NodeRefused(409, "model_changed", changed, param="model")
            bound.append(now)
        return KINDS[job.kind](job, bound, self._desk)

    def _begin_item(self, active: Active) -> None:
        item = next(active.waiting, None)
        if item is None:
            active.drained = True
            return
        task = asyncio.create_task(self._item(active, item))
        active.running[item] = task

        def over(_: asyncio.Task[None]) -> None:
            active.running.pop(item, None)
            self._wake.set()

        task.add_done_callback(over)

    def _finish_if_done(self, active: Active) -> None:
        if active.drained and not active.running and active.finishing is None:
            active.finishing = self._spawn(self._finish(active))

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _later(self, seconds: float) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            self.wake()

        self._spawn(wait())

    def _pause(self, failures: int) -> float:
        return min(self._backoff_s * 2.0 ** (failures - 1), BACKOFF_S_MAX)

    # --------------------------------------------------------------------------- an item

    async def _item(self, active: Active, item: int) -> None:
        """Work on one item until it has a result, its job has failed, or nobody wants it."""
        try:
            result = await self._tried(active, item)
        except NodeRefused as refusal:
            if refusal.status in (AWAY, 404, 409):
                await self._fail(active.job, f"item {item}: {refusal.message}")
                return
            result = Item(item, {}, refusal.message)
        except (InputRefused, LanguageError) as refusal:
            result = Item(item, {}, refusal.reason)
        except Exception as error:
            # Our own bug must end this job with its story, not the node.
            log.exception("job %s, item %d", active.job.id, item)
            await self._fail(active.job, f"item {item}: {type(error).__name__}: {error}")
            return
        await self._record(active, result)

    async def _tried(self, active: Active, item: int) -> Item:
        """The result, after as many tries as it takes. Raises the last refusal."""
        answered, failures, full = self._desk.answered, 0, 0
        while True:
            try:
                suspect = failures >= 2
                async with self._alone if suspect else contextlib.nullcontext():
                    return Item(item, await active.work.do(item))
            except NodeRefused as refusal:
                if refusal.status == FULL:  # others are being served: nobody's fault
                    full += 1
                    await asyncio.sleep(self._pause(min(full, FULL_PAUSES)))
                    continue
                failures += 1
                if refusal.code in GONE:
                    await self._look_again(active)
                elif refusal.status != AWAY or refusal.code == "engine_dead":
                    raise
                if failures >= self._failures_max:
                    if self._desk.answered == answered:
                        raise
                    why = f"given up after {failures} tries: {refusal.message}"
                    return Item(item, {}, why)
                await asyncio.sleep(self._pause(failures))

    async def _look_again(self, active: Active) -> None:
        """Its model does not answer: gone for good, which raises, or being loaded again."""
        try:
            active.work = await self._work_of(active.job)
        except NodeRefused as refusal:
            if refusal.status != AWAY:
                raise

    async def _record(self, active: Active, result: Item) -> None:
        """Put a result into the store, when there is room for it."""
        while True:
            try:
                if await self._store.record(active.job.id, result):
                    active.recorded += 1
                    done = active.job.done + active.recorded
                    self.on_progress(active.job.id, active.job.kind, done, active.job.total)
                else:  # cancelled meanwhile, and perhaps queued again: whoever begins it looks
                    self.forget(active.job.id)
                return
            except Unavailable as full:
                log.warning("job %s waits: %s", active.job.id, full.message)
                await asyncio.sleep(self._pause(4))

    # --------------------------------------------------------------------------- ends

    async def _finish(self, active: Active) -> None:
        """Seal the output, then say that the job is done."""
        job = active.job
        try:
            done = await self._store.done_items(job.id)
            assert len(done) == job.total, f"job {job.id} has {len(done)} of {job.total} items"
            summary = await asyncio.to_thread(
                output.publish, self._lab, self._store, job, active.work
            )
            if not await self._store.end(job.id, State.DONE, self._clock.now(), summary=summary):
                await asyncio.to_thread(output.withdraw, self._lab, job.id)  # it was cancelled
        except (OSError, Regime3Error) as error:
            await self._fail(job, f"its output cannot be written: {error}")
        self._active.pop(job.id, None)
        self.wake()

    async def _fail(self, job: Job, why: str) -> None:
        """End a job with its reason, and let go of its other requests."""
        with contextlib.suppress(Unavailable):  # the next start finds it running, and tries again
            await self._store.end(job.id, State.FAILED, self._clock.now(), error=why)
        active = self._active.pop(job.id, None)
        if active is not None:
            own = asyncio.current_task()
            for task in list(active.running.values()):
                if task is not own:
                    task.cancel()
        self.wake()
