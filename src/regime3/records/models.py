"""Models as the node knows them: their names, the manifest of a folder, the registry's entries.

A model's folder is flat. `manifest.json` names every other file with size and sha-256; a vault's
manifest is read as well, so that a snapshot which came by rsync registers as it is. Names are
judged here, in one place, before anything is joined to a path.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, Final, Literal, get_args

import msgspec

from regime3.errors import NodeRefused
from regime3.records.checkpoint import MANIFEST_NAME, SealedFile

SCHEMA: Final = 1
ID_PATTERN: Final = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}$"
FILE_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}$"
MANIFEST_BYTES_MAX: Final = 1 << 20
FILES_MAX: Final = 1024
Alias = Literal["champion", "challenger", "previous", "guest"]
"""`guest` is who a person talks to; it leaves when the loop needs the place."""
ALIASES: Final[tuple[str, ...]] = get_args(Alias)
DEFAULT: Final = "default"
RESERVED: Final = frozenset(
    {*ALIASES, DEFAULT, "aliases", "info", "register", "set_active", "uploads"}
)

PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
CODE: Final = (".py", ".pyc", ".so", ".sh")
SUFFIXES: Final = (".safetensors", ".json", ".txt", ".jinja", ".model", ".md")
PLAIN_NAMES: Final = frozenset({"LICENSE", "NOTICE"})

_ID, _FILE, _SHA256 = re.compile(ID_PATTERN), re.compile(FILE_PATTERN), re.compile(r"[0-9a-f]{64}")


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """The checkpoint that a model was exported from."""

    seal: int
    step: int
    seal_manifest_sha256: str
    """Of the bytes of the seal's manifest, which holds the hashes of its weights."""
    name: str = ""


class ModelManifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """`manifest.json` of a model's folder."""

    files: dict[str, SealedFile]
    schema: int = SCHEMA
    origin: Origin | None = None

    @property
    def size_bytes(self) -> int:
        return sum(item.size_bytes for item in self.files.values())


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the registry keeps of a model."""

    id: str
    source: str
    """Its folder, relative to the models folder."""
    registered_at: float
    verified_at: float
    manifest_sha256: str
    """Of the manifest's bytes, and so of every file: the name of these exact weights."""
    size_bytes: int
    parameters: int
    dtype: str
    architecture: str
    vocabulary: int
    context_window: int | None
    signature: list[tuple[str, int, int]]
    """Name, size and mtime (ns) of each file as hashed: unchanged, they need no second reading."""
    origin: Origin | None = None
    pushed: bool = False
    """It came by an upload, and retention may delete it; what was laid here by hand stays."""


def check_id(model_id: str) -> str:
    """The id, if it may name a model. Raises `NodeRefused`."""
    if not _ID.fullmatch(model_id) or model_id.endswith(".") or model_id.lower() in RESERVED:
        raise NodeRefused(
            400,
            "invalid_model_id",
            f"{model_id[:100]!r} cannot be the id of a model: letters, digits, '.', '_' and '-', "
            f"at most 96, and none of {', '.join(sorted(RESERVED))}",
            param="id",
        )
    return model_id


def check_file_name(name: str) -> str:
    """The name, if a file of a model may bear it. Raises `NodeRefused`."""
    lower = name.lower()
    if lower.endswith(PICKLES):
        code, why = "pickle_refused", f"{name[:100]!r} is a pickle, which runs code when opened"
    elif lower.endswith(CODE):
        code, why = "code_refused", f"{name[:100]!r} is code"
    elif not _FILE.fullmatch(name) or not (lower.endswith(SUFFIXES) or name in PLAIN_NAMES):
        code, why = "invalid_file_name", f"a model has no file of the name {name[:100]!r}"
    else:
        return name
    raise NodeRefused(422, code, f"{why}; only safetensors, JSON and text are taken", param="file")


def encode_manifest(manifest: ModelManifest) -> bytes:
    """The bytes of `manifest.json`: the same for the same folder, whoever makes it."""
    ordered = msgspec.structs.replace(manifest, files=dict(sorted(manifest.files.items())))
    return msgspec.json.format(msgspec.json.encode(ordered), indent=1) + b"\n"


class _Read(msgspec.Struct):
    """Ours, or a vault's, which has a number."""

    files: dict[str, SealedFile]
    schema: int = SCHEMA
    origin: Origin | None = None
    number: int | None = None
    step: int = 0
    model_name: str = ""


def decode_manifest(data: bytes) -> ModelManifest:
    """The manifest, every name and number of it checked. Raises `NodeRefused`."""
    if len(data) > MANIFEST_BYTES_MAX:
        raise _bad(f"it is larger than {MANIFEST_BYTES_MAX} bytes")
    try:
        read = msgspec.json.decode(data, type=_Read)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(str(error)) from None
    if read.schema != SCHEMA:
        raise _bad(f"schema {read.schema} is not {SCHEMA}")
    if not 0 < len(read.files) <= FILES_MAX:
        raise _bad(f"it lists {len(read.files)} files; 1 to {FILES_MAX} are allowed")
    for name, item in read.files.items():
        check_file_name(name)
        if name == MANIFEST_NAME:
            raise _bad("it lists itself")
        if item.size_bytes < 0 or not _SHA256.fullmatch(item.sha256):
            raise _bad(f"size or hash of {name} is impossible")
    if len({name.lower() for name in read.files}) != len(read.files):
        raise _bad("two names differ in case alone")
    return ModelManifest(read.files, read.schema, read.origin or _of_vault(read, data))


def origin_in(data: bytes) -> Origin | None:
    """What a manifest says of where its folder came from; a vault's is the origin itself."""
    try:
        read = msgspec.json.decode(data, type=_Read)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return read.origin or _of_vault(read, data)


def id_of(origin: Origin) -> str:
    """The id under which a checkpoint is shipped: other weights never bear it."""
    return f"checkpoint-{origin.seal:08d}-{origin.seal_manifest_sha256[:8]}"


def _of_vault(read: _Read, data: bytes) -> Origin | None:
    if read.number is None:
        return None
    return Origin(read.number, read.step, hashlib.sha256(data).hexdigest(), read.model_name)


def _bad(why: str) -> NodeRefused:
    return NodeRefused(422, "manifest_invalid", f"{MANIFEST_NAME}: {why}", param=MANIFEST_NAME)


def refused_folder(code: str, message: str, param: Any = None) -> NodeRefused:
    """The model itself is at fault."""
    return NodeRefused(422, code, message, param=param)
