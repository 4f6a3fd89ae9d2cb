"""Routes of jobs: make them, look at them, change them, take what they made.

    app.include_router(router(jobs))

Refusals are `NodeRefused`, which the app turns into HTTP; bodies and parameters that do not fit
are FastAPI's validation errors, which the app turns into the same shape. The router's only own
error is none: whatever is asked, nothing here answers with a 5xx.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import FileResponse, Response
from pydantic import BaseModel, Field

from regime3.jobs.office import Jobs
from regime3.jobs.orders import (
    CompareOrder,
    DataGenOrder,
    EvalOrder,
    FilterOrder,
    GenerateOrder,
    Order,
    Priority,
    Strict,
)
from regime3.jobs.record import Job, Kind, State
from regime3.serve.refusals import refusals

PAGE_MAX = 500
JSONL = "application/x-ndjson"

JobId = Annotated[
    str, Path(pattern=r"^job-[0-9a-f]{24}$", min_length=28, max_length=28, description="Opaque.")
]
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX)]
Sequence = Annotated[int, Query(ge=1, le=(1 << 53) - 1, description="From the page before.")]
Came = Annotated[int, Query(ge=0, le=(1 << 53) - 1, description="From the page before.")]
ShardName = Annotated[str, Query(pattern=r"^[a-z]{1,32}-[0-9]{5}\.jsonl$", max_length=64)]


class ModelView(BaseModel):
    """A model that a job is bound to."""

    model: str
    sha256: str
    codebook: str | None


class JobView(BaseModel):
    """A job. Times are seconds since the epoch; null is "not yet" or "not known"."""

    object: str = "job"
    id: str
    kind: Kind
    state: State
    priority: int
    created: float
    started: float | None
    ended: float | None
    total: int = Field(description="Items.")
    done: int = Field(description="Items with a result.")
    missed: int = Field(description="Of them, those that could not be worked on, and say why.")
    running: int = Field(description="Items under way.")
    items_per_s: float | None
    eta_s: float | None
    attempts: int
    error: str | None
    order: dict[str, Any]
    models: list[ModelView]
    facts: dict[str, Any]
    summary: dict[str, Any] | None = Field(description="What it came to, once done.")


class JobPage(BaseModel):
    """Newest first."""

    object: str = "list"
    data: list[JobView]
    next_before: int | None = Field(description="`before` of the next page; null: it was the last.")


class Example(BaseModel):
    """What came of one item; the fields of `result` are those of the job's kind."""

    item: int
    sequence: int
    missed: str | None
    result: dict[str, Any]


class ExamplePage(BaseModel):
    """As they came, which need not be the order of their items: who follows a job misses none."""

    object: str = "list"
    data: list[Example]
    next_after: int | None = Field(
        description="`after` of the next page; null: no more yet; later, from the last `sequence`."
    )


class ShardView(BaseModel):
    """A file of the output."""

    name: str
    lines: int
    size_bytes: int
    sha256: str


class OutputView(BaseModel):
    """What a done job has published."""

    job: str
    shards: list[ShardView]


class StatsView(BaseModel):
    """All jobs together."""

    jobs: int
    states: dict[str, int]
    kinds: dict[str, dict[str, int]]
    items_running: int
    requests: int = Field(description="Answered by the engine since the node began.")
    tokens: int = Field(description="Written for jobs since the node began.")


class NewPriority(Strict):
    """Where a job stands."""

    priority: Priority


MAKING = refusals(400, 404, 409, 413, 422, 429)
SEEING = refusals(400, 404, 422, 429)
CHANGING = refusals(400, 404, 409, 413, 422, 429)


def router(jobs: Jobs) -> APIRouter:
    """The routes over a node's jobs."""
    routes = APIRouter(tags=["jobs"])
    _add_making(routes, jobs)
    _add_seeing(routes, jobs)
    _add_output(routes, jobs)
    _add_changing(routes, jobs)
    return routes


def _add_making(routes: APIRouter, jobs: Jobs) -> None:
    async def made(order: Order) -> JobView:
        return view(jobs, await jobs.create(order))

    @routes.post("/eval/jobs", status_code=202, responses=MAKING)
    async def evaluate(order: EvalOrder) -> JobView:
        """Evaluate a model on problems or rows."""
        return await made(order)

    @routes.post("/data_gen/jobs", status_code=202, responses=MAKING)
    async def generate_data(order: DataGenOrder) -> JobView:
        """Let a model attempt training problems, and judge every attempt."""
        return await made(order)

    @routes.post("/generate", status_code=202, responses=MAKING)
    async def generate(order: GenerateOrder) -> JobView:
        """Answer one prompt as a job."""
        return await made(order)

    @routes.post("/compare", status_code=202, responses=MAKING)
    async def compare(order: CompareOrder) -> JobView:
        """Compare two models on the same examples."""
        return await made(order)

    @routes.post("/data/filter", status_code=202, responses=MAKING)
    async def sift(order: FilterOrder) -> JobView:
        """Keep or refuse rows by the checker, or by how a model finds them."""
        return await made(order)


