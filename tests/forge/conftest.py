"""A lab, a double of a node, and forges that work with both."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regime3.clock import FakeClock
from regime3.config import Forge as ForgeSettings
from regime3.config import Model, Queue, Settings
from regime3.forge import Forge, view
from regime3.paths import Lab
from regime3.spool.queue import Spool
from tests.forge.double import Double
from tests.spool.conftest import make_lab

MakeForge = Callable[..., Forge]
SMALL = {
    "families": "numbers,lists", "shard_rows": 24, "problems_max": 8, "attempts": 4,
    "cooldown_s": 0.0, "evidence_attempts": 8, "collapse_attempts": 10**6,
}  # fmt: skip


def small(**changes: Any) -> Settings:
    """Settings of tiny shards."""
    return dataclasses.replace(
        Settings(),
        forge=ForgeSettings(**{**SMALL, **changes}),
        queue=Queue(settle_s=0.0),
        model=Model(max_length=1024),
    )


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return make_lab(tmp_path / "lab")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def node() -> Double:
    return Double()


@pytest.fixture
def make_forge(lab: Lab, clock: FakeClock, node: Double) -> MakeForge:
    """A fresh `Forge`, as after a restart; keywords change its settings."""

    def make(**changes: Any) -> Forge:
        return Forge(lab, small(**changes), node.client(), clock)

    return make


def until(forge: Forge, lab: Lab, shards: int, turns: int = 200) -> list[dict[str, Any]]:
    """Turns until so many shards are noted; what is noted of them."""
    for _ in range(turns):
        if len(view(lab)["shards"]) >= shards:
            break
        forge.turn()
    found: list[dict[str, Any]] = view(lab)["shards"]
    assert len(found) >= shards
    return found


def rows_in_inbox(lab: Lab) -> list[dict[str, Any]]:
    """Rows of every shard in the inbox, in order."""
    return [
        json.loads(text)
        for path in sorted(lab.inbox_lane("low").glob("*.jsonl"))
        for text in path.read_text(encoding="utf-8").splitlines()
    ]


def admitted(lab: Lab, clock: FakeClock) -> list[Any]:
    """What admission makes of the inbox."""
    return Spool(lab, small(), clock).admit_once()
