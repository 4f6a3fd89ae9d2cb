"""Retention: what is old and unused goes and is told; what anybody uses stays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from regime3 import config
from regime3.clock import FakeClock
from regime3.jobs.office import Jobs
from regime3.jobs.orders import GenerateOrder
from regime3.paths import Lab
from regime3.registry import Registry
from regime3.serve.models import Models
from regime3.serve.retention import DAY_S, GB, Retention
from tests.jobs.conftest import done, ended
from tests.jobs.double import FakeEngine, models
from tests.registry.folders import a_folder
from tests.serve.small_node import FakeLink


class Scene:
    """A node of models and jobs, its clock, and what it told."""

    def __init__(self, root: Path, **node: Any) -> None:
        self.lab, self.clock = Lab(root / "lab"), FakeClock()
        self.registry = Registry(self.lab, self.clock)
        self.settings = config.Settings(node=config.Node(**node))
        self.link = FakeLink()
        self.models = Models(self.lab, self.settings, self.registry, self.link)  # type: ignore[arg-type]
        self.told: list[str] = []

    async def open(self) -> Scene:
        engine = FakeEngine()
        self.jobs = await Jobs.open(
            self.lab, self.settings, engine, models(), clock=self.clock, backoff_s=0.001
        )
        self.retention = Retention(self.settings.node, self.models, self.jobs, self.told.append)
        return self

    def push(self, *ids: str) -> None:
        """Models that come by uploads, one after another."""
        for number, model_id in enumerate(ids):
            arrived = a_folder(self.lab.root / "arrived" / model_id, seed=number)
            self.clock.advance(1.0)
            self.registry.adopt(model_id, arrived)

    @property
    def ids(self) -> list[str]:
        on_disk = {path.name for path in self.lab.node_models.iterdir()}
        found = [each.id for each in self.registry.list()]
        assert set(found) == on_disk
        return found


def order(**more: Any) -> GenerateOrder:
    return GenerateOrder(model="right", prompt="hello", max_tokens=4, **more)


def test_the_oldest_pushed_models_beyond_the_number_go_and_are_told(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path, models_keep=2).open()
        scene.push("a", "b", "c", "d")
        await scene.retention.tidy()
        assert scene.ids == ["c", "d"]
        assert [line.split(" (")[0] for line in scene.told] == [
            "deleted model a", "deleted model b",
        ]  # fmt: skip
        await scene.retention.tidy()
        assert len(scene.told) == 2
        await scene.jobs.close()

    asyncio.run(story())


def test_what_an_alias_the_memory_or_an_open_job_uses_stays(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path, models_keep=1, residents_max=3).open()
        scene.push("old", "first", "second", "third", "bound", "new")

        async def bound() -> set[str]:
            return {"bound"}

        scene.models.in_use = bound
        await scene.models.activate("first")
        await scene.models.activate("second")
        await scene.models.activate("third", "challenger")
        assert scene.registry.aliases["previous"] == "first"
        await scene.retention.tidy()
        assert scene.ids == ["first", "second", "third", "bound", "new"]
        await scene.jobs.close()

    asyncio.run(story())


def test_models_that_were_not_pushed_stay_and_a_new_look_changes_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path, models_keep=1).open()
        a_folder(scene.lab.node_model("by-hand"))
        scene.registry.register("by-hand", "by-hand")
        scene.push("a", "b")
        scene.registry.verify("a")  # looked at again, it is as it was
        await scene.retention.tidy()
        assert scene.ids == ["by-hand", "b"]
        await scene.jobs.close()

    asyncio.run(story())


def test_with_zero_everything_is_kept(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path, models_keep=0, jobs_keep_days=0.0, jobs_keep_gb=0.0).open()
        scene.push("a", "b")
        await scene.jobs.start()
        job = await done(scene.jobs, order())
        scene.clock.advance(1000 * DAY_S)
        await scene.retention.tidy()
        assert scene.ids == ["a", "b"] and not scene.told
        assert (await scene.jobs.job(job.id)).id == job.id
        await scene.jobs.close()

    asyncio.run(story())


def test_old_jobs_go_with_rows_results_and_output_and_open_ones_never(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path, jobs_keep_days=7.0).open()
        waiting = await scene.jobs.create(order())
        await scene.jobs.cancel((await scene.jobs.create(order())).id)
        scene.clock.advance(6 * DAY_S)
        await scene.retention.tidy()
        assert not scene.told
        scene.clock.advance(2 * DAY_S)
        await scene.retention.tidy()
        (line,) = scene.told
        assert line.startswith("deleted job ") and waiting.id not in line
        await scene.jobs.start()
        finished = await ended(scene.jobs, waiting)
        folder = scene.lab.node_job(finished.id)
        assert folder.is_dir()
        scene.clock.advance(8 * DAY_S)
        await scene.retention.tidy()
        assert not folder.exists() and len(scene.told) == 2
        listed = await scene.jobs.recent(state=None, kind=None, before=None, limit=9)
        assert listed == [] and await scene.jobs._store.items(finished.id, -1, 9) == []
        await scene.jobs.close()

    asyncio.run(story())


def test_the_oldest_jobs_go_until_the_output_of_the_others_fits(tmp_path: Path) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path).open()
        await scene.jobs.cancel((await scene.jobs.create(order())).id)  # no output, and oldest
        await scene.jobs.start()
        made = [await done(scene.jobs, order(n=number)) for number in (1, 2, 3)]
        scene.clock.advance(1.0)
        waiting = await scene.jobs.create(order())
        folders = [scene.lab.node_job(job.id) for job in made]
        sizes = [sum(path.stat().st_size for path in folder.iterdir()) for folder in folders]
        await ended(scene.jobs, waiting)

        async def tidy(room: int) -> None:
            settings = config.Node(jobs_keep_gb=room / GB)
            keeps = Retention(settings, scene.models, scene.jobs, scene.told.append)
            await keeps.tidy()

        await tidy(sum(sizes))  # what ended in this very moment is not looked at
        assert all(folder.is_dir() for folder in folders) and not scene.told
        await tidy(sum(sizes) - 1)
        assert [folder.is_dir() for folder in folders] == [False, True, True]
        (line,) = scene.told
        assert line.startswith("deleted 2 oldest jobs, ") and made[0].id in line
        await tidy(sizes[2])
        assert [folder.is_dir() for folder in folders] == [False, False, True]
        await scene.jobs.close()

    asyncio.run(story())


def test_a_job_that_is_tried_again_while_old_ones_go_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path, jobs_keep_days=7.0, jobs_keep_gb=0.0).open()
        job = await scene.jobs.create(order())
        await scene.jobs.cancel(job.id)
        scene.clock.advance(8 * DAY_S)
        listed = scene.jobs._store.ended_before

        async def listed_then_retried(when: float) -> list[str]:
            found = await listed(when)
            assert found == [job.id]
            await scene.jobs.retry(job.id)
            return found

        monkeypatch.setattr(scene.jobs._store, "ended_before", listed_then_retried)
        await scene.retention.tidy()
        assert not scene.told and (await scene.jobs.job(job.id)).state == "queued"
        await scene.jobs.close()

    asyncio.run(story())


def test_a_failing_disk_is_told_and_the_next_round_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        scene = await Scene(tmp_path, models_keep=1).open()
        rounds = 0

        async def tidy() -> None:
            nonlocal rounds
            rounds += 1
            raise OSError(28, "no space left")

        monkeypatch.setattr(scene.retention, "tidy", tidy)
        monkeypatch.setattr("regime3.serve.retention.PAUSE_S", 0.001)
        task = asyncio.create_task(scene.retention.run())
        while rounds < 3:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert "no space left" in scene.told[0]
        await scene.jobs.close()

    asyncio.run(story())
