"""Is a folder a model that may be loaded? Everything that can be told before a framework sees it.

    found = verify(folder, hashes=True)      # raises NodeRefused

Names, links, manifest, sizes, hashes, JSON that would have code run, tensor headers against file
sizes and against the config. Nothing is executed, mapped or written here.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from regime3.errors import NodeRefused
from regime3.records.checkpoint import MANIFEST_NAME, SealedFile
from regime3.records.models import (
    FILES_MAX,
    MANIFEST_BYTES_MAX,
    ModelManifest,
    check_file_name,
    decode_manifest,
    encode_manifest,
    refused_folder,
)
from regime3.records.tensors import Header, LyingHeader, Tensor, read_header
from regime3.registry.shapes import check_shapes, number

CONFIG: Final = "config.json"
WEIGHTS: Final = "model.safetensors"
INDEX: Final = "model.safetensors.index.json"
TOKENIZERS: Final = ("tokenizer.json", "tokenizer.model", "vocab.json")
RUNS_CODE: Final = ("auto_map", "trust_remote_code", "custom_pipelines")
"""Keys by which a config has Python fetched and run."""
JSON_BYTES_MAX: Final = 128 << 20
JSON_DEPTH_MAX: Final = 100

Signature = list[tuple[str, int, int]]


class Found(msgspec.Struct, frozen=True):
    """What verification learned."""

    manifest: ModelManifest
    manifest_sha256: str
    written: bool
    """Whether the folder holds this manifest, or it was made just now."""
    parameters: int
    dtype: str
    architecture: str
    vocabulary: int
    context_window: int | None
    signature: Signature


def verify(folder: Path, *, hashes: bool) -> Found:
    """Check a folder; a folder without a manifest is hashed and given one (not written).

    `hashes` False believes the manifest's hashes: for bytes that were hashed on their way in.
    Raises `NodeRefused` with 404, 409 or 422.
    """
    try:
        before = signature_of(folder)
        data = _manifest_bytes(folder)
        manifest = _hashed(folder, before) if data is None else decode_manifest(data)
        _check_files(folder, manifest, before, hashes and data is not None)
        encoded = encode_manifest(manifest) if data is None else data
        config, tensors = check_contents(folder, manifest)
        if signature_of(folder) != before:
            raise NodeRefused(409, "source_changing", "the folder changed while it was read")
    except OSError as error:
        raise refused_folder("unreadable", f"the folder cannot be read: {error}") from None
    return Found(
        manifest,
        hashlib.sha256(encoded).hexdigest(),
        data is not None,
        sum(tensor.elements for tensor in tensors.values()),
        "+".join(sorted({tensor.dtype for tensor in tensors.values()})),
        _architecture(config),
        number(config, "vocab_size") or 0,
        number(config, "max_position_embeddings"),
        before,
    )


def signature_of(folder: Path) -> Signature:
    """Name, size and mtime of every file; refuses what is no plain file of an allowed name.

    Raises `NodeRefused`."""
    try:
        status = folder.lstat()
    except OSError:
        raise NodeRefused(404, "source_not_found", "there is no such model folder") from None
    if not stat.S_ISDIR(status.st_mode):
        raise refused_folder("not_a_folder", "the source is not a folder")
    found: Signature = []
    with os.scandir(folder) as items:
        for item in items:
            look = item.stat(follow_symlinks=False)
            if not stat.S_ISREG(look.st_mode):
                what = "a link" if stat.S_ISLNK(look.st_mode) else "not a plain file"
                raise refused_folder("not_a_file", f"{item.name[:100]!r} is {what}", "file")
            check_file_name(item.name)
            if len(found) > FILES_MAX:
                raise refused_folder("too_many_files", f"more than {FILES_MAX} files")
            found.append((item.name, look.st_size, look.st_mtime_ns))
    return sorted(found)


def hash_of(path: Path) -> str:
    """The sha-256 of a file."""
    with open(path, "rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def check_contents(
    folder: Path, manifest: ModelManifest
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Config and tensors fit, JSON runs nothing. Raises `NodeRefused`."""
    config: dict[str, Any] | None = None
    index: Any = None
    for name in manifest.files:
        if name.lower().endswith(".json"):
            tree = _json(folder, name)
            _refuse_code(tree, name)
            if name == CONFIG and isinstance(tree, dict):
                config = tree
            elif name == INDEX:
                index = tree
    if config is None:
        raise refused_folder("config_missing", f"there is no {CONFIG} with an object", CONFIG)
    if not any(name in manifest.files for name in TOKENIZERS):
        raise refused_folder("tokenizer_missing", f"none of {', '.join(TOKENIZERS)} is there")
    tensors = _tensors(folder, manifest, index)
    check_shapes(config, tensors)
    return config, tensors


