"""Rot, cuts and losses: noticed, told, and survived."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from regime3.clock import FakeClock
from regime3.config import Checkpoint
from regime3.errors import SealDamaged, SealMissing
from regime3.records.checkpoint import MANIFEST_NAME
from regime3.vault import Vault
from regime3.vault.checked import encode_checked
from regime3.vault.manifest import decode_manifest
from tests.vault.small_lab import STATE, a_vault, flip, line_of, roll, seal, states

FILES = (*STATE, "ledger.json", "ended.bin", MANIFEST_NAME)


def fresh(vault: Vault) -> Vault:
    """Another process's view of the same lab."""
    return Vault(vault.lab, FakeClock())


@pytest.mark.parametrize("name", [name for name in FILES if name != "ended.bin"])
def test_a_flipped_bit_is_found_by_the_deep_check_and_the_parent_is_head(
    tmp_path: Path, name: str
) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 2)
    for bit in (0, 77, 190):
        flip(vault.lab.seal(2) / name, bit)
        assert fresh(vault).head(deep=True).number == 1
        assert fresh(vault).head().number == 1, "the finding is shared with every process"
        flip(vault.lab.seal(2) / name, bit)
        assert fresh(vault).open(2, deep=True).number == 2, "a second look may clear it"
        assert fresh(vault).head().number == 2


@pytest.mark.parametrize("name", [name for name in FILES if name != "ended.bin"])
def test_a_cut_at_any_length_is_found_by_the_cheap_look(tmp_path: Path, name: str) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 2)
    path = vault.lab.seal(2) / name
    whole = path.read_bytes()
    for percent in range(0, 100, 7):
        path.write_bytes(whole[: len(whole) * percent // 100])
        assert fresh(vault).head().number == 1
    path.unlink()
    assert vault.head().number == 1
    assert states(vault)[2] == "damaged"


def test_the_cheap_look_reads_the_ledger_but_not_the_weights(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 3)
    flip(vault.lab.seal(3) / "model.safetensors", 5)
    assert vault.head().number == 3
    flip(vault.lab.seal(3) / "ledger.json", 5)
    os.utime(vault.lab.seal(3) / "ledger.json", ns=(1, 1))
    assert vault.head().number == 2


def test_a_damaged_rollback_never_revives_what_it_left_behind(tmp_path: Path) -> None:
    for damage in (MANIFEST_NAME, "ledger.json"):
        vault = a_vault(tmp_path / damage)
        line_of(vault, 4)
        roll(vault, 2)
        (vault.lab.seal(5) / damage).write_bytes(b"")
        assert vault.head().number == 2
        assert seal(vault, 90).number == 6
        assert vault.head().ledger.abandoned == [3, 4, 5]


def test_rot_in_weights_that_a_rollback_shares_with_its_target_hits_both(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 4)
    roll(vault, 2)
    flip(vault.lab.seal(5) / "model.safetensors", 3)
    assert vault.head(deep=True).number == 1
    assert states(vault) == {
        1: "head", 2: "damaged", 3: "left behind", 4: "left behind", 5: "damaged",
    }  # fmt: skip


def test_it_is_remembered_when_the_rollback_is_deleted_by_hand_and_its_child_torn(
    tmp_path: Path,
) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 4)
    roll(vault, 2)
    seal(vault, 50)
    shutil.rmtree(vault.lab.seal(5))
    (vault.lab.seal(6) / MANIFEST_NAME).write_bytes(b"{}")
    assert vault.head().number == 2


def test_retention_confirms_what_it_takes_the_witness_of(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 4)
    roll(vault, 2)
    for step in (50, 60, 70):
        seal(vault, step)
    assert 5 in vault.retain(Checkpoint(keep_newest=2, keep_daily=0), {2, 4}, 2e9)
    assert states(vault) == {2: "kept", 4: "left behind", 7: "kept", 8: "head"}
    for number in (7, 8):
        (vault.lab.seal(number) / MANIFEST_NAME).write_bytes(b"{}")
    assert vault.head().number == 2


@pytest.mark.parametrize("text", [b"", b"{}", b"\0" * 400, b"not json"])
def test_lost_verdicts_do_no_harm_while_manifests_stand(tmp_path: Path, text: bytes) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 4)
    roll(vault, 2)
    vault.lab.verdicts_file.write_bytes(text)
    assert vault.head().number == 5
    seal(vault, 60)
    (vault.lab.seal(6) / MANIFEST_NAME).write_bytes(b"")
    (vault.lab.seal(5) / MANIFEST_NAME).write_bytes(b"")
    assert vault.head().number == 2, "the next commit told the verdicts again"


def test_after_a_fall_back_the_next_commit_leaves_the_damaged_one_behind(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 3)
    torn = vault.lab.seal(3) / "config.json"
    whole = torn.read_bytes()
    torn.write_bytes(b"")
    assert seal(vault, 25).number == 4
    torn.write_bytes(whole)
    assert states(vault) == {1: "kept", 2: "kept", 3: "left behind", 4: "head"}


def test_a_head_damaged_while_its_child_is_trained_does_not_cost_the_child(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 3)
    (vault.lab.seal(3) / "config.json").write_bytes(b"")
    assert seal(vault, 30, parent=3).number == 4
    assert vault.head(deep=True).number == 4
    (vault.lab.seal(4) / "config.json").write_bytes(b"")
    assert vault.head().number == 2


def test_when_nothing_can_be_used_it_says_so(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 2)
    for number in (1, 2):
        (vault.lab.seal(number) / MANIFEST_NAME).unlink()
    with pytest.raises(SealMissing, match="none of 2 checkpoints can be used: 2 damaged"):
        vault.head()


def test_links_and_files_in_place_of_folders_are_damaged_not_followed(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    first = seal(vault, 1)
    vault.lab.seal(2).symlink_to(first.path)
    vault.lab.seal(3).write_bytes(b"")
    shutil.copytree(first.path, vault.lab.seal(4))
    (vault.lab.seal(4) / MANIFEST_NAME).unlink()
    os.mkfifo(vault.lab.seal(4) / MANIFEST_NAME)
    shutil.copytree(first.path, vault.lab.seal(5))
    assert states(vault) == {1: "head", 2: "damaged", 3: "damaged", 4: "damaged", 5: "damaged"}
    assert seal(vault, 2).number == 6


def test_a_hostile_manifest_cannot_reach_outside_its_folder(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    made = seal(vault, 1)
    path = made.path / MANIFEST_NAME
    manifest = decode_manifest(path.read_bytes(), 1)
    secret = tmp_path / "secret"
    secret.write_text("x")
    for name in (f"../../../{secret.name}", str(secret)):
        manifest.files[name] = manifest.files["config.json"]
        path.write_bytes(encode_checked(manifest))
        with pytest.raises(SealDamaged, match="not allowed"):
            vault.open(1)
        del manifest.files[name]


def test_a_listed_file_that_became_a_link_is_damage(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    made = seal(vault, 1)
    target = tmp_path / "elsewhere"
    shutil.move(made.path / "config.json", target)
    (made.path / "config.json").symlink_to(target)
    with pytest.raises(SealDamaged, match="plain file"):
        vault.open(1, deep=True)


def test_a_file_that_is_not_listed_is_nobodys_business(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    made = seal(vault, 1)
    (made.path / "NOTES.txt").write_text("mine")
    assert vault.head(deep=True).number == 1
