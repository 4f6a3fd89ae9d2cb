"""Which folders are models: everything else is refused, with a word for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from regime3.errors import NodeRefused
from regime3.records.models import encode_manifest
from regime3.registry import verify
from tests.registry.folders import VOCABULARY, WIDTH, a_config, a_folder, shapes, weights


def refusal(folder: Path, **kwargs: Any) -> NodeRefused:
    with pytest.raises(NodeRefused) as caught:
        verify(folder, hashes=kwargs.get("hashes", True))
    return caught.value


def with_manifest(folder: Path) -> Path:
    """The folder with the manifest that verification would give it."""
    found = verify(folder, hashes=True)
    (folder / "manifest.json").write_bytes(encode_manifest(found.manifest))
    return folder


def test_a_sound_folder_is_a_model(tmp_path: Path) -> None:
    found = verify(a_folder(tmp_path / "m"), hashes=True)
    assert found.parameters == sum(w * (h[0] if h else 1) for w, *h in shapes().values())
    assert (found.vocabulary, found.dtype, found.written) == (VOCABULARY, "F32", False)


def test_the_manifest_made_is_the_one_believed(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "m")
    made = verify(folder, hashes=True)
    again = verify(with_manifest(folder), hashes=True)
    assert again.written and again.manifest_sha256 == made.manifest_sha256


def config(**changes: Any) -> Callable[[Path], Any]:
    return lambda f: (f / "config.json").write_text(json.dumps(a_config(**changes)))


def tensors(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], Any]:
    def act(folder: Path) -> None:
        found = shapes()
        change(found)
        (folder / "model.safetensors").write_bytes(weights(found))

    return act


def text(name: str, what: str) -> Callable[[Path], Any]:
    return lambda f: (f / name).write_text(what)


BAD: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a pickle": ("pickle_refused", text("pytorch_model.bin", "x")),
    "a pickle in capitals": ("pickle_refused", text("X.PKL", "x")),
    "a checkpoint": ("pickle_refused", text("x.ckpt", "x")),
    "a python file": ("code_refused", text("modeling_x.py", "x")),
    "a hidden file": ("invalid_file_name", text(".x.json", "{}")),
    "an unknown kind of file": ("invalid_file_name", text("x.exe", "x")),
    "a link": ("not_a_file", lambda f: os.symlink("config.json", f / "other.json")),
    "a pipe": ("not_a_file", lambda f: os.mkfifo(f / "other.json")),
    "a folder inside": ("not_a_file", lambda f: (f / "sub.json").mkdir()),
    "no config": ("config_missing", lambda f: (f / "config.json").unlink()),
    "a config that is a list": ("config_missing", text("config.json", "[]")),
    "a config that is no JSON": ("json_invalid", text("config.json", "{")),
    "a config 100,000 deep": ("json_invalid", text("config.json", "[" * 100_000)),
    "a config 500 deep": ("json_invalid", text("x.json", "[" * 500 + "]" * 500)),
    "no tokenizer": ("tokenizer_missing", lambda f: (f / "tokenizer.json").unlink()),
    "no weights": ("weights_missing", lambda f: (f / "model.safetensors").unlink()),
    "weights beside the weights": (
        "weights_missing",
        lambda f: (f / "o.safetensors").write_bytes(weights()),
    ),
    "remote code": ("remote_code", config(auto_map={"AutoModel": "x.Y"})),
    "remote code, deep": ("remote_code", config(a=[{"b": {"auto_map": "x"}}])),
    "trust": ("remote_code", config(trust_remote_code=True)),
    "remote code of a tokenizer": (
        "remote_code",
        text("tokenizer_config.json", '{"auto_map": {}}'),
    ),
    "a header cut off": ("header_invalid", lambda f: os.truncate(f / "model.safetensors", 100)),
    "weights cut off": ("header_invalid", lambda f: os.truncate(f / "model.safetensors", 2000)),
    "weights of nothing": ("header_invalid", lambda f: os.truncate(f / "model.safetensors", 0)),
    "layers that are not there": ("config_mismatch", config(num_hidden_layers=3)),
    "layers too many": ("config_mismatch", config(num_hidden_layers=1)),
    "another vocabulary": ("config_mismatch", config(vocab_size=VOCABULARY + 1)),
    "another width": ("config_mismatch", config(hidden_size=WIDTH * 2)),
    "a vocabulary that is a text": ("config_mismatch", config(vocab_size="32")),
    "a vocabulary below zero": ("config_mismatch", config(vocab_size=-1)),
    "a head that is missing": ("config_mismatch", config(tie_word_embeddings=False)),
    "no width": ("config_mismatch", config(hidden_size=None)),
    "a tensor missing": ("config_mismatch", tensors(lambda t: t.pop("model.norm.weight"))),
    "a tensor of another shape": (
        "config_mismatch",
        tensors(lambda t: t.update({"model.norm.weight": (WIDTH + 1,)})),
    ),
    "another family without embeddings": (
        "config_mismatch",
        config(model_type="gpt2", vocab_size=31),
    ),
}


@pytest.mark.parametrize(("code", "spoil"), BAD.values(), ids=BAD)
def test_a_folder_is_refused_for(tmp_path: Path, code: str, spoil: Callable[[Path], Any]) -> None:
    folder = a_folder(tmp_path / "m")
    spoil(folder)
    refused = refusal(folder)
    assert (refused.code, refused.status) == (code, 422)


def listing(name: str, sha256: str = "0" * 64, schema: int = 1) -> Callable[[Path], Any]:
    files = {name: {"size_bytes": 1, "sha256": sha256}}
    return text("manifest.json", json.dumps({"schema": schema, "files": files}))


UNPROMISED: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "a file not listed": ("file_unknown", text("more.txt", "x")),
    "a file gone": ("file_missing", lambda f: (f / "tokenizer.json").unlink()),
    "a file longer": ("size_mismatch", text("config.json", "{}")),
    "a bit flipped": ("hash_mismatch", lambda f: flip(f / "model.safetensors")),
    "a manifest that is no JSON": ("manifest_invalid", text("manifest.json", "{")),
    "a manifest without files": ("manifest_invalid", text("manifest.json", '{"files": {}}')),
    "a manifest of the future": ("manifest_invalid", listing("a.json", "0" * 64, schema=9)),
    "a manifest that leads out": ("invalid_file_name", listing("../a.json")),
    "a manifest with a pickle": ("pickle_refused", listing("a.bin")),
    "a manifest without hashes": ("manifest_invalid", listing("a.json", "12")),
    "a manifest of 2 MB": ("manifest_invalid", text("manifest.json", " " * (2 << 20))),
}


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(("code", "spoil"), UNPROMISED.values(), ids=UNPROMISED)
def test_a_promise_is_not_kept_by(tmp_path: Path, code: str, spoil: Callable[[Path], Any]) -> None:
    folder = with_manifest(a_folder(tmp_path / "m"))
    spoil(folder)
    assert refusal(folder).code == code


def test_weights_in_parts_need_an_index_that_agrees(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "m")
    (folder / "model.safetensors").unlink()
    names = list(shapes().items())
    parts = {"model-1.safetensors": dict(names[:9]), "model-2.safetensors": dict(names[9:])}
    placed = {tensor: name for name, held in parts.items() for tensor in held}
    for name, held in parts.items():
        (folder / name).write_bytes(weights(held))
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": placed}))
    verify(folder, hashes=True)
    placed["model.norm.weight"] = "model-2.safetensors"
    index.write_text(json.dumps({"weight_map": placed}))
    assert refusal(folder).code == "header_invalid"