# ------------------------------------------------------------------------------------ manifest


def _manifest_bytes(folder: Path) -> bytes | None:
    try:
        with open(folder / MANIFEST_NAME, "rb") as source:
            return source.read(MANIFEST_BYTES_MAX + 1)
    except FileNotFoundError:
        return None


def _hashed(folder: Path, signature: Signature) -> ModelManifest:
    """The manifest of what lies there."""
    files = {name: SealedFile(size, hash_of(folder / name)) for name, size, _ in signature}
    if not files:
        raise refused_folder("empty", "the folder is empty")
    return ModelManifest(files)


def _check_files(folder: Path, manifest: ModelManifest, signature: Signature, hashes: bool) -> None:
    """Exactly the listed files are there, of the listed sizes and, if asked, hashes."""
    sizes = {name: size for name, size, _ in signature if name != MANIFEST_NAME}
    unknown = sorted(set(sizes) - set(manifest.files))
    if unknown:
        raise refused_folder(
            "file_unknown", f"{unknown[0]!r} is there, but not in the manifest", unknown[0]
        )
    for name, item in manifest.files.items():
        if name not in sizes:
            raise refused_folder("file_missing", f"{name} is in the manifest, but not there", name)
        if sizes[name] != item.size_bytes:
            raise refused_folder(
                "size_mismatch",
                f"{name} has {sizes[name]} bytes, the manifest says {item.size_bytes}",
                name,
            )
    for name, item in manifest.files.items() if hashes else ():
        if hash_of(folder / name) != item.sha256:
            raise refused_folder("hash_mismatch", f"{name} is not what the manifest says", name)


# ------------------------------------------------------------------------------------- contents


def _json(folder: Path, name: str) -> Any:
    path = folder / name
    if path.stat().st_size > JSON_BYTES_MAX:
        raise refused_folder("json_invalid", f"{name} is larger than {JSON_BYTES_MAX}", name)
    try:
        return msgspec.json.decode(path.read_bytes())
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refused_folder("json_invalid", f"{name} is not JSON: {error}", name) from None


def _refuse_code(tree: Any, name: str) -> None:
    """Refuse keys that have code fetched; in a vocabulary, whose values are numbers, they may be.

    Goes over the tree without recursion and refuses depths that would choke a later reader."""
    level = [tree]
    for _ in range(JSON_DEPTH_MAX):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                for key in RUNS_CODE:
                    if key in item and type(item[key]) is not int:
                        raise refused_folder("remote_code", f"{name} asks for code ({key})", name)
                below += [value for value in item.values() if isinstance(value, dict | list)]
            elif isinstance(item, list):
                below += [value for value in item if isinstance(value, dict | list)]
        if not below:
            return
        level = below
    raise refused_folder("json_invalid", f"{name} is deeper than {JSON_DEPTH_MAX}", name)


def _tensors(folder: Path, manifest: ModelManifest, index: Any) -> dict[str, Tensor]:
    """The tensors of all weight files; each in one place, and the index agrees."""
    files = [name for name in manifest.files if name.lower().endswith(".safetensors")]
    placed = _index_files(index) if index is not None else None
    if placed is None and files != [WEIGHTS]:
        raise refused_folder("weights_missing", f"{WEIGHTS} has to be the only safetensors file")
    if placed is not None and set(files) != set(placed.values()):
        raise refused_folder("weights_missing", f"{INDEX} names other files than are there", INDEX)
    tensors: dict[str, Tensor] = {}
    for name in files:
        header = _header(folder, name)
        for tensor, facts in header.tensors.items():
            if tensor in tensors or (placed is not None and placed.get(tensor) != name):
                raise refused_folder("header_invalid", f"{tensor} is not where it belongs", name)
            tensors[tensor] = facts
    if placed is not None and set(placed) != set(tensors):
        raise refused_folder("header_invalid", f"{INDEX} names tensors that are not there", INDEX)
    return tensors


def _header(folder: Path, name: str) -> Header:
    try:
        return read_header(folder / name)
    except LyingHeader as lie:
        raise refused_folder("header_invalid", f"{name}: {lie}", name) from None


def _index_files(index: Any) -> dict[str, str]:
    placed = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(placed, dict) or not all(isinstance(v, str) for v in placed.values()):
        raise refused_folder("json_invalid", f"{INDEX} has no weight_map", INDEX)
    return placed


def _architecture(config: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if isinstance(names, list) and names and isinstance(names[0], str):
        return names[0][:100]
    return str(config.get("model_type", ""))[:100]
