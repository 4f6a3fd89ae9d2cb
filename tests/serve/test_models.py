"""Activation: load beside, route, flip, drain; one at a time; nothing half-done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from regime3 import config
from regime3.clock import SystemClock
from regime3.errors import NodeRefused
from regime3.paths import Lab
from regime3.registry import Registry
from regime3.serve.models import Models
from regime3.serve.routes import models as routes
from tests.registry.folders import a_folder
from tests.serve.small_node import FakeLink, an_app


def a_node(root: Path, *ids: str, **node: Any) -> tuple[Models, FakeLink]:
    """Registered folders, none loaded."""
    lab = Lab(root / "lab")
    registry = Registry(lab, SystemClock())
    for number, model_id in enumerate(ids):
        a_folder(lab.node_model(model_id), seed=number)
        registry.register(model_id, model_id)
    link = FakeLink()
    settings = config.Settings(node=config.Node(**node))
    return Models(lab, settings, registry, link), link  # type: ignore[arg-type]


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


async def refusal(work: Awaitable[Any]) -> tuple[int, str]:
    with pytest.raises(NodeRefused) as refused:
        await work
    return refused.value.status, refused.value.code


def resolve(models: Models, name: str) -> str | tuple[int, str]:
    try:
        return models.resolve(name)
    except NodeRefused as refused:
        return refused.status, refused.code


def test_an_activation_tells_where_its_time_went(tmp_path: Path) -> None:
    async def scene() -> None:
        models, _ = a_node(tmp_path, "a")
        done = await models.activate("a")
        assert (done.load_s, done.warm_s, done.replaced) == (0.25, 0.125, None)
        assert resolve(models, "default") == resolve(models, "champion") == "a"

    run(scene)


def test_the_old_champion_answers_until_the_new_one_can_then_drains(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a", "b")
        await models.activate("a")
        link.slow.clear()
        link.drained.clear()
        swap = asyncio.create_task(models.activate("b"))
        while models.loading is None or "load b" not in link.asked:
            await asyncio.sleep(0.001)
        assert resolve(models, "champion") == "a"
        assert resolve(models, "b") == (503, "model_loading")
        assert await refusal(models.activate("a")) == (409, "activation_in_progress")
        link.slow.set()
        assert (await swap).replaced == "a"
        assert resolve(models, "default") == "b"
        await asyncio.sleep(0)
        assert models.state_of("a") == "leaving"
        assert await refusal(models.delete("a")) == (409, "model_in_use")
        link.drained.set()
        while models.residents != ["b"]:
            await asyncio.sleep(0.001)
        assert models.registry.aliases == {"champion": "b", "previous": "a"}
        assert resolve(models, "a") == (404, "model_not_loaded")

    run(scene)


def test_a_load_that_fails_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a", "b")
        await models.activate("a")
        link.refuses = NodeRefused(422, "model_refused", "no")
        assert await refusal(models.activate("b")) == (422, "model_refused")
        assert models.registry.aliases == {"champion": "a"} and resolve(models, "default") == "a"
        assert models.residents == ["a"] and models.loading is None

    run(scene)


def test_a_load_that_dies_with_the_engine_does_not_come_back_by_itself(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a")
        link.refuses = NodeRefused(503, "engine_restarted", "died")
        assert await refusal(models.activate("a")) == (503, "engine_restarted")
        assert link.asked == ["load a", "unload a"] and models.residents == []

    run(scene)


def test_a_model_that_was_changed_on_disk_is_not_loaded(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a")
        (models.lab.node_model("a") / "modeling_x.py").write_text("boom")
        assert await refusal(models.activate("a")) == (422, "code_refused")
        assert link.asked == []

    run(scene)


def test_a_third_model_waits_for_a_place(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a", "b", "c")
        await models.activate("a")
        await models.activate("b", "challenger")
        assert await refusal(models.activate("c")) == (409, "residents_full")
        await models.drop_alias("challenger")
        await models.activate("c")
        assert resolve(models, "champion") == "c" and "unload b" in link.asked

    run(scene)


def test_a_guest_stands_beside_the_others_and_leaves_first(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a", "b", "c", "d", residents_max=2)
        await models.activate("a")
        await models.activate("b", "guest")
        await models.activate("a", "champion")
        assert sorted(models.residents) == ["a", "b"], "it stays while there is a place"
        await models.activate("c", "guest")
        assert resolve(models, "guest") == "c" and "unload b" in link.asked
        await models.activate("d", "challenger")
        assert resolve(models, "challenger") == "d" and "unload c" in link.asked
        assert resolve(models, "c") == (404, "model_not_loaded")
        assert await refusal(models.activate("b", "guest")) == (409, "residents_full")
        assert sorted(models.residents) == ["a", "d"]
        await models.drop_alias("guest")

    run(scene)


def test_a_challenger_that_wins_is_not_loaded_twice(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a", "b")
        await models.activate("a")
        await models.activate("b", "challenger")
        await models.activate("b")
        assert link.asked.count("load b") == 1
        assert models.registry.aliases == {"champion": "b", "previous": "a"}

    run(scene)


def test_with_one_place_the_old_leaves_first(tmp_path: Path) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a", "b", residents_max=1)
        await models.activate("a")
        await models.activate("b")
        assert link.asked == ["load a", "unload a", "load b"]

    run(scene)


def test_start_loads_the_champion_and_says_what_went_wrong(tmp_path: Path) -> None:
    async def scene() -> None:
        models, _ = a_node(tmp_path, "a")
        assert resolve(models, "default") == (503, "model_loading")
        models.registry.set_alias("champion", "a")
        await models.start()
        assert models.why_not() is None
        (models.lab.node_model("a") / "config.json").write_text("{}")
        again, _ = a_node(tmp_path)
        await again.start()
        assert again.trouble and again.why_not() == again.trouble
        assert resolve(again, "default") == (404, "model_not_found")

    run(scene)


def test_a_model_that_is_lost_says_so_and_an_activation_loads_it_in_its_place(
    tmp_path: Path,
) -> None:
    async def scene() -> None:
        models, link = a_node(tmp_path, "a", residents_max=1)
        await models.activate("a")
        link.cards.clear()  # as after a restart of the engine
        assert resolve(models, "default") == (503, "model_loading")
        link.lost["a"] = "tried 6 times: no room"
        for name in ("a", "champion", "default"):
            assert resolve(models, name) == (503, "model_lost")
        told = models.why_not() or ""
        assert "tried 6 times: no room" in told and "set_active" in told
        link.refuses = NodeRefused(503, "out_of_memory", "no room")
        assert await refusal(models.activate("a")) == (503, "out_of_memory")
        assert resolve(models, "default") == (503, "model_lost")
        link.refuses = None
        assert (await models.activate("a")).load_s == 0.25
        assert resolve(models, "default") == "a" and models.why_not() is None
        assert models.residents == ["a"]

    run(scene)


def test_an_empty_registry_takes_the_labs_own_model(tmp_path: Path) -> None:
    async def scene() -> None:
        models, _ = a_node(tmp_path)
        a_folder(models.lab.model_base)
        await models.start()
        assert models.trouble is None
        assert models.registry.get("base").dtype == "BF16" and resolve(models, "default") == "base"

    run(scene)


def test_an_empty_lab_answers_with_the_packaged_nano(tmp_path: Path) -> None:
    async def scene() -> None:
        models, _ = a_node(tmp_path)
        await models.start()
        assert models.trouble is None and resolve(models, "default") == "nano"

    run(scene)


# ------------------------------------------------------------------------------------- routes


def over_http(root: Path, *ids: str) -> tuple[Models, httpx.AsyncClient]:
    models, _ = a_node(root, *ids)
    transport = httpx.ASGITransport(an_app(routes.router(models)))
    return models, httpx.AsyncClient(transport=transport, base_url="http://node")


def test_the_reference_set_ups_calls_work(tmp_path: Path) -> None:
    async def scene() -> None:
        models, http = over_http(tmp_path)
        folder = a_folder(models.lab.node_model("run-5"))
        body = {"id": "run-5", "source": str(folder)}
        assert (await http.post("/models/register", json=body)).status_code == 200
        told = await http.post("/models/set_active", json={"id": "run-5"})
        assert told.status_code == 200 and told.json()["load_s"] == 0.25
        assert (await http.get("/models/info")).json()["active"] == "run-5"
        listed = (await http.get("/models")).json()
        assert listed["models"][0]["state"] == "active"
        assert listed["aliases"] == {"champion": "run-5"}

    run(scene)


def test_verify_activate_alias_and_delete_have_their_routes(tmp_path: Path) -> None:
    async def scene() -> None:
        models, http = over_http(tmp_path, "a", "b")
        assert (await http.post("/models/a/verify")).json()["id"] == "a"
        assert (await http.post("/models/a/activate")).json()["alias"] == "champion"
        told = await http.put("/models/aliases/challenger", json={"id": "b"})
        assert told.json()["aliases"] == {"champion": "a", "challenger": "b"}
        assert (await http.delete("/models/b")).status_code == 409
        assert (await http.delete("/models/aliases/challenger")).status_code == 200
        while "b" in models.residents:
            await asyncio.sleep(0.001)
        assert (await http.delete("/models/b")).status_code == 200
        assert (await http.get("/models/b")).status_code == 404

    run(scene)


@pytest.mark.parametrize(
    "body",
    [{}, [], None, {"id": 3, "source": "x"}, {"id": "a"}, {"id": "a", "source": "a", "more": 1},
     {"id": "../a", "source": "a"}, {"id": "a", "source": "x" * 9999},
     {"id": "a\n", "source": "a"}],
)  # fmt: skip
def test_bad_bodies_are_refused(tmp_path: Path, body: Any) -> None:
    async def scene() -> None:
        _, http = over_http(tmp_path)
        assert (await http.post("/models/register", json=body)).status_code == 422

    run(scene)


@pytest.mark.parametrize("ref", ["..%2f..%2fetc", "%2e%2e", "a%00", "%ff", "a%20b", "x" * 97])
def test_no_path_is_reached_through_a_url(tmp_path: Path, ref: str) -> None:
    async def scene() -> None:
        _, http = over_http(tmp_path, "a")
        for method, url in (
            ("GET", f"/models/{ref}"),
            ("POST", f"/models/{ref}/verify"),
            ("POST", f"/models/{ref}/activate"),
            ("DELETE", f"/models/{ref}"),
            ("PUT", f"/models/aliases/{ref}"),
        ):
            told = await http.request(method, url, json={"id": "a"} if method == "PUT" else None)
            assert told.status_code in (400, 404, 405, 422), (method, url, told.status_code)

    run(scene)