def _add_seeing(routes: APIRouter, jobs: Jobs) -> None:
    @routes.get("/jobs", responses=SEEING)
    async def list_jobs(
        state: State | None = None,
        kind: Kind | None = None,
        before: Sequence | None = None,
        limit: Limit = 50,
    ) -> JobPage:
        """Jobs, the newest first."""
        found = await jobs.recent(state=state, kind=kind, before=before, limit=limit)
        last = found[-1].sequence if len(found) == limit else None
        return JobPage(data=[view(jobs, each) for each in found], next_before=last)

    # Before /jobs/{job_id}, which would take its name for an id.
    @routes.get("/jobs/stats", responses=refusals(400, 429))
    async def stats() -> StatsView:
        """Counts of all jobs."""
        return StatsView(**await jobs.stats())

    @routes.get("/jobs/{job_id}", responses=SEEING)
    async def job(job_id: JobId) -> JobView:
        """One job: its state, progress and, once done, what it came to."""
        return view(jobs, await jobs.job(job_id))

    @routes.get("/jobs/{job_id}/examples", responses=SEEING)
    async def examples(job_id: JobId, after: Came = 0, limit: Limit = 50) -> ExamplePage:
        """What has come of each item so far."""
        found = await jobs.examples(job_id, after, limit)
        last = found[-1].sequence if len(found) == limit else None
        data = [
            Example(item=each.item, sequence=each.sequence, missed=each.missed, result=each.result)
            for each in found
        ]
        return ExamplePage(data=data, next_after=last)


def _add_output(routes: APIRouter, jobs: Jobs) -> None:
    lines = {"schema": {"type": "string"}}
    sent: dict[int | str, dict[str, Any]] = {
        200: {
            "model": OutputView,
            "description": "The list of shards, or the lines of the one named.",
            "content": {JSONL: lines},
        }
    }

    @routes.get(
        "/jobs/{job_id}/output",
        responses=sent | refusals(400, 404, 409, 422, 429),
        response_model=None,
    )
    async def output(job_id: JobId, shard: ShardName | None = None) -> OutputView | Response:
        """What a done job made: the list of shards, or with `shard` its lines."""
        if shard is not None:
            return FileResponse(await jobs.shard(job_id, shard), media_type=JSONL, filename=shard)
        told = await jobs.manifest(job_id)
        return OutputView(job=job_id, shards=[ShardView(**each) for each in told["shards"]])


def _add_changing(routes: APIRouter, jobs: Jobs) -> None:
    @routes.post("/jobs/{job_id}/cancel", responses=CHANGING)
    async def cancel(job_id: JobId) -> JobView:
        """End a job at once; what it has so far stays readable."""
        return view(jobs, await jobs.cancel(job_id))

    @routes.post("/jobs/{job_id}/retry", responses=CHANGING)
    async def retry(job_id: JobId) -> JobView:
        """Queue a failed or cancelled job again, for the items that it lacks."""
        return view(jobs, await jobs.retry(job_id))

    @routes.put("/jobs/{job_id}/priority", responses=CHANGING)
    async def set_priority(job_id: JobId, wanted: NewPriority) -> JobView:
        """Move an open job before or behind others."""
        return view(jobs, await jobs.set_priority(job_id, wanted.priority))


def view(jobs: Jobs, job: Job) -> JobView:
    """A job as clients see it."""
    pace = jobs.pace(job)
    return JobView(
        id=job.id,
        kind=job.kind,
        state=job.state,
        priority=job.priority,
        created=job.created,
        started=job.started,
        ended=job.ended,
        total=job.total,
        done=job.done,
        missed=job.missed,
        running=pace.running,
        items_per_s=pace.items_per_s,
        eta_s=pace.eta_s,
        attempts=job.attempts,
        error=job.error,
        order=job.order,
        models=[
            ModelView(model=each.model, sha256=each.sha256, codebook=each.codebook)
            for each in job.bound
        ],
        facts=job.facts,
        summary=job.summary,
    )
