"""The power goes at every operation: what was not fsynced may be lost, or its name may outlive it.

A kill keeps the page cache, so only this test needs `fsync` to be where it is. It records every
disk operation and knows what each made durable: a file's bytes by its fsync, a folder's names by
the folder's. From every prefix three kinds of disk are rebuilt: only what is durable; every name
but no byte that was not synced; and, folder by folder, a keyed mix of both. This models ext4-like
semantics, not drives that lie.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from regime3 import disk
from regime3.clock import FakeClock
from regime3.paths import Lab
from regime3.vault import Vault
from tests.vault.small_lab import Action, a_vault, roll, seal, states

MIXES = 1
Names = dict[str, int]


@dataclass
class Platter:
    """What would survive, by inode. `begin` takes the present tree as durable."""

    root: Path
    keep: Path
    names: dict[int, Names] = field(default_factory=dict)
    current: dict[int, Names] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)
    before: tuple[str, Path] | None = None
    crashes: list[tuple[dict[int, Names], dict[int, Names], dict[int, bytes]]] = field(
        default_factory=list
    )

    def begin(self) -> None:
        self.keep.mkdir()
        self._scan()
        self.names = {inode: dict(names) for inode, names in self.current.items()}
        for folder, _, files in os.walk(self.root):
            for name in files:
                self._sync_file(Path(folder) / name)

    def on_operation(self, name: str, path: Path) -> None:
        """Called before each operation: the one before is through by now."""
        self.settle()
        self.before = (name, path)

    def settle(self) -> None:
        self._scan()
        if self.before is not None:
            self._made_durable(*self.before)
        copies = [{i: dict(n) for i, n in tables.items()} for tables in (self.names, self.current)]
        self.crashes.append((copies[0], copies[1], dict(self.data)))
        self.before = None

    def _made_durable(self, name: str, path: Path) -> None:
        if name == "sync-folder" and path.is_dir():
            inode = path.stat().st_ino
            self.names[inode] = dict(self.current[inode])
        elif name == "sync-file":
            self._sync_file(path)
        elif name == "write":  # `write_bytes` fsyncs its temp file before it renames it
            self._sync_file(path.parent / f"{disk.TEMP_PREFIX}{os.getpid()}-{path.name}")

    def _sync_file(self, path: Path) -> None:
        if path.is_file() and not path.is_symlink():
            self.data[path.stat().st_ino] = path.read_bytes()

    def _scan(self) -> None:
        """Names as they are; an extra link keeps every inode from being used again."""
        self.current = {}
        for folder, folders, files in os.walk(self.root):
            inode = os.stat(folder).st_ino
            self.current[inode] = {}
            for name in (*folders, *files):
                path = Path(folder) / name
                status = path.lstat()
                self.current[inode][name] = status.st_ino
                if path.is_symlink():
                    self.links[status.st_ino] = os.readlink(path)
                elif path.is_file() and not (self.keep / str(status.st_ino)).exists():
                    os.link(path, self.keep / str(status.st_ino))

    def rebuild(self, target: Path, crash: int, mix: int) -> None:
        """The disk after crash number `crash`. Mix 0: durable only; 1: all names; others drawn."""
        durable, current, data = self.crashes[crash]
        folders = {}
        for inode in {*durable, *current}:
            draw = hashlib.sha256(f"{crash}|{mix}|{inode}".encode()).digest()[0] % 2
            latest = mix == 1 or (mix > 1 and draw)
            folders[inode] = (current if latest else durable).get(inode, {})
        self._build(target, self.root.stat().st_ino, folders, data)

    def _build(
        self, target: Path, inode: int, folders: dict[int, Names], data: dict[int, bytes]
    ) -> None:
        target.mkdir()
        for name, child in folders[inode].items():
            if child in folders:
                self._build(target / name, child, folders, data)
            elif child in self.links:
                (target / name).symlink_to(self.links[child])
            else:
                (target / name).write_bytes(data.get(child, b""))


ACTIONS: dict[str, Action] = {
    "commit": lambda vault: seal(vault, 80),
    "reseal": lambda vault: vault.reseal(vault.head(), vault.head().ledger.child(), "skip"),
    "rollback": lambda vault: roll(vault, 2),
    "snapshot": lambda vault: vault.snapshot("2027-01-15"),
}


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The platter knows operations, not the real disk: its fsync would only cost time."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    yield
    disk.faults.on_operation = None


def record(vault: Vault, action: Action, keep: Path) -> Platter:
    """Run the action and remember every disk that a power cut could have left."""
    platter = Platter(vault.lab.root, keep)
    platter.begin()
    disk.faults.on_operation = platter.on_operation
    action(vault)
    disk.faults.on_operation = None
    platter.settle()
    return platter


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("name", list(ACTIONS))
def test_after_a_power_cut_the_head_is_the_old_or_the_new_one(tmp_path: Path, name: str) -> None:
    vault = a_vault(tmp_path)
    for step in (0, 10, 20):
        seal(vault, step)
    platter = record(vault, ACTIONS[name], tmp_path / "keep")
    acknowledged = vault.head().number
    for crash in range(len(platter.crashes)):
        for mix in range(2 + MIXES):
            root = tmp_path / "after"
            platter.rebuild(root, crash, mix)
            check(Vault(Lab(root), FakeClock()), acknowledged, crash == len(platter.crashes) - 1)
            shutil.rmtree(root)
    assert len(platter.crashes) > 8


def check(vault: Vault, acknowledged: int, over: bool) -> None:
    """Nothing torn under a final name; what was acknowledged is there."""
    vault.sweep()
    head = vault.head(deep=True).number
    assert head == acknowledged if over else head in (3, acknowledged)
    assert "damaged" not in states(vault).values()
    for day in vault.snapshots.days():
        vault.snapshots.verify(day)
    assert seal(vault, 999).number > head


@pytest.mark.usefixtures("recording")
@pytest.mark.parametrize("forgotten", ["sync_file", "sync_folder"])
def test_without_the_fsyncs_it_would_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forgotten: str
) -> None:
    monkeypatch.setattr(disk, forgotten, lambda _: None)
    with pytest.raises(AssertionError):
        test_after_a_power_cut_the_head_is_the_old_or_the_new_one(tmp_path, "commit")
