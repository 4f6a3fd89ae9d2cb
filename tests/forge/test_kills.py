"""Killed before, half-way through or after any write: no shard is lost, doubled or changed."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from regime3 import disk
from regime3.clock import FakeClock
from regime3.forge import Forge, view
from regime3.paths import Lab
from tests.forge.conftest import admitted, small
from tests.forge.double import Double
from tests.spool.conftest import make_lab

SHARDS = 2
SETTINGS = small(shard_rows=10, problems_max=4, attempts=3, families="numbers")
KINDS = ("kill-before", "half-write", "kill-after", "enospc")
EVERY = 2
"""After one write is before the next: every second write of each kind leaves no gap."""


class Killed(BaseException):
    """What a kill is to those who run in the same process."""


def killed() -> None:
    raise Killed


@contextlib.contextmanager
def fault(kind: str, at: int) -> Iterator[disk.Faults]:
    """The `at`-th write fails; counted from here on."""
    faults, before = disk.Faults(kind, at), disk.faults
    disk.faults = faults
    try:
        yield faults
    finally:
        disk.faults = before


def work(lab: Lab, node: Double, clock: FakeClock) -> None:
    """A process's life: turns until enough shards are noted, with admission between."""
    forge = Forge(lab, SETTINGS, node.client(), clock)
    for _ in range(100):
        forge.turn()
        if len(view(lab)["shards"]) >= SHARDS:
            return
    raise AssertionError("no shards after 100 turns")


def whole(lab: Lab, node: Double, clock: FakeClock) -> None:
    """What must hold in the end, whatever happened on the way."""
    told = view(lab)["shards"]
    assert len(told) == SHARDS
    assert [each["shard"] for each in told] == list(range(1, len(told) + 1))
    files = {path.name.split("@")[0]: path for path in (lab.queue / "low").glob("*.jsonl")}
    assert len(files) == len(list((lab.queue / "low").glob("*.jsonl"))) == len(told)
    rows: Counter[str] = Counter()
    for each in told:
        data = files[each["file"].removesuffix(".jsonl")].read_bytes()
        assert hashlib.sha256(data).hexdigest() == each["sha256"]
        assert data.count(b"\n") == each["rows"]
        rows.update(json.dumps(json.loads(line)["messages"]) for line in data.splitlines())
    assert max(rows.values()) == 1
    orders = Counter((job["order"]["seed"], job["order"]["start"]) for job in node.jobs.values())
    assert max(orders.values()) == 1
    found = view(lab)
    cells = json.loads(lab.forge_file.read_bytes())["cells"]
    asked = sum(job["order"]["problems"] for job in node.jobs.values())
    planned = sum(
        each["problems"]
        for pending in found["pending"]
        for each in pending["asked"]
        if each["job"] is None
    )
    assert sum(cell["asked"] for cell in cells.values()) == asked + planned
    tried = sum(level["attempts"] for each in told for level in each["levels"].values())
    assert sum(cell["estimate"]["tried"] for cell in cells.values()) == pytest.approx(tried, 0.2)
    assert not list(lab.loop.glob("forge-*.jsonl")) and not list(lab.inbox.rglob("*.jsonl"))


def writes(root: Path) -> int:
    """How many writes an undisturbed life takes."""
    lab, node, clock = make_lab(root), Double(), FakeClock()
    with fault("", 0) as faults:
        work(lab, node, clock)
    admitted(lab, clock)
    whole(lab, node, clock)
    return faults.count


@pytest.mark.parametrize("kind", KINDS)
def test_a_kill_at_any_write_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(disk, "_die", killed)
    total = writes(tmp_path / "undisturbed")
    assert total > 30
    for at in range(1, total + 1, EVERY):
        lab, node, clock = make_lab(tmp_path / f"{at}"), Double(), FakeClock()
        with fault(kind, at), contextlib.suppress(Killed, OSError):
            work(lab, node, clock)
        if at // EVERY % 2:  # the trainer takes what is there before the loop is back
            admitted(lab, clock)
        work(lab, node, clock)
        admitted(lab, clock)
        whole(lab, node, clock)


def test_a_kill_between_order_and_note_adopts_the_job(tmp_path: Path) -> None:
    lab, node, clock = make_lab(tmp_path), Double(), FakeClock()
    forge = Forge(lab, SETTINGS, node.client(), clock)
    forge.turn()
    kept = lab.forge_file.read_bytes()
    forge.turn()
    assert len(node.jobs) == 1
    lab.forge_file.write_bytes(kept)  # as if the id had never been written
    for path in lab.loop.glob("forge-*.jsonl"):
        path.unlink()
    Forge(lab, SETTINGS, node.client(), clock).turn()
    assert len(node.jobs) == 1
