"""The runner: order, limits, an engine that goes away, cancelling, going on."""

from __future__ import annotations

import asyncio
import json
from itertools import count
from typing import Any

import pytest

from regime3.errors import NodeRefused
from regime3.jobs.orders import DataGenOrder, EvalOrder, GenerateOrder, Metric
from regime3.jobs.record import State
from regime3.paths import Lab
from regime3.records.wire import Generate
from tests.jobs.conftest import done, ended, office, run, until
from tests.jobs.double import FakeEngine, bound, models


def prompts(text: str, **more: Any) -> GenerateOrder:
    return GenerateOrder(model="garbage", prompt=text, **more)


def evaluation(examples: int = 10, **more: Any) -> EvalOrder:
    given = {"model": "right", "dataset_ref": "tasks:arithmetic:1-2", **more}
    return EvalOrder(max_examples=examples, metrics=[Metric.EXACT_MATCH], **given)


def away() -> NodeRefused:
    return NodeRefused(503, "engine_restarted", "the engine is starting", retry_after_s=2.0)


def test_jobs_keep_no_more_requests_in_the_batch_than_they_may(lab: Lab) -> None:
    async def story() -> None:
        engine = FakeEngine(delay_s=0.003)
        async with office(lab, engine, requests=3) as jobs:
            await done(jobs, evaluation(12))
        assert engine.running_max == 3
        assert not any(ask.interactive for ask in engine.asks)

    run(story())


def test_priority_comes_first_then_age(lab: Lab) -> None:
    async def story() -> None:
        engine = FakeEngine()
        async with office(lab, engine, start=False, requests=1) as jobs:
            asked = [("old", 50), ("low", 10), ("high", 90), ("young", 50), ("raised", 0)]
            made = {text: await jobs.create(prompts(text, priority=n)) for text, n in asked}
            await jobs.set_priority(made["raised"].id, 100)
            await jobs.start()
            for job in made.values():
                await ended(jobs, job)
        told = [ask.prompt.text for ask in engine.asks]
        assert told == ["raised", "high", "old", "young", "low"]

    run(story())


def test_a_job_with_few_items_leaves_room_for_the_next_one(lab: Lab) -> None:
    async def story() -> None:
        engine = FakeEngine(delay_s=0.02)
        async with office(lab, engine, start=False, requests=4) as jobs:
            made = [await jobs.create(prompts(str(n))) for n in range(4)]
            await jobs.start()
            for job in made:
                await ended(jobs, job)
        assert engine.running_max == 4

    run(story())


def test_an_item_whose_engine_went_away_is_asked_again(lab: Lab, engine: FakeEngine) -> None:
    seen: set[int] = set()

    def before(ask: Generate) -> None:
        if ask.sampling.seed not in seen:
            seen.add(ask.sampling.seed or 0)
            raise away()

    async def story() -> None:
        engine.before = before
        async with office(lab, engine) as jobs:
            job = await done(jobs, evaluation())
        assert (job.state, job.done, job.missed) == (State.DONE, 10, 0)
        assert job.summary is not None and job.summary["exact_match"] == 1.0
        assert len(engine.asks) == 20

    run(story())


def test_a_prompt_that_kills_the_engine_is_missed_alone(lab: Lab, engine: FakeEngine) -> None:
    """Every request under way dies with it, so the innocent must not be blamed."""
    poison = asyncio.Event()

    async def before(ask: Generate) -> None:
        deadly = "14 * 5" in str(ask.prompt.messages)
        if deadly:
            await asyncio.sleep(0.002)
            poison.set()
            await asyncio.sleep(0)
            poison.clear()
            raise away()
        death = asyncio.create_task(poison.wait())
        answered = asyncio.create_task(asyncio.sleep(0.004))
        await asyncio.wait([death, answered], return_when=asyncio.FIRST_COMPLETED)
        killed = death.done()
        for task in (death, answered):
            task.cancel()
        if killed:
            raise away()

    async def story() -> None:
        engine.before = before
        async with office(lab, engine, requests=4, failures_max=6) as jobs:
            job = await done(jobs, evaluation())
            assert (job.state, job.done, job.missed) == (State.DONE, 10, 1)
            (bad,) = [each for each in await jobs.examples(job.id, -1, 20) if each.missed]
        assert "given up after 6 tries" in (bad.missed or "")

    run(story())


