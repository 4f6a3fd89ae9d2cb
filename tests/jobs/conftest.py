"""An office of jobs in a temp lab, its engine a double."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from regime3.config import Settings
from regime3.jobs.office import Jobs
from regime3.jobs.orders import Order
from regime3.jobs.record import Job
from regime3.paths import Lab
from tests.jobs.double import FakeEngine, FakeModels, models

WAIT_S = 20.0


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "lab")


@pytest.fixture
def engine() -> FakeEngine:
    """It knows the first problems of arithmetic."""
    return (
        FakeEngine().learn("arithmetic", [1, 2], "heldout", 5).learn("arithmetic", [1], "train", 10)
    )


@asynccontextmanager
async def office(
    lab: Lab,
    engine: FakeEngine,
    known: FakeModels | None = None,
    *,
    start: bool = True,
    **limits: Any,
) -> AsyncIterator[Jobs]:
    limits = {"backoff_s": 0.001, **limits}
    jobs = await Jobs.open(lab, Settings(), engine, known or models(), **limits)
    try:
        if start:
            await jobs.start()
        yield jobs
    finally:
        await jobs.close()


async def until(holds: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not await holds():
            await asyncio.sleep(0.002)


async def ended(jobs: Jobs, job: Job) -> Job:
    async def holds() -> bool:
        return (await jobs.job(job.id)).ended_for_good

    await until(holds)
    return await jobs.job(job.id)


async def done(jobs: Jobs, order: Order) -> Job:
    """The job of an order, at its end."""
    return await ended(jobs, await jobs.create(order))


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)
