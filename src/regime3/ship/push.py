"""Sending a checkpoint to a node: export, upload with resumption, register, activate.

    with Node("http://127.0.0.1:8765", token) as node:
        pushed = push(lab, seal, node, activate=True)

The checkpoint is read twice: once for the hashes that the manifest promises, once to send it; the
export lies nowhere in between. Every step may be repeated: what the node has already is not sent
again, a cut upload goes on at the node's offset, a push of the same checkpoint changes nothing.
Transient trouble is waited out with growing pauses as long as bytes get through now and then; a
refusal is told as it is.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

import httpx
import msgspec

from regime3 import disk
from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab
from regime3.records.checkpoint import MANIFEST_NAME, Seal
from regime3.records.models import (
    ModelManifest,
    check_id,
    decode_manifest,
    encode_manifest,
    id_of,
)
from regime3.ship.export import Export, origin_of
from regime3.ship.protocol import CONTENT, PREFIX, VERSION

PIECE_BYTES: Final = 256 << 20
"""Of one request: at a slow link's pace it still ends within a few minutes."""
READ_BYTES: Final = 1 << 20
PAUSE_S, PAUSE_S_MAX = 0.25, 10.0
PATIENCE_S: Final = 120.0
"""Without a byte getting through for so long, a push gives up."""
TIMEOUT = httpx.Timeout(60.0, connect=5.0)
ACTIVATE_S_MAX: Final = 600.0
TRANSIENT: Final = frozenset({408, 429, 500, 502, 503, 504})
TRANSIENT_CODES: Final = frozenset(
    {"upload_busy", "wrong_offset", "upload_not_found", "manifest_first", "activation_in_progress"}
)

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Told what is done (export, upload), bytes so far, bytes in all."""


class Pushed(msgspec.Struct, frozen=True):
    """What a push came to, and where its time went."""

    id: str
    manifest_sha256: str
    size_bytes: int
    sent_bytes: int
    """Less than the size when some of it was there."""
    export_s: float
    transfer_s: float
    activation: dict[str, Any] | None = None


class Node:
    """A node's HTTP API as far as a push needs it. Raises `NodeRefused` and `Unavailable`."""

    def __init__(self, url: str, token: str = "", client: httpx.Client | None = None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.url = url.rstrip("/")
        self._http = client or httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT)

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._http.close()

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """The answer, if it is a success."""
        try:
            answer = self._http.request(method, path, **more)
        except httpx.TransportError as error:
            raise Unavailable(f"the node at {self.url} cannot be reached: {error}") from None
        if answer.status_code >= 300:
            raise _refusal(answer)
        return answer

    def model(self, model_id: str) -> dict[str, Any] | None:
        """What the node knows of a model; None when it has none of this id."""
        try:
            known: dict[str, Any] = self.ask("GET", f"/models/{model_id}").json()
        except NodeRefused as refused:
            if refused.status == 404:
                return None
            raise
        return known

    def register(self, model_id: str) -> dict[str, Any]:
        body = {"id": model_id, "source": model_id}
        told: dict[str, Any] = self.ask("POST", "/models/register", json=body).json()
        return told

    def activate(self, model_id: str) -> dict[str, Any]:
        body = {"id": model_id}
        told: dict[str, Any] = self.ask(
            "POST", "/models/set_active", json=body, timeout=ACTIVATE_S_MAX
        ).json()
        return told


