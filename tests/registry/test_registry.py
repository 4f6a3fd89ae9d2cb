"""The registry: ids and sources that lead nowhere else, aliases, deletion, one truth on disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from regime3 import disk
from regime3.clock import FakeClock, SystemClock
from regime3.errors import NodeRefused
from regime3.paths import Lab
from regime3.registry import Registry
from regime3.vault import Vault
from tests.registry.folders import a_folder
from tests.vault.small_lab import a_ledger

HOSTILE = [
    "", ".", "..", "../x", "a/../b", "/etc/passwd", "a\\b", "a/b", "a\0b", "a\nb", "%2e%2e", "~",
    ".hidden", "-rf", "a b", "x" * 97, "é", "champion", "Default", "uploads", "a.", "..%2f", "a//b",
]  # fmt: skip


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.node_models.mkdir(parents=True)
    return lab


def a_registry(lab: Lab, *ids: str) -> Registry:
    registry = Registry(lab, FakeClock())
    for number, model_id in enumerate(ids):
        a_folder(lab.node_model(model_id), seed=number)
        registry.register(model_id, model_id)
    return registry


def code_of(refused: pytest.ExceptionInfo[NodeRefused]) -> tuple[int, str]:
    return refused.value.status, refused.value.code


@pytest.mark.parametrize("model_id", HOSTILE)
def test_no_hostile_id_gets_anywhere(lab: Lab, model_id: str) -> None:
    registry = a_registry(lab, "a")
    for act in (
        lambda: registry.register(model_id, "a"),
        lambda: registry.get(model_id),
        lambda: registry.verify(model_id),
        lambda: registry.delete(model_id),
        lambda: registry.set_alias("champion", model_id),
        lambda: registry.adopt(model_id, lab.root),
    ):
        with pytest.raises(NodeRefused) as refused:
            act()
        assert code_of(refused) == (400, "invalid_model_id")
    assert [entry.id for entry in registry.list()] == ["a"]


FAR = ["a/b/c/d/e", "a/./../../x"]


@pytest.mark.parametrize("source", [s for s in HOSTILE if s not in ("a/b", "a//b")] + FAR)
def test_no_hostile_source_gets_anywhere(lab: Lab, source: str) -> None:
    a_folder(lab.root / "x")
    with pytest.raises(NodeRefused) as refused:
        a_registry(lab).register("m", source)
    assert refused.value.code == "invalid_source"


def test_a_source_through_a_link_is_refused(lab: Lab, tmp_path: Path) -> None:
    a_folder(tmp_path / "elsewhere" / "m")
    os.symlink(tmp_path / "elsewhere", lab.node_models / "door")
    for source in ("door", "door/m", str(lab.node_models / "door" / "m")):
        with pytest.raises(NodeRefused) as refused:
            a_registry(lab).register("m", source)
        assert refused.value.code == "invalid_source"


def test_a_source_that_is_not_there_is_404(lab: Lab) -> None:
    with pytest.raises(NodeRefused) as refused:
        a_registry(lab).register("m", "m")
    assert code_of(refused) == (404, "source_not_found")


def test_a_folder_that_came_by_rsync_gets_a_manifest_and_registers_twice(lab: Lab) -> None:
    registry = a_registry(lab)
    folder = a_folder(lab.node_models / "in" / "run-5")
    first = registry.register("m", "in/run-5")
    assert (folder / "manifest.json").is_file()
    again = registry.register("m", str(folder))
    assert again.manifest_sha256 == first.manifest_sha256
    assert Registry(lab, SystemClock()).get("m") == again


def test_a_snapshot_of_the_vault_registers_as_it_is_and_says_where_it_came_from(
    lab: Lab, tmp_path: Path
) -> None:
    vault = Vault(Lab(tmp_path / "trainer"), FakeClock())
    temp = vault.begin()
    shutil.copytree(a_folder(tmp_path / "weights"), temp, dirs_exist_ok=True)
    sealed = vault.commit(temp, parent=None, step=120, reason="steps", ledger=a_ledger(120))
    shutil.copytree(vault.snapshot("2027-01-31"), lab.node_model("m"))
    origin = a_registry(lab).register("m", "m").origin
    assert origin is not None and (origin.seal, origin.step) == (sealed.number, 120)


def test_an_id_stays_with_its_folder_and_a_folder_with_its_id(lab: Lab) -> None:
    registry = a_registry(lab, "a", "b")
    with pytest.raises(NodeRefused) as refused:
        registry.register("a", "b")
    assert code_of(refused) == (409, "model_exists")
    with pytest.raises(NodeRefused) as refused:
        registry.register("c", "b")
    assert code_of(refused) == (409, "source_taken")


def test_a_model_that_changed_after_registration_is_refused(lab: Lab) -> None:
    registry = a_registry(lab, "a")
    registry.verify("a", deep=False)
    path = lab.node_model("a") / "tokenizer.json"
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(data)
    for deep in (False, True):
        with pytest.raises(NodeRefused) as refused:
            registry.verify("a", deep=deep)
        assert refused.value.status == 422


def test_a_manifest_changed_along_with_its_model_is_refused(lab: Lab) -> None:
    registry = a_registry(lab, "a")
    shutil.rmtree(lab.node_model("a"))
    a_folder(lab.node_model("a"), seed=9)
    with pytest.raises(NodeRefused) as refused:
        registry.verify("a")
    assert code_of(refused) == (422, "hash_mismatch")


def test_a_new_champion_makes_the_old_one_previous(lab: Lab) -> None:
    registry = a_registry(lab, "a", "b")
    registry.set_alias("champion", "a")
    registry.set_alias("challenger", "b")
    assert registry.set_alias("champion", "b") == {"champion": "b", "previous": "a"}
    assert registry.set_alias("champion", "a") == {"champion": "a", "previous": "b"}
    assert Registry(lab, SystemClock()).aliases == registry.aliases
    with pytest.raises(NodeRefused) as refused:
        registry.set_alias("emperor", "a")
    assert refused.value.status == 404


def test_deletion_is_guarded_by_aliases_and_by_whoever_needs_the_model(lab: Lab) -> None:
    registry = a_registry(lab, "a", "b")
    registry.set_alias("champion", "a")
    registry.guards.append(lambda model_id: "job 7 uses b" if model_id == "b" else None)
    for model_id in ("a", "b"):
        with pytest.raises(NodeRefused) as refused:
            registry.delete(model_id)
        assert code_of(refused) == (409, "model_in_use")
    registry.guards.clear()
    registry.delete("b")
    assert not lab.node_model("b").exists() and lab.node_model("a").exists()
    with pytest.raises(NodeRefused) as refused:
        registry.get("b")
    assert code_of(refused) == (404, "model_not_found")


def test_a_manifest_that_was_being_written_does_not_bar_the_model(lab: Lab) -> None:
    folder = a_folder(lab.node_model("m"))
    (folder / f"{disk.TEMP_PREFIX}5317-manifest.json").write_bytes(b"{")
    registry = a_registry(lab)
    with pytest.raises(NodeRefused):
        registry.register("m", "m")
    assert registry.sweep() == 1
    assert registry.register("m", "m").id == "m"


def test_what_an_interrupted_deletion_left_is_swept(lab: Lab) -> None:
    registry = a_registry(lab)
    a_folder(lab.node_models / ".tmp-1-x")
    assert registry.sweep() == 1 and not list(lab.node_models.iterdir())


def test_a_full_disk_leaves_the_registry_as_it_was(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = a_registry(lab, "a", "b")
    registry.set_alias("champion", "a")
    monkeypatch.setattr(disk, "faults", disk.Faults("enospc", 1))
    with pytest.raises(OSError, match="No space"):
        registry.set_alias("champion", "b")
    monkeypatch.undo()
    assert registry.aliases == Registry(lab, SystemClock()).aliases == {"champion": "a"}