def test_an_engine_that_is_full_is_waited_for_and_nothing_is_missed(
    lab: Lab, engine: FakeEngine
) -> None:
    calls = count(1)

    def before(ask: Generate) -> None:
        if next(calls) % 5:
            raise NodeRefused(429, "queue_full", "no room", retry_after_s=2.0)

    async def story() -> None:
        engine.before = before
        async with office(lab, engine, failures_max=2) as jobs:
            job = await done(jobs, evaluation())
        assert (job.state, job.done, job.missed) == (State.DONE, 10, 0)

    run(story())


def test_an_engine_that_never_answers_fails_the_job_which_can_be_tried_again(
    lab: Lab, engine: FakeEngine
) -> None:
    def before(ask: Generate) -> None:
        raise away()

    async def story() -> None:
        engine.before = before
        async with office(lab, engine, failures_max=3) as jobs:
            job = await done(jobs, evaluation())
            assert job.state is State.FAILED and "the engine is starting" in (job.error or "")
            engine.before = None
            job = await ended(jobs, await jobs.retry(job.id))
        assert (job.state, job.done, job.attempts, job.error) == (State.DONE, 10, 2, None)

    run(story())


def test_a_dead_engine_fails_the_job_at_once(lab: Lab, engine: FakeEngine) -> None:
    def before(ask: Generate) -> None:
        raise NodeRefused(503, "engine_dead", "left dead", next_command="r3 node")

    async def story() -> None:
        engine.before = before
        async with office(lab, engine, requests=1) as jobs:
            assert (await done(jobs, evaluation())).state is State.FAILED
        assert len(engine.asks) == 1

    run(story())


def test_an_example_that_does_not_fit_is_missed_with_its_reason(
    lab: Lab, engine: FakeEngine
) -> None:
    calls = count(1)

    def before(ask: Generate) -> None:
        if next(calls) == 3:
            raise NodeRefused(400, "context_length_exceeded", "longer than the context")

    async def story() -> None:
        engine.before = before
        async with office(lab, engine) as jobs:
            job = await done(jobs, evaluation())
            missed = [each.missed for each in await jobs.examples(job.id, -1, 20) if each.missed]
        assert (job.state, job.missed, missed) == (State.DONE, 1, ["longer than the context"])
        assert job.summary is not None and job.summary["answers"] == 9

    run(story())


def test_a_job_on_a_model_deleted_later_fails_with_that_reason(
    lab: Lab, engine: FakeEngine
) -> None:
    known = models("right")
    calls = count(1)

    def before(ask: Generate) -> None:
        if next(calls) > 4:
            known.known.clear()
            raise NodeRefused(404, "model_not_found", "right is not loaded")

    async def story() -> None:
        engine.before = before
        async with office(lab, engine, known, requests=2) as jobs:
            job = await done(jobs, evaluation())
        assert job.state is State.FAILED and "there is no model right-id" in (job.error or "")
        assert job.done >= 3

    run(story())


def test_a_model_that_was_unloaded_and_comes_back_is_asked_again(
    lab: Lab, engine: FakeEngine
) -> None:
    calls = count(1)

    def before(ask: Generate) -> None:
        if next(calls) == 4:
            raise NodeRefused(404, "model_not_found", "right is not loaded")

    async def story() -> None:
        engine.before = before
        async with office(lab, engine) as jobs:
            assert (await done(jobs, evaluation())).state is State.DONE

    run(story())


def test_a_job_is_bound_to_content_and_not_to_an_alias(lab: Lab, engine: FakeEngine) -> None:
    known = models("right", "wrong")

    async def story() -> None:
        known.known["champion"] = known.known["right"]
        async with office(lab, engine, known, start=False) as jobs:
            moved = await jobs.create(evaluation(model="champion"))
            known.known["champion"] = known.known["wrong"]
            await jobs.start()
            job = await ended(jobs, moved)
            assert job.summary is not None and job.summary["exact_match"] == 1.0
        async with office(lab, engine, known, start=False) as jobs:
            changed = await jobs.create(evaluation(model="right"))
            known.known["right"] = bound("right", "other weights")
            await jobs.start()
            job = await ended(jobs, changed)
        assert job.state is State.FAILED and "the job is bound to" in (job.error or "")

    run(story())


