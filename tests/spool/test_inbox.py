"""What is taken from the inbox, what waits, what is refused, and what a person is told."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from regime3 import disk
from regime3.clock import FakeClock
from regime3.paths import Lab
from regime3.spool import inbox as inbox_room
from regime3.spool.queue import Spool
from tests.spool.conftest import Drop, MakeSpool, rows


def told(spool: Spool) -> dict[str, tuple[str, str, str | None]]:
    return {note.name: (note.kind, note.reason, note.next_command) for note in spool.inbox_notes()}


def taken(spool: Spool) -> list[str]:
    return [item.name for item in spool.admit_once() if item.outcome == "admitted"]


def test_a_file_is_taken_when_it_stood_still_long_enough(
    make_spool: MakeSpool, drop: Drop, clock: FakeClock
) -> None:
    spool = make_spool(settle_s=2.0)
    drop("x.jsonl", rows("a"))
    assert taken(spool) == []
    clock.advance(1.9)
    assert taken(spool) == []
    assert told(spool)["x.jsonl"][:2] == ("waiting", "watched until it rests for 2 s")
    clock.advance(0.2)
    assert taken(spool) == ["x"]


def test_a_half_copied_file_waits_until_it_stops_growing(
    make_spool: MakeSpool, drop: Drop, clock: FakeClock
) -> None:
    spool = make_spool(settle_s=2.0)
    path = drop("x.jsonl", rows("a"))
    for question in "bcd":
        assert taken(spool) == []
        clock.advance(1.5)
        path.write_bytes(path.read_bytes() + rows(question))
    assert taken(spool) == []
    clock.advance(2.0)
    assert taken(spool) == ["x"]
    assert [meta.rows for meta in spool.files().values()] == [4]


def test_a_sidecar_that_changes_makes_its_file_wait(
    make_spool: MakeSpool, drop: Drop, clock: FakeClock
) -> None:
    spool = make_spool(settle_s=2.0)
    path = drop("x.jsonl", rows("a"), sidecar={"passes": 1})
    assert taken(spool) == []
    clock.advance(1.5)
    path.with_name("x.jsonl.meta.json").write_text('{"passes": 2}')
    assert taken(spool) == []
    clock.advance(1.5)
    assert taken(spool) == []
    clock.advance(1.0)
    assert taken(spool) == ["x"]
    assert len(spool.files()) == 2


def test_a_file_that_is_being_written_waits_however_still_it_stands(
    spool: Spool, drop: Drop, lab: Lab
) -> None:
    path = drop("x.jsonl", rows("a"))
    with open(path, "ab"):
        assert taken(spool) == []
        assert told(spool)["x.jsonl"][1] == "a process is still writing it"
    assert taken(spool) == ["x"]


@pytest.mark.parametrize(
    "name", [".x.jsonl", "x.jsonl.part", "x.jsonl.tmp", "x.jsonl~", ".tmp-7-x.jsonl"]
)
def test_a_temporary_name_waits_to_be_renamed(
    spool: Spool, drop: Drop, lab: Lab, name: str
) -> None:
    path = drop(name, rows("a"))
    assert taken(spool) == []
    assert told(spool)[name][0] == "waiting"
    path.rename(lab.inbox / "x.jsonl")
    assert taken(spool) == ["x"]


def test_what_cannot_be_admitted_is_left_and_explained(
    spool: Spool, drop: Drop, lab: Lab, tmp_path: Path
) -> None:
    outside = tmp_path / "outside.jsonl"
    outside.write_bytes(rows("secret"))
    (lab.inbox / "folder.jsonl").mkdir()
    (lab.inbox / "link.jsonl").symlink_to(outside)
    (lab.inbox / "dangling.jsonl").symlink_to("nowhere")
    os.mkfifo(lab.inbox / "pipe.jsonl")
    drop("data.json", rows("a"))
    drop("data.jsonl.gz", b"\x1f\x8b")
    drop("good.jsonl", rows("b"), lane="high")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(lab.inbox)  # a socket's path has a short limit
        listening.bind("socket.jsonl")
        os.chdir(here)
        assert taken(spool) == ["good"]
        notes = told(spool)
    assert notes == {
        "folder.jsonl": ("refused", "a folder; only files are taken",
                         "r3 add inbox/folder.jsonl/*.jsonl"),
        "link.jsonl": ("refused", "a link; put the file itself here", f"r3 add {outside}"),
        "dangling.jsonl": ("refused", "a link; put the file itself here", "r3 add nowhere"),
        "pipe.jsonl": ("refused", "a device, pipe or socket", "rm inbox/pipe.jsonl"),
        "socket.jsonl": ("refused", "a device, pipe or socket", "rm inbox/socket.jsonl"),
        "data.json": ("refused", "only *.jsonl is taken", "mv inbox/data.json inbox/data.jsonl"),
        "data.jsonl.gz": ("refused", "compressed", "gunzip inbox/data.jsonl.gz"),
    }  # fmt: skip
    assert outside.read_bytes() == rows("secret")


def test_an_unreadable_file_is_left_and_explained(
    spool: Spool, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("x.jsonl", rows("a"))
    monkeypatch.setattr(inbox_room.os, "access", lambda path, mode: False)
    assert taken(spool) == []
    assert told(spool)["x.jsonl"] == ("refused", "may not be read by us", "chmod u+r inbox/x.jsonl")


@pytest.mark.parametrize(
    ("sidecar", "reason"),
    [
        ("{", "its sidecar cannot be used: Input data was truncated"),
        ("", "its sidecar cannot be used: Input data was truncated"),
        ('{"passe": 2}', "unknown field `passe`"),
        ('{"passes": "two"}', "Expected `int | null`"),
        ('{"passes": 0}', "asks for 0 passes; 1 to 100 are allowed"),
        ('{"passes": 101}', "asks for 101 passes; 1 to 100 are allowed"),
        ('{"format": "csv"}', "Invalid enum value 'csv'"),
        (" " * (1 << 20) + "{}", "larger than 1,048,576 bytes"),
    ],
)
def test_a_bad_sidecar_holds_its_file_until_it_is_mended(
    spool: Spool, drop: Drop, sidecar: str, reason: str
) -> None:
    path = drop("x.jsonl", rows("a"), sidecar=sidecar)
    assert taken(spool) == []
    kind, why, command = told(spool)["x.jsonl"]
    assert kind == "refused" and reason in why
    assert command == "$EDITOR inbox/x.jsonl.meta.json"
    path.with_name("x.jsonl.meta.json").write_text("{}")
    assert taken(spool) == ["x"]


def test_a_sidecar_alone_waits_for_its_file(spool: Spool, drop: Drop, lab: Lab) -> None:
    (lab.inbox / "x.jsonl.meta.json").write_text("{}")
    assert taken(spool) == []
    assert told(spool)["x.jsonl.meta.json"][:2] == ("waiting", "a sidecar; no x.jsonl")


def test_a_sidecar_that_is_a_link_or_a_pipe_is_not_followed(
    spool: Spool, drop: Drop, lab: Lab, tmp_path: Path
) -> None:
    (tmp_path / "secret.json").write_text("{}")
    drop("a.jsonl", rows("a"))
    (lab.inbox / "a.jsonl.meta.json").symlink_to(tmp_path / "secret.json")
    drop("b.jsonl", rows("b"))
    os.mkfifo(lab.inbox / "b.jsonl.meta.json")
    assert taken(spool) == []
    assert "cannot be used" in told(spool)["a.jsonl"][1]
    assert told(spool)["b.jsonl"][1] == "its sidecar cannot be used: not a file"


def test_files_come_by_lane_then_age_then_name(spool: Spool, drop: Drop) -> None:
    for age, (name, lane) in enumerate(
        [("d", "low"), ("c", None), ("b", "normal"), ("a", "high"), ("e", "high")]
    ):
        os.utime(drop(f"{name}.jsonl", rows(name), lane=lane), (1000 + age, 1000 + age))
    assert taken(spool) == ["a", "e", "c", "b", "d"]
    assert [meta.lane for meta in spool.files().values()] == [
        "high", "high", "normal", "normal", "low"
    ]  # fmt: skip


def test_a_full_disk_takes_nothing_and_says_so(
    spool: Spool, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("x.jsonl", rows("a"))
    monkeypatch.setattr(disk, "free_bytes", lambda path: 1_000_000)
    assert taken(spool) == []
    assert told(spool)["."] == ("waiting", "nothing is taken: 1 MB free on the disk", "r3 doctor")
    monkeypatch.undo()
    assert taken(spool) == ["x"]


def test_a_file_that_cannot_be_moved_is_left_and_explained(
    spool: Spool, drop: Drop, monkeypatch: pytest.MonkeyPatch, lab: Lab
) -> None:
    path = drop("x.jsonl", rows("a"))
    real = disk.rename

    def refuse(source: Path, target: Path, *, durable: bool = True) -> None:
        if source == path:
            raise PermissionError(13, "Permission denied", str(source))
        real(source, target, durable=durable)

    monkeypatch.setattr(disk, "rename", refuse)
    assert [str(item) for item in spool.admit_once()] == [
        "returned x: cannot be moved into the queue: Permission denied"
    ]
    assert spool.admit_once() == []
    assert told(spool)["x.jsonl"][:2] == (
        "refused", "cannot be moved into the queue: Permission denied"
    )  # fmt: skip
    assert list(lab.admitting.iterdir()) == []
