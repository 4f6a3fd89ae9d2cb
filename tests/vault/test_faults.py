"""The disk fails at every single operation: afterwards the head is the old one or the new one.

Each case runs in a forked child that is killed before, after or half-way through operation n;
full disks and failing ones raise in this process. `fsync` does nothing here: a kill keeps the
page cache, so it could not matter (`test_power_loss` tests it), and 800 cases stay quick.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from regime3 import disk
from regime3.clock import FakeClock
from regime3.config import Checkpoint
from regime3.errors import SealDamaged
from regime3.paths import Lab
from regime3.vault import Vault
from tests.vault.small_lab import Action, a_file, a_ledger, a_vault, an_id, roll, seal, states

OPERATIONS_MAX = 200


def reseal(vault: Vault) -> object:
    return vault.reseal(vault.head(), vault.head().ledger.child(), "skip")


def retain(vault: Vault) -> object:
    return vault.retain(Checkpoint(keep_newest=2, keep_daily=0), {3}, vault.clock.now() + 9e5)


def snapshot(vault: Vault) -> object:
    vault.snapshot("2027-01-15")
    return vault.prune_snapshots(1)


ACTIONS: dict[str, Action] = {
    "commit": lambda vault: seal(vault, 80),
    "commit after damage": lambda vault: seal(vault, 80, parent=2),
    "reseal": reseal,
    "rollback": lambda vault: roll(vault, 2, a_file(1)),
    "retain": retain,
    "snapshot": snapshot,
    "current model": lambda vault: vault.point_current_model(vault.head()),
}


@pytest.fixture(autouse=True)
def no_waiting_for_the_platter(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    yield
    disk.faults.at = None


def prepared(root: Path, action: str) -> Vault:
    """Five seals: 3 is left behind by 4; the last two are torn where the action says so."""
    vault = a_vault(root)
    for step in (0, 10, 20):
        seal(vault, step, a_ledger(step, positions={an_id(1): step + 1}))
    roll(vault, 2, a_file(1))
    seal(vault, 40)
    if action == "snapshot":
        vault.snapshot("2027-01-14")
    if action == "commit after damage":
        for number in (4, 5):
            (vault.lab.seal(number) / "config.json").unlink()
    return vault


def in_a_child(vault: Vault, action: Action, kind: str, at: int) -> bool:
    """Run the action in a child that dies at operation `at`; whether it came to die."""
    child = os.fork()
    if child == 0:
        disk.faults.kind, disk.faults.at, disk.faults.count = kind, at, 0
        action(vault)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def raising(vault: Vault, action: Action, kind: str, at: int) -> bool:
    """Run the action here with operation `at` raising; whether it did."""
    disk.faults.kind, disk.faults.at, disk.faults.count = kind, at, 0
    try:
        action(vault)
    except OSError:
        return True
    finally:
        disk.faults.at = None
    return False


def check(vault: Vault, before: int, numbers_before: list[int]) -> None:
    """As after a restart: nothing torn under a final name, and the next commit works."""
    again = Vault(vault.lab, FakeClock())
    again.sweep()
    head = again.head(deep=True)
    assert head.number in (before, max(numbers_before) + 1)
    for number, state in states(again).items():
        if number not in numbers_before or state in ("head", "kept"):
            again.open(number, deep=True)
    for day in again.snapshots.days():
        again.snapshots.verify(day)
    assert 3 not in (head.number, before)
    assert set(head.ledger.abandoned) == set(head.manifest.abandoned)
    following = seal(again, 999)
    assert following.number == max([*numbers_before, head.number]) + 1
    assert following.manifest.parent == head.number


@pytest.mark.parametrize("name", list(ACTIONS))
@pytest.mark.parametrize("kind", disk.FAULT_KINDS)
def test_at_every_operation_the_head_is_the_old_or_the_new_one(
    tmp_path: Path, name: str, kind: str
) -> None:
    template = prepared(tmp_path / "template", name)
    run = in_a_child if kind.startswith(("kill", "half")) else raising
    for at in range(1, OPERATIONS_MAX):
        root = tmp_path / str(at)
        # Linking is enough: nothing that is under test ever writes into a file in place.
        shutil.copytree(template.lab.root, root / "lab", symlinks=True, copy_function=os.link)
        vault = Vault(Lab(root / "lab"), FakeClock())
        before, numbers = vault.head().number, list(states(vault))
        hit = run(vault, ACTIONS[name], kind, at)
        check(vault, before, numbers)
        if not hit:
            break
    assert 2 < at < OPERATIONS_MAX - 1, "every operation was reached"


def test_the_check_itself_can_fail(tmp_path: Path) -> None:
    vault = prepared(tmp_path, "commit")
    made = seal(vault, 80)
    (made.path / "config.json").write_bytes(b"torn")
    with pytest.raises((AssertionError, SealDamaged)):
        check(vault, 5, [1, 2, 3, 4, 5])
