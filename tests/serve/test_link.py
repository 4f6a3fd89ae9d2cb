"""The link to the engine: asks answered, deaths survived, what was held loaded again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from regime3.config import Node, Settings
from regime3.errors import NodeRefused
from regime3.records.launch import engine_arguments
from regime3.records.wire import Finished, Generate, Piece, Prompt
from regime3.serve.link import RELOADS_MAX, EngineLink, spawn_engine

SETTINGS = Settings(node=Node(engine="fake"))


def with_link(body: Callable[[EngineLink], Awaitable[None]]) -> None:
    async def run() -> None:
        link = EngineLink(spawn_engine(engine_arguments(SETTINGS)))
        await link.start()
        try:
            await link.load("nano", "")
            await body(link)
        finally:
            await link.stop()

    asyncio.run(run())


def ask(text: str, **more: object) -> Generate:
    return Generate(0, "nano", Prompt(text=text), **more)  # type: ignore[arg-type]


def test_a_request_is_answered_whole_and_piece_by_piece() -> None:
    async def body(link: EngineLink) -> None:
        whole = await link.complete(ask("one two three", n=2))
        assert len(whole.samples) == 2 and whole.prompt_tokens > 0
        texts = ["", ""]
        async for tell in link.stream(ask("one two three", n=2)):
            if isinstance(tell, Piece):
                texts[tell.index] += tell.text
        assert texts == [sample.text for sample in whole.samples]

    with_link(body)


def test_requests_of_many_go_on_side_by_side() -> None:
    async def body(link: EngineLink) -> None:
        found = await asyncio.gather(*(link.complete(ask(f"word {n}")) for n in range(100)))
        assert [f"word {n}" in whole.samples[0].text for n, whole in enumerate(found)] == [
            True
        ] * 100

    with_link(body)


def test_an_unknown_model_is_refused() -> None:
    async def body(link: EngineLink) -> None:
        with pytest.raises(NodeRefused) as caught:
            await link.complete(Generate(0, "other", Prompt(text="x")))
        assert caught.value.status == 404

    with_link(body)


def test_a_killed_engine_fails_what_is_open_and_comes_back_with_its_models() -> None:
    async def body(link: EngineLink) -> None:
        for _ in range(5):
            await link.complete(ask("before"))
            waiting = asyncio.create_task(link.complete(ask("count to 900")))
            await asyncio.sleep(0.02)
            assert link.pid is not None
            os.kill(link.pid, signal.SIGKILL)
            with pytest.raises(NodeRefused) as caught:
                await waiting
                await link.complete(ask("while it is away"))
            assert caught.value.status == 503 and caught.value.retry_after_s
            async with asyncio.timeout(20):
                while "nano" not in link.cards:
                    await asyncio.sleep(0.02)
            assert (await link.complete(ask("after"))).samples[0].text
        assert link.restarts == 5 and link.state == "up"

    with_link(body)


def with_loads_that_fail(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: Callable[[EngineLink, Path], Awaitable[None]],
) -> None:
    """An engine that is killed once it holds a model, and loads none while a file is there."""
    full = tmp_path / "full"
    monkeypatch.setenv("REGIME3_FAULT_ENGINE", f"load-fail:{full}")

    async def run() -> None:
        spawn = spawn_engine(engine_arguments(SETTINGS))
        link = EngineLink(spawn, reload_pause_s=0.01)
        await link.start()
        try:
            await link.load("nano", "")
            full.touch()
            assert link.pid is not None
            os.kill(link.pid, signal.SIGKILL)
            await body(link, full)
        finally:
            await link.stop()

    asyncio.run(run())


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_model_that_does_not_load_again_is_tried_so_often_then_lost_and_may_be_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(link: EngineLink, full: Path) -> None:
        await until(lambda: link.lost)
        assert link.lost == {"nano": f"tried {RELOADS_MAX} times: no room (injected)"}
        assert link.state == "up" and "nano" not in link.cards
        with pytest.raises(NodeRefused):
            await link.load("nano", "")
        assert "nano" in link.lost
        full.unlink()
        await link.load("nano", "")
        assert not link.lost and (await link.complete(ask("again"))).samples[0].text

    with_loads_that_fail(tmp_path, monkeypatch, body)


def test_a_model_comes_back_when_a_later_try_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("regime3.serve.link.RELOADS_MAX", 10**6)

    async def body(link: EngineLink, full: Path) -> None:
        await until(lambda: link.restarts == 1 and link.state == "up")
        await asyncio.sleep(0.1)
        assert not link.lost and not link.cards
        full.unlink()
        await until(lambda: link.cards)
        assert not link.lost

    with_loads_that_fail(tmp_path, monkeypatch, body)


def test_a_lost_model_is_tried_anew_with_the_next_engine_and_not_once_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(link: EngineLink, full: Path) -> None:
        await until(lambda: link.lost)
        full.unlink()
        assert link.pid is not None
        os.kill(link.pid, signal.SIGKILL)
        await until(lambda: "nano" in link.cards)
        full.touch()
        os.kill(link.pid, signal.SIGKILL)
        await until(lambda: link.lost)
        with pytest.raises(NodeRefused):
            await link.unload("nano", 0.0)  # it holds none; the wish counts
        assert not link.lost

    with_loads_that_fail(tmp_path, monkeypatch, body)


def test_an_engine_that_only_dies_is_left_dead() -> None:
    async def run() -> None:
        link = EngineLink(spawn_engine(["--engine", "none such"]), restarts_max=1)
        async with asyncio.timeout(60):
            await link.start()
            while link.state != "dead":
                await asyncio.sleep(0.05)
        with pytest.raises(NodeRefused) as caught:
            await link.complete(ask("x"))
        assert caught.value.code == "engine_dead" and caught.value.retry_after_s is None
        await link.stop()

    asyncio.run(run())


def test_who_stops_listening_cancels() -> None:
    async def body(link: EngineLink) -> None:
        tells = link.stream(ask("count to 900"))
        async for tell in tells:
            assert not isinstance(tell, Finished)
            break
        await tells.aclose()
        async with asyncio.timeout(10):
            while link.pulse is None or link.pulse.running:
                await asyncio.sleep(0.05)

    with_link(body)


def test_no_engine_outlives_its_node() -> None:
    async def run() -> int:
        link = EngineLink(spawn_engine(engine_arguments(SETTINGS)))
        await link.start()
        found = link.pid
        await link.stop()
        assert found is not None
        return found

    pid = asyncio.run(run())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