class Folder:
    """A sealed model folder to be sent as it is. Raises OSError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = (folder / MANIFEST_NAME).read_bytes()

    def blocks(self, name: str, at: int, length: int) -> Iterator[bytes]:
        """A part of a file."""
        with open(self.folder / name, "rb", buffering=0) as data:
            data.seek(at)
            while length:
                block = data.read(min(READ_BYTES, length))
                assert block, f"{name} became shorter"
                length -= len(block)
                yield block


@dataclass(frozen=True)
class Sealed:
    """A checkpoint to be sent as its bf16 export, which is made on the way."""

    export: Export
    manifest: bytes

    def blocks(self, name: str, at: int, length: int) -> Iterator[bytes]:
        """A part of a file."""
        for block in self.export.blocks(name, at, length):
            yield bytes(block)


def manifest_of(
    lab: Lab, seal: Seal, export: Export, model_id: str, progress: Progress = lambda *_: None
) -> bytes:
    """The manifest of a checkpoint's export: made by reading all of it, or as it was made before.

    Those of older exports are removed. Raises `ModelError` when the checkpoint is not what was
    sealed."""
    target = lab.node_export(model_id) / MANIFEST_NAME
    disk.make_folder(lab.node_exports)
    for old in lab.node_exports.iterdir():
        if old.name != model_id:
            disk.remove_folder(old)
    origin = origin_of(seal.path)
    known = _known(target)
    if known is not None and (known.origin, _sizes(known)) == (origin, export.sizes):
        return encode_manifest(known)
    done, total = 0, seal.size_bytes

    def tell(more: int) -> None:
        nonlocal done
        done += more
        progress("export", done, total)

    made = encode_manifest(export.describe(origin, tell, seal.manifest.files))
    disk.make_folder(target.parent)
    disk.write_bytes(target, made, durable=False)
    return made


def _known(path: Path) -> ModelManifest | None:
    try:
        return decode_manifest(path.read_bytes())
    except (OSError, NodeRefused):
        return None


def _sizes(manifest: ModelManifest) -> dict[str, int]:
    return {name: item.size_bytes for name, item in manifest.files.items()}


def push(
    lab: Lab,
    seal: Seal,
    node: Node,
    *,
    model_id: str | None = None,
    activate: bool = False,
    progress: Progress = lambda *_: None,
    patience_s: float = PATIENCE_S,
) -> Pushed:
    """Bring a checkpoint to the node. Raises `NodeRefused`, `Unavailable`, `ModelError`."""
    began = time.monotonic()
    origin = origin_of(seal.path)
    assert origin is not None
    model_id = check_id(model_id) if model_id else id_of(origin)
    with Export(seal.path) as export:
        manifest = manifest_of(lab, seal, export, model_id, progress)
        exported = time.monotonic()
        try:
            pushed = _send(Sealed(export, manifest), model_id, node, progress, patience_s)
        except NodeRefused as refused:
            if refused.status == 422:  # read wrongly, perhaps: the next push reads it anew
                disk.remove_folder(lab.node_export(model_id))
            raise
    pushed = msgspec.structs.replace(pushed, export_s=exported - began)
    if not activate:
        return pushed
    told = _patiently(lambda: node.activate(model_id), lambda: None, patience_s)
    return msgspec.structs.replace(pushed, activation=told)


def send_folder(
    folder: Path,
    model_id: str,
    node: Node,
    *,
    progress: Progress = lambda *_: None,
    patience_s: float = PATIENCE_S,
) -> Pushed:
    """Upload a sealed model folder and register it."""
    return _send(Folder(folder), model_id, node, progress, patience_s)


def _send(
    source: Folder | Sealed, model_id: str, node: Node, progress: Progress, patience_s: float
) -> Pushed:
    began = time.monotonic()
    sending = _Sending(source, model_id, node, progress)
    _patiently(sending.send, lambda: sending.safe_max, patience_s)
    return Pushed(
        model_id,
        sending.promise,
        sending.manifest.size_bytes,
        sending.sent,
        0.0,
        time.monotonic() - began,
    )


class _Sending:
    """One model's way. `send` may be called again after any failure."""

    def __init__(
        self, source: Folder | Sealed, model_id: str, node: Node, progress: Progress
    ) -> None:
        self.source, self.model_id, self.node, self._progress = source, model_id, node, progress
        self.manifest: ModelManifest = decode_manifest(source.manifest)
        self.promise = hashlib.sha256(source.manifest).hexdigest()
        self._sizes = {MANIFEST_NAME: len(source.manifest), **_sizes(self.manifest)}
        self.sent = 0
        self.safe_max = 0
        """The most bytes that the node has had safe."""
        self._reached: dict[str, int] = {}

    def send(self) -> None:
        if self._is_there():
            return
        for name in self._sizes:
            try:
                self._send_file(name)
            except NodeRefused as refused:
                if refused.code == "model_exists":
                    break  # published, but a kill came before it was entered
                if refused.status != 404 or not self._is_there():
                    raise
        if not self._is_there():
            self.node.register(self.model_id)

    def _is_there(self) -> bool:
        """Whether the node has these very bytes. Raises `NodeRefused` if it has others."""
        known = self.node.model(self.model_id)
        if known is not None and known["manifest_sha256"] != self.promise:
            raise NodeRefused(
                409,
                "model_exists",
                f"the node has another model of the id {self.model_id}",
                param="id",
                next_command="r3 push --id ANOTHER",
            )
        return known is not None

    def _send_file(self, name: str) -> None:
        size = self._sizes[name]
        at = self._offset(name, size)
        if at == size > 0:
            self._piece(name, size, size)  # safe, though perhaps a kill came before the check
        while at < size:
            at = self._piece(name, at, size)
            self._reach(name, at)
            self.safe_max = max(self.safe_max, sum(self._reached.values()))

    def _offset(self, name: str, size: int) -> int:
        """Where to go on; begins the file when the node does not know it."""
        head = {"Tus-Resumable": VERSION}
        try:
            answer = self.node.ask("HEAD", self._url(name), headers=head)
        except NodeRefused as refused:
            if refused.status != 404:
                raise
            words = {"model": self.model_id, "file": name, "manifest": self.promise}
            head["Upload-Length"] = str(size)
            head["Upload-Metadata"] = ",".join(
                f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in words.items()
            )
            answer = self.node.ask("POST", PREFIX, headers=head)
        at = int(answer.headers["Upload-Offset"])
        self._reach(name, at)
        return at

    def _piece(self, name: str, at: int, size: int) -> int:
        length = min(PIECE_BYTES, size - at)
        head = {
            "Tus-Resumable": VERSION,
            "Upload-Offset": str(at),
            "Content-Type": CONTENT,
            "Content-Length": str(length),
        }
        body = self._blocks(name, at, length) if length else b""
        answer = self.node.ask("PATCH", self._url(name), headers=head, content=body)
        return int(answer.headers["Upload-Offset"])

    def _blocks(self, name: str, at: int, length: int) -> Iterator[bytes]:
        manifest = self.source.manifest
        own = name == MANIFEST_NAME
        for block in [manifest[at:]] if own else self.source.blocks(name, at, length):
            at += len(block)
            self.sent += len(block)
            self._reach(name, at)
            yield block

    def _url(self, name: str) -> str:
        return f"{PREFIX}/{self.model_id}/{name}"

    def _reach(self, name: str, at: int) -> None:
        self._reached[name] = at
        total = self.manifest.size_bytes
        self._progress("upload", min(sum(self._reached.values()), total), total)


def _patiently(act: Callable[[], T], moved: Callable[[], object], patience_s: float) -> T:
    """`act`, again and again while trouble is of the passing kind.

    `moved` tells how far it got: patience begins anew whenever that changes."""
    pause, seen, deadline = PAUSE_S, moved(), time.monotonic() + patience_s
    while True:
        try:
            return act()
        except (NodeRefused, Unavailable) as trouble:
            if isinstance(trouble, NodeRefused) and not _passes(trouble):
                raise
            if moved() != seen:
                pause, seen, deadline = PAUSE_S, moved(), time.monotonic() + patience_s
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(2 * pause, PAUSE_S_MAX)


def _passes(refused: NodeRefused) -> bool:
    return refused.status in TRANSIENT or refused.code in TRANSIENT_CODES


def _refusal(answer: httpx.Response) -> NodeRefused:
    detail: dict[str, Any] = {}
    with contextlib.suppress(ValueError, KeyError, TypeError):
        detail = dict(answer.json()["error"])
    code = str(detail.get("code") or f"http_{answer.status_code}")
    message = str(detail.get("message") or f"the node answered {answer.status_code}")
    return NodeRefused(answer.status_code, code, message, param=detail.get("param"))
