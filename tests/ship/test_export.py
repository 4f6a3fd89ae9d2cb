"""The bf16 export: torch's own rounding, bound to the checkpoint, the same bytes each time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from regime3.clock import FakeClock
from regime3.errors import ModelError
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.registry import verify
from regime3.ship.export import export_folder, to_bf16
from regime3.ship.push import export_seal
from regime3.vault import Vault
from tests.registry.folders import a_folder
from tests.vault.small_lab import a_ledger


def a_seal(root: Path, step: int = 120) -> tuple[Lab, Seal]:
    """A checkpoint whose state is a small model and an optimizer."""
    lab = Lab(root / "trainer")
    vault = Vault(lab, FakeClock())
    temp = vault.begin()
    for path in a_folder(root / f"weights-{step}", seed=step).iterdir():
        path.rename(temp / path.name)
    (temp / "optimizer.safetensors").write_bytes(b"momentum")
    (temp / "rng.json").write_text("{}")
    head = vault.head_number()
    return lab, vault.commit(temp, parent=head, step=step, reason="s", ledger=a_ledger(step))


def test_rounding_is_torchs_for_every_kind_of_number() -> None:
    import torch

    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 32, 200_000, dtype=np.uint32)
    edges = np.array([0, 1, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x80000000, 0x3F808000,
                      0x3F818000, 0x3F807FFF, 0x3F808001, 0x7FC00000, 0xFFFFFFFF],
                     np.uint32)  # fmt: skip
    bits = np.concatenate([bits, edges, np.arange(0x3F800000, 0x3F900000, 7, dtype=np.uint32)])
    theirs = torch.from_numpy(bits.view("<f4").copy()).to(torch.bfloat16).view(torch.int16)
    ours = to_bf16(bits.tobytes())
    nan = np.isnan(bits.view("<f4"))
    assert (ours == theirs.numpy().view(np.uint16))[~nan].all()
    assert np.isnan((ours[nan].astype(np.uint32) << 16).view("<f4")).all()


def test_an_export_loads_as_the_checkpoint_in_bf16(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    source = a_folder(tmp_path / "m")
    manifest = export_folder(source, tmp_path / "out", None)
    ours = load_file(tmp_path / "out" / "model.safetensors")
    for name, weight in load_file(source / "model.safetensors").items():
        assert torch.equal(ours[name], weight.to(torch.bfloat16))
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    assert verify(tmp_path / "out", hashes=True).manifest == manifest


def test_an_export_names_its_checkpoint_and_leaves_the_trainers_files(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    model_id, folder = export_seal(lab, seal)
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "manifest.json", "model.safetensors", "tokenizer.json"}
    origin = verify(folder, hashes=True).manifest.origin
    assert origin is not None and (origin.seal, origin.step) == (seal.number, 120)
    assert model_id == f"checkpoint-{seal.number:08d}-{origin.seal_manifest_sha256[:8]}"


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    _, folder = export_seal(lab, seal)
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    again = tmp_path / "again"
    export_folder(seal.path, again, verify(folder, hashes=False).manifest.origin)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == first


def test_a_newer_export_replaces_the_older(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    export_seal(lab, seal)
    _, newer = a_seal(tmp_path, 240)
    model_id, _ = export_seal(lab, newer)
    assert [path.name for path in lab.node_exports.iterdir()] == [model_id]


def test_a_checkpoint_that_is_not_what_was_sealed_is_not_exported(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    path = seal.path / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError):
        export_seal(lab, seal)
    assert not list(lab.node_exports.iterdir())