def test_cancelling_takes_the_requests_out_of_the_batch_at_once(lab: Lab) -> None:
    async def story() -> None:
        engine = FakeEngine(delay_s=60.0)
        async with office(lab, engine, requests=3) as jobs:
            job = await jobs.create(evaluation())

            async def three_run() -> bool:
                return engine.running == 3

            await until(three_run)
            assert (await jobs.cancel(job.id)).state is State.CANCELLED
            assert (await jobs.cancel(job.id)).state is State.CANCELLED

            async def none_runs() -> bool:
                return engine.running == 0

            await until(none_runs)
            engine.delay_s = 0.0
            job = await ended(jobs, await jobs.retry(job.id))
        assert engine.cancelled == 3
        assert (job.state, job.done) == (State.DONE, 10)

    run(story())


def test_a_job_goes_on_where_it_was_and_asks_nothing_twice(lab: Lab, engine: FakeEngine) -> None:
    async def story() -> None:
        def before(ask: Generate) -> Any:
            return asyncio.sleep(60) if len(engine.asks) > 6 else None

        engine.before = before
        async with office(lab, engine, requests=1) as jobs:
            job = await jobs.create(evaluation())

            async def six_done() -> bool:
                return (await jobs.job(job.id)).done == 6

            await until(six_done)
        engine.before = None
        before_it = set(engine.asked)
        engine.asked.clear()
        async with office(lab, engine, requests=1) as jobs:
            job = await ended(jobs, job)
        assert (job.state, job.done) == (State.DONE, 10)
        assert sum(engine.asked.values()) == 4 and len(set(engine.asked) & before_it) <= 1

    run(story())


def test_a_bug_ends_its_job_with_a_story_and_not_the_runner(
    lab: Lab, engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    def before(ask: Generate) -> None:
        if ask.prompt.text == "bug":
            raise ZeroDivisionError("ours")

    async def story() -> None:
        engine.before = before
        async with office(lab, engine) as jobs:
            job = await done(jobs, prompts("bug"))
            assert job.state is State.FAILED and "ZeroDivisionError: ours" in (job.error or "")
            assert (await done(jobs, prompts("fine"))).state is State.DONE

    run(story())


def test_output_is_there_only_when_the_job_is_done(lab: Lab, engine: FakeEngine) -> None:
    async def story() -> None:
        async with office(lab, engine, start=False) as jobs:
            order = DataGenOrder(model="mixed", family="arithmetic", levels=[1], problems=10)
            job = await jobs.create(order)
            with pytest.raises(NodeRefused, match="is queued") as refused:
                await jobs.manifest(job.id)
            assert refused.value.status == 409 and not lab.node_job(job.id).exists()
            await jobs.start()
            await ended(jobs, job)
            (shard,) = (await jobs.manifest(job.id))["shards"]
            path = await jobs.shard(job.id, shard["name"])
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            assert len(lines) == shard["lines"] == 40
            with pytest.raises(NodeRefused, match="no such shard"):
                await jobs.shard(job.id, "attempts-00001.jsonl")

    run(story())


def test_progress_tells_a_rate_and_when_it_will_be_over(lab: Lab) -> None:
    async def story() -> None:
        engine = FakeEngine(delay_s=0.01)
        async with office(lab, engine, requests=2) as jobs:
            job = await jobs.create(evaluation(20))

            async def some_done() -> bool:
                return (await jobs.job(job.id)).done >= 4

            await until(some_done)
            now = await jobs.job(job.id)
            pace = jobs.pace(now)
            assert pace.items_per_s and pace.items_per_s > 0
            assert pace.eta_s == pytest.approx((20 - now.done) / pace.items_per_s)
            assert (await jobs.stats())["items_running"] == pace.running == 2

    run(story())
