"""`r3 add`: into the inbox whole, never over another file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from regime3 import disk
from regime3.errors import DiskFull, InputRefused
from regime3.paths import Lab
from regime3.records.files import Sidecar
from regime3.spool.place import place_in_inbox
from regime3.spool.queue import Spool
from tests.spool.conftest import rows


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_bytes(rows("a", "b"))
    return path


def test_a_file_is_placed_whole_and_the_source_stays(lab: Lab, source: Path, spool: Spool) -> None:
    copied: list[int] = []
    path = place_in_inbox(lab, source, "high", Sidecar(passes=2), copied.append)
    assert path == lab.inbox_lane("high") / "data.jsonl"
    assert path.read_bytes() == source.read_bytes() and sum(copied) == source.stat().st_size
    assert [item.lane for item in spool.admit_once()] == ["high"]
    assert len(spool.files()) == 2 and source.exists()


def test_a_taken_name_gets_a_number(lab: Lab, source: Path) -> None:
    names = [place_in_inbox(lab, source).name for _ in range(3)]
    assert names == ["data.jsonl", "data-2.jsonl", "data-3.jsonl"]


def test_a_sidecar_beside_the_source_comes_along(lab: Lab, source: Path) -> None:
    source.with_name("data.jsonl.meta.json").write_text('{"lineage": {"generator": "g"}}')
    path = place_in_inbox(lab, source)
    assert json.loads(path.with_name("data.jsonl.meta.json").read_text())["lineage"] == {
        "generator": "g"
    }


def test_the_sidecar_is_there_before_its_file(
    lab: Lab, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[str] = []

    def note(name: str, path: Path) -> None:
        if name == "rename":
            renamed.append(path.name)

    monkeypatch.setattr(disk.faults, "on_operation", note)
    place_in_inbox(lab, source, None, Sidecar(passes=2))
    assert renamed == ["data.jsonl.meta.json", "data.jsonl"]


def test_a_file_under_way_has_a_temporary_name(lab: Lab, source: Path, spool: Spool) -> None:
    seen: list[str] = []
    place_in_inbox(lab, source, None, None, lambda _: seen.extend(os.listdir(lab.inbox)))
    under_way = [name for name in seen if name not in ("high", "normal", "low")]
    assert len(under_way) == 1 and under_way[0].startswith(".tmp-")


@pytest.mark.parametrize(("make", "reason"), [(None, "not there"), ("folder", "a folder")])
def test_what_is_no_file_is_refused(
    lab: Lab, tmp_path: Path, make: str | None, reason: str
) -> None:
    path = tmp_path / "x.jsonl"
    if make:
        path.mkdir()
    with pytest.raises(InputRefused, match=reason):
        place_in_inbox(lab, path)


def test_a_disk_without_room_is_told_before_a_byte_is_copied(
    lab: Lab, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda path: 1000)
    with pytest.raises(DiskFull):
        place_in_inbox(lab, source)
    assert sorted(os.listdir(lab.inbox)) == ["high", "low", "normal"]
