"""A lab in a temp folder with a spool whose files settle at once, and rows to drop into it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regime3.clock import FakeClock
from regime3.config import Queue, Settings
from regime3.paths import Lab
from regime3.spool.queue import Spool

MakeSpool = Callable[..., Spool]
Drop = Callable[..., Path]


def row(question: str, answer: str = "yes", **more: Any) -> str:
    """One good line, without its newline."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages, **more})


def rows(*questions: str) -> bytes:
    return "".join(row(question) + "\n" for question in questions).encode()


def make_lab(root: Path) -> Lab:
    lab = Lab(root)
    for folder in lab.folders():
        folder.mkdir(parents=True, exist_ok=True)
    return lab


def queue_settings(**changes: Any) -> Settings:
    return dataclasses.replace(Settings(), queue=Queue(**{"settle_s": 0.0, **changes}))


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path / "lab")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_spool(lab: Lab, clock: FakeClock) -> MakeSpool:
    """A fresh `Spool` on the lab, as after a restart; keywords change queue settings."""

    def make(**changes: Any) -> Spool:
        return Spool(lab, queue_settings(**changes), clock)

    return make


@pytest.fixture
def spool(make_spool: MakeSpool) -> Spool:
    return make_spool()


@pytest.fixture
def drop(lab: Lab) -> Drop:
    """Put bytes into the inbox; `lane` chooses the folder, `sidecar` writes one beside it."""

    def put(name: str, content: bytes, lane: str | None = None, sidecar: Any = None) -> Path:
        folder = lab.inbox if lane is None else lab.inbox_lane(lane)
        path = folder / name
        if sidecar is not None:
            text = sidecar if isinstance(sidecar, str) else json.dumps(sidecar)
            path.with_name(name + ".meta.json").write_text(text)
        path.write_bytes(content)
        return path

    return put
