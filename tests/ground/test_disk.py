"""The only hand that writes: nothing torn, nothing lost, whatever fails."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from regime3 import disk
from regime3.errors import LabLocked


def in_a_child(kind: str, at: int, act: Callable[[], None]) -> int:
    """Run `act` in a fork with one fault armed; its wait status."""
    child = os.fork()
    if child == 0:
        disk.faults = disk.Faults(kind, at)
        try:
            act()
        except OSError:
            os._exit(7)
        os._exit(0)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("kind", disk.FAULT_KINDS)
def test_a_replaced_file_is_the_old_or_the_new_one_whatever_fails(
    tmp_path: Path, kind: str
) -> None:
    target = tmp_path / "state.json"
    at, ended = 0, -1
    while ended != 0:
        at += 1
        target.write_bytes(b"old")
        ended = in_a_child(kind, at, lambda: disk.write_bytes(target, b"brand new"))
        assert target.read_bytes() in (b"old", b"brand new")
        disk.sweep_temp(tmp_path)
        assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["state.json"]
    assert at == 4 and target.read_bytes() == b"brand new"


def test_a_sealed_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    for kind in ("kill-before", "kill-after"):
        at, ended, target = 0, -1, tmp_path / kind

        def act(target: Path = target) -> None:
            temp = disk.temp_folder(tmp_path, "label")
            (temp / "a").write_bytes(b"a")
            (temp / "b").write_bytes(b"b")
            disk.seal_folder(temp, target)

        while ended != 0:
            at += 1
            ended = in_a_child(kind, at, act)
            if target.exists():
                assert sorted(path.name for path in target.iterdir()) == ["a", "b"]
                if ended != 0:
                    disk.remove_folder(target)
            disk.sweep_temp(tmp_path)
        assert at > 5


def test_a_sealed_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError):
        disk.seal_folder(disk.temp_folder(tmp_path, "x"), tmp_path / "there")


def test_a_second_holder_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with disk.Lock(path, "the trainer", "trainer pid 42"):
        assert disk.is_locked(path)
        with pytest.raises(LabLocked, match="trainer pid 42"):
            disk.Lock(path, "the trainer", "me").acquire()
    assert not disk.is_locked(path)


def test_the_kernel_frees_a_lock_whose_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    ready_read, ready_write = os.pipe()
    child = os.fork()
    if child == 0:
        disk.Lock(path, "x", "child").acquire()
        os.write(ready_write, b"!")
        signal.pause()
    os.read(ready_read, 1)
    assert disk.is_locked(path)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert not disk.is_locked(path)


def test_json_refuses_what_json_has_no_word_for(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        disk.write_json(tmp_path / "x", {"loss": float("nan")})
    assert not (tmp_path / "x").exists()


def test_a_link_is_replaced_in_one_step(tmp_path: Path) -> None:
    disk.replace_link(tmp_path / "current", "one")
    disk.replace_link(tmp_path / "current", "two")
    assert os.readlink(tmp_path / "current") == "two"


def test_a_torn_append_is_only_ever_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "log"

    def act() -> None:
        with disk.Appender(path) as log:
            for number in range(10):
                log.append(b"line %d\n" % number)

    in_a_child("half-write", 6, act)
    lines = path.read_bytes().split(b"\n")
    assert lines[:-1] == [b"line %d" % number for number in range(5)] and lines[-1] != b"line 5"
