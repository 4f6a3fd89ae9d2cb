"""The link to the engine: asks answered, deaths survived, what was held loaded again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from regime3.config import Node, Settings
from regime3.errors import NodeRefused
from regime3.records.launch import engine_arguments
from regime3.records.wire import Finished, Generate, Piece, Prompt
from regime3.serve.link import EngineLink, spawn_engine

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
