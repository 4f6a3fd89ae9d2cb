"""The bf16 export: torch's own rounding, bound to the checkpoint, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from regime3.clock import FakeClock
from regime3.errors import ModelError
from regime3.paths import Lab
from regime3.records.checkpoint import MANIFEST_NAME, Seal
from regime3.records.models import decode_manifest, id_of
from regime3.records.tensors import encode_header
from regime3.registry import verify
from regime3.ship import narrow
from regime3.ship.export import Export, export_folder, origin_of
from regime3.ship.narrow import to_bf16
from regime3.ship.push import manifest_of
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


def shipped(lab: Lab, seal: Seal, model_id: str = "m") -> dict[str, bytes]:
    """The files of a checkpoint as a push sends them."""
    with Export(seal.path) as export:
        found = {MANIFEST_NAME: manifest_of(lab, seal, export, model_id)}
        for name, size in export.sizes.items():
            found[name] = b"".join(bytes(block) for block in export.blocks(name, 0, size))
    return found


def test_an_export_names_its_checkpoint_and_leaves_the_trainers_files(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    files = shipped(lab, seal)
    assert set(files) == {"config.json", "manifest.json", "model.safetensors", "tokenizer.json"}
    origin = decode_manifest(files[MANIFEST_NAME]).origin
    assert origin is not None and (origin.seal, origin.step) == (seal.number, 120)
    assert id_of(origin) == f"checkpoint-{seal.number:08d}-{origin.seal_manifest_sha256[:8]}"


def test_the_same_checkpoint_gives_the_same_bytes_sent_or_written(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    again = tmp_path / "again"
    export_folder(seal.path, again, origin_of(seal.path))
    assert {path.name: path.read_bytes() for path in again.iterdir()} == shipped(lab, seal)
    assert verify(again, hashes=True).written


def test_any_part_of_an_export_is_that_part_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(narrow, "BLOCK_BYTES", 64)
    path = tmp_path / "mixed.safetensors"
    shapes = [("a", "F32", (7, 5)), ("b", "I8", (131,)), ("c", "F32", (3,)), ("d", "BF16", (9,))]
    body = np.random.default_rng(0).bytes(7 * 5 * 4 + 131 + 3 * 4 + 9 * 2)
    path.write_bytes(encode_header(shapes, {}) + body)
    with narrow.Narrow(path) as weights:
        whole = b"".join(bytes(now) for _, now in weights.pieces())
        was = b"".join(bytes(was) for was, _ in weights.pieces())
        parts = {
            (at, length): b"".join(bytes(now) for _, now in weights.pieces(at, length))
            for at in range(0, len(whole) + 1, 3)
            for length in (0, 1, 2, 33, 1000)
        }
        assert weights.size_bytes == len(whole)
    assert was == path.read_bytes()
    assert parts == {(at, length): whole[at : at + length] for at, length in parts}


def test_a_checkpoint_that_is_pruned_on_its_way_is_read_to_its_end(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    whole = shipped(lab, seal)["model.safetensors"]
    with Export(seal.path) as export:
        shutil.rmtree(seal.path)
        blocks = list(map(bytes, export.blocks("model.safetensors", 5, len(whole))))
    assert b"".join(blocks) == whole[5:]


def test_what_an_export_promises_is_found_out_once(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    told: list[str] = []
    with Export(seal.path) as export:
        first = manifest_of(lab, seal, export, "m", lambda what, *_: told.append(what))
        assert set(told) == {"export"}
        told.clear()
        assert manifest_of(lab, seal, export, "m", lambda what, *_: told.append(what)) == first
    assert not told


def test_another_checkpoint_under_the_same_id_is_another_export(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    first = shipped(lab, seal, "mine")
    _, newer = a_seal(tmp_path, 240)
    second = shipped(lab, newer, "mine")
    origins = [decode_manifest(each[MANIFEST_NAME]).origin for each in (first, second)]
    assert [each.step for each in origins if each is not None] == [120, 240]
    found = hashlib.sha256(second["model.safetensors"]).hexdigest()
    assert decode_manifest(second[MANIFEST_NAME]).files["model.safetensors"].sha256 == found


def test_a_newer_export_replaces_the_older(tmp_path: Path) -> None:
    lab, seal = a_seal(tmp_path)
    shipped(lab, seal, "older")
    shipped(lab, seal, "newer")
    assert [path.name for path in lab.node_exports.iterdir()] == ["newer"]


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_checkpoint_that_is_not_what_was_sealed_is_not_exported(
    tmp_path: Path, name: str
) -> None:
    lab, seal = a_seal(tmp_path)
    path = seal.path / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError):
        shipped(lab, seal)
    assert not list(lab.node_exports.iterdir())
