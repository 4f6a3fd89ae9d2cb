"""The store: once is once, and what is not a store is refused."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from regime3.errors import LabError, NodeRefused, Unavailable
from regime3.jobs import store as store_module
from regime3.jobs.record import Item, Kind, State
from regime3.jobs.store import OPEN_MAX, SCHEMA_VERSION, Draft, Store
from tests.jobs.conftest import run
from tests.jobs.double import bound

ITEMS = 6


def draft(name: str, total: int = ITEMS, **more: Any) -> Draft:
    given: dict[str, Any] = {"priority": 50, "order": {}, "bound": [bound("m")], "facts": {}}
    return Draft(id=name, kind=Kind.EVAL, total=total, **{**given, **more})


class Life(RuleBasedStateMachine):
    """One job through any history, the store closed and opened in between, beside a plain model."""

    folder: Path
    lives = 0

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        Life.lives += 1
        self.path = self.folder / f"{Life.lives}.sqlite"
        self.store = self.call(Store.open(self.path))
        self.call(self.store.create(draft("job"), 1.0))
        self.state, self.items = State.QUEUED, dict[int, str | None]()

    def call(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule()
    def begin(self) -> None:
        told = self.call(self.store.begin("job", 2.0))
        assert told is (self.state in (State.QUEUED, State.RUNNING))
        self.state = State.RUNNING if told else self.state

    @rule(item=st.integers(0, ITEMS - 1), missed=st.sampled_from([None, "why"]))
    def record(self, item: int, missed: str | None) -> None:
        kept = self.call(self.store.record("job", Item(item, {"n": item}, missed)))
        assert kept is (self.state is State.RUNNING and item not in self.items)
        if kept:
            self.items[item] = missed

    @rule(state=st.sampled_from([State.DONE, State.FAILED]))
    def end(self, state: State) -> None:
        told = self.call(self.store.end("job", state, 3.0))
        assert told is (self.state is State.RUNNING)
        self.state = state if told else self.state

    @rule()
    def cancel(self) -> None:
        if self.state in (State.DONE, State.FAILED):
            with pytest.raises(NodeRefused):
                self.call(self.store.cancel("job", 4.0))
        else:
            self.state = self.call(self.store.cancel("job", 4.0)).state
            assert self.state is State.CANCELLED

    @rule()
    def retry(self) -> None:
        if self.state not in (State.FAILED, State.CANCELLED):
            with pytest.raises(NodeRefused):
                self.call(self.store.retry("job"))
        else:
            self.state = self.call(self.store.retry("job")).state
            assert self.state is State.QUEUED
            self.items = {item: why for item, why in self.items.items() if why is None}

    @precondition(lambda self: self.items)
    @rule()
    def restart(self) -> None:
        self.call(self.store.close())
        self.store = self.call(Store.open(self.path))

    @invariant()
    def the_counts_are_those_of_the_items(self) -> None:
        job = self.call(self.store.job("job"))
        missed = sum(why is not None for why in self.items.values())
        assert (job.state, job.done, job.missed) == (self.state, len(self.items), missed)
        assert [each.item for each in self.store.results("job")] == sorted(self.items)

    def teardown(self) -> None:
        self.call(self.store.close())
        self.loop.close()


def test_any_history_of_a_job_keeps_each_item_once(tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    Life.folder = tmp_path
    limits = settings(
        max_examples=25,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Life, settings=limits)  # type: ignore[no-untyped-call]


def test_more_jobs_than_may_be_open_are_told_to_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert OPEN_MAX >= 32
    monkeypatch.setattr(store_module, "OPEN_MAX", 2)

    async def story() -> None:
        store = await Store.open(tmp_path / "jobs.sqlite")
        for name in "ab":
            await store.create(draft(name), 1.0)
        with pytest.raises(NodeRefused, match="at most 2") as refused:
            await store.create(draft("c"), 1.0)
        assert refused.value.status == 429 and refused.value.retry_after_s
        await store.cancel("a", 2.0)
        await store.create(draft("c"), 1.0)
        with pytest.raises(NodeRefused, match="at most 2"):
            await store.retry("a")
        await store.close()

    run(story())


def test_pages_of_jobs_meet_without_a_gap(tmp_path: Path) -> None:
    async def story() -> None:
        store = await Store.open(tmp_path / "jobs.sqlite")
        for number in range(7):
            await store.create(draft(f"job-{number}"), float(number))
        await store.cancel("job-3", 9.0)
        seen, before = [], None
        while page := await store.jobs(before=before, limit=3):
            seen += [job.id for job in page]
            before = page[-1].sequence
        assert seen == [f"job-{number}" for number in reversed(range(7))]
        assert [job.id for job in await store.jobs(state=State.CANCELLED)] == ["job-3"]
        await store.close()

    run(story())


def test_who_follows_results_as_they_come_misses_none(tmp_path: Path) -> None:
    async def story() -> None:
        store = await Store.open(tmp_path / "jobs.sqlite")
        for name in ("job", "other"):
            await store.create(draft(name), 1.0)
            await store.begin(name, 1.0)
        seen, after = [], 0
        for item in (5, 0, 3, 1, 4, 2):
            await store.record("job", Item(item, {}))
            await store.record("other", Item(item, {}))
            page = await store.items("job", after, 9)
            seen += [each.item for each in page]
            after = page[-1].sequence
        assert seen == [5, 0, 3, 1, 4, 2]
        assert [each.item for each in store.results("job")] == [0, 1, 2, 3, 4, 5]
        await store.close()

    run(story())


def test_rows_of_a_job_come_back_as_they_were(tmp_path: Path) -> None:
    async def story() -> None:
        store = await Store.open(tmp_path / "jobs.sqlite")
        await store.create(
            draft("j", 2, inputs=['{"a": "é\\u0000"}', '{"a": 12345678901234567890}']), 1.0
        )
        assert await store.row("j", 0) == {"a": "é\x00"}
        assert await store.row("j", 1) == {"a": 12345678901234567890}
        await store.close()

    run(story())


def test_what_is_no_store_and_what_is_newer_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.sqlite").write_text("this is no database, whatever its name says" * 40)
    with sqlite3.connect(tmp_path / "newer.sqlite") as db:
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")

    async def story() -> None:
        with pytest.raises(LabError, match="no store of jobs"):
            await Store.open(tmp_path / "text.sqlite")
        with pytest.raises(LabError, match="newer version"):
            await Store.open(tmp_path / "newer.sqlite")

    run(story())


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    async def story() -> None:
        store = await Store.open(tmp_path / "jobs.sqlite")
        await store.create(draft("job"), 1.0)
        await store.begin("job", 1.0)
        await store.record("job", Item(0, {}))
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count={pages}")
        with pytest.raises(Unavailable, match="cannot be written"):
            await store.record("job", Item(1, {"text": "x" * 100_000}))
        assert (await store.job("job")).done == 1
        store._db.execute("PRAGMA max_page_count=1000000")
        assert await store.record("job", Item(1, {"text": "x" * 100_000}))
        await store.close()

    run(story())
