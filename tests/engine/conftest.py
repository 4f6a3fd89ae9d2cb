"""One nano model folder, loaded once, and ways to ask an engine without a process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from regime3.config import Node, Settings
from regime3.engine.base import Engine
from regime3.engine.hf import HfEngine
from regime3.model.nano import build_nano
from regime3.records import wire
from regime3.records.answers import Whole, Written

Run = dict[int, Whole | wire.Failed]


@pytest.fixture(scope="session")
def nano_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nano") / "model"
    build_nano(folder)
    return folder


@pytest.fixture(scope="session")
def engine_of(nano_folder: Path) -> Callable[..., HfEngine]:
    """Makes an engine that holds the nano model as `nano`."""

    def make(**node: Any) -> HfEngine:
        threads = torch.get_num_threads()
        given = {"slots": 16, "slots_reserved": 0, "device": "cpu", "stream_ms": 0.0} | node
        engine = HfEngine(Settings(node=Node(**given)))
        load(engine, "nano", nano_folder)
        torch.set_num_threads(min(threads, 1))
        return engine

    return make


@pytest.fixture(scope="session")
def shared(engine_of: Callable[..., HfEngine]) -> HfEngine:
    return engine_of()


@pytest.fixture
def engine(shared: HfEngine) -> Iterator[HfEngine]:
    """The shared engine, which every test leaves empty."""
    yield shared
    while shared.wait_s == 0:
        shared.step()
    assert shared.pulse().running == 0 and not shared._residents["nano"].requests


def load(engine: Engine, name: str, folder: Path, number: int = 900_000) -> wire.Loaded:
    engine.take(wire.Load(number, name, str(folder)))
    for _ in range(3000):
        for tell in engine.step():
            if tell.id == number:
                assert isinstance(tell, wire.Loaded), tell
                return tell
        time.sleep(0.01)
    raise AssertionError("the model does not load")


def run(engine: Engine, *asks: wire.Generate) -> Run:
    """All answers, by the asks' numbers."""
    for ask in asks:
        engine.take(ask)
    return gather(asks, drain(engine))


def drain(engine: Engine) -> list[wire.AnyTell]:
    """Step until there is nothing to do."""
    told = engine.step()
    while engine.wait_s == 0:
        told += engine.step()
    return told + engine.step()


def gather(asks: tuple[wire.Generate, ...], told: list[wire.AnyTell]) -> Run:
    found: Run = {each.id: Whole(0, None, 0, [Written() for _ in range(each.n)]) for each in asks}
    for tell in told:
        whole = found.get(tell.id)
        if isinstance(tell, wire.Failed):
            found[tell.id] = tell
        elif isinstance(tell, wire.Begun) and isinstance(whole, Whole):
            assert whole.prompt_tokens == 0, "begun twice"
            whole.prompt_tokens, whole.prompt = tell.prompt_tokens, tell.prompt
            whole.completion_tokens = tell.completion_tokens
        elif isinstance(tell, wire.Piece | wire.Finished) and isinstance(whole, Whole):
            whole.add(tell)
    return found


def one(engine: Engine, ask: wire.Generate) -> Whole:
    """The answer to one ask."""
    found = run(engine, ask)[ask.id]
    assert isinstance(found, Whole), found
    return found


def refused(engine: Engine, ask: wire.Generate) -> wire.Failed:
    """How one ask fails."""
    found = run(engine, ask)[ask.id]
    assert isinstance(found, wire.Failed), found
    return found
