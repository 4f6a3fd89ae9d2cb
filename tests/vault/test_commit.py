"""Committing, resealing, and reading back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from regime3 import disk
from regime3.errors import SealError, SealMissing
from tests.vault.small_lab import (
    STATE,
    a_ledger,
    a_vault,
    an_id,
    fill,
    line_of,
    roll,
    seal,
    states,
)


def test_a_lab_without_checkpoints_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(SealMissing, match="r3 init"):
        a_vault(tmp_path).head()


def test_a_commit_is_the_new_head_with_its_ledger(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    ledger = a_ledger(30, positions={an_id(1): 4}, ended={an_id(2): "done"})
    made = seal(vault, 30, ledger, loss=1.5)
    head = vault.head(deep=True)
    assert (head.number, head.manifest.parent, head.ledger) == (1, None, ledger)
    assert head.manifest == made.manifest and head.manifest.validation_loss == 1.5
    assert set(head.manifest.files) == {*STATE, "ledger.json", "ended.bin"}
    assert not list(vault.lab.checkpoints.glob(".tmp-*"))


def test_numbers_grow_by_one_and_parents_follow(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    assert [s.number for s in line_of(vault, 3)] == [1, 2, 3]
    assert [vault.open(n).manifest.parent for n in (1, 2, 3)] == [None, 1, 2]


def test_what_lies_in_a_temp_folder_does_not_exist(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    seal(vault, 1)
    fill(vault.begin(), 2)
    assert vault.head().number == 1
    assert vault.sweep() == 1


def test_a_worker_that_missed_a_rollback_cannot_commit(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 3)
    roll(vault, 1)
    with pytest.raises(SealError, match="left behind"):
        seal(vault, 40, parent=3)
    with pytest.raises(SealError, match="the head is checkpoint 4"):
        seal(vault, 40, parent=1)
    assert states(vault) == {1: "kept", 2: "left behind", 3: "left behind", 4: "head"}
    assert not list(vault.lab.checkpoints.glob(".tmp-*"))


@pytest.mark.parametrize("kind", ["link", "folder", "hidden", "pipe"])
def test_only_plain_files_with_plain_names_become_a_checkpoint(tmp_path: Path, kind: str) -> None:
    vault = a_vault(tmp_path)
    temp = vault.begin()
    fill(temp, 1)
    if kind == "link":
        (temp / "weights").symlink_to("/etc/passwd")
    elif kind == "folder":
        (temp / "inner").mkdir()
    elif kind == "hidden":
        (temp / ".cache").write_text("x")
    else:
        os.mkfifo(temp / "pipe")
    with pytest.raises(SealError, match="cannot become a checkpoint"):
        vault.commit(temp, parent=None, step=1, reason="steps", ledger=a_ledger(1))
    assert states(vault) == {}


def test_a_reseal_shares_the_bytes_and_changes_only_the_ledger(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    parent = seal(vault, 30, a_ledger(30, positions={an_id(1): 4}))
    ledger = parent.ledger.child()
    ledger.end(an_id(1), "skipped")
    child = vault.reseal(parent, ledger, "skip")
    assert vault.head(deep=True).ledger.ended == {an_id(1): "skipped"}
    assert (child.number, child.manifest.parent, child.manifest.step) == (2, 1, 30)
    for name in STATE:
        assert (child.path / name).samefile(parent.path / name)
    with pytest.raises(SealError, match="the head is checkpoint 2"):
        vault.reseal(parent, ledger, "skip")


def test_the_callers_ledger_is_not_touched(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 2)
    roll(vault, 1)
    ledger = a_ledger(50)
    sealed = seal(vault, 50, ledger)
    assert ledger.abandoned == [] and sealed.ledger.abandoned == [2]


def test_current_model_is_a_relative_link_to_the_seal(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    first, second = line_of(vault, 2)
    vault.point_current_model(first)
    vault.point_current_model(second)
    assert os.readlink(vault.lab.current_model) == "../checkpoints/00000002"
    assert vault.lab.current_model.samefile(second.path)


def test_hashing_tells_how_far_it_is(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    temp, told = vault.begin(), []
    fill(temp, 1)
    vault.commit(
        temp, parent=None, step=1, reason="steps", ledger=a_ledger(1),
        progress=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert told[-1][0] == told[-1][1] > 0
    told.clear()
    vault.open(1, deep=True, progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] and told == sorted(told)


def test_after_no_space_the_next_commit_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = a_vault(tmp_path)
    seal(vault, 1)
    monkeypatch.setattr(disk, "faults", disk.Faults("enospc", 5))
    with pytest.raises(OSError, match="No space"):
        seal(vault, 2)
    assert not list(vault.lab.checkpoints.glob(".tmp-*")), "the half-written one gave its room back"
    assert seal(vault, 2).number == 2
