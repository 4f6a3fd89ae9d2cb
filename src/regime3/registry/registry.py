"""The registry: which models there are, what they came from, and what the aliases mean.

    registry = Registry(lab, SystemClock())
    registry.register("step-1200", "step-1200")     # a folder inside the models folder
    registry.set_alias("champion", "step-1200")     # the champion before becomes `previous`

`registry.json` is an index over folders that speak for themselves; every change is one atomic
write. It loads nothing: whether a model is in memory is asked of `guards` before it is deleted.
Methods that hash are slow; call them in a thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import msgspec

from regime3 import disk
from regime3.clock import Clock
from regime3.errors import ModelError, NodeRefused
from regime3.paths import Lab
from regime3.records.checkpoint import MANIFEST_NAME
from regime3.records.models import (
    ALIASES,
    Entry,
    check_id,
    encode_manifest,
    refused_folder,
)
from regime3.registry.verify import Found, signature_of, verify

MODELS_MAX = 10_000
SOURCE_CHARS_MAX = 1024
SOURCE_PARTS_MAX = 4

Guard = Callable[[str], str | None]
"""Why a model may not go, or None."""


class Book(msgspec.Struct):
    """`registry.json`."""

    models: dict[str, Entry] = {}
    aliases: dict[str, str] = {}
    schema: int = 1


class Registry:
    """The models of one lab's node. One process writes; its threads may.

    Reading takes no lock: a book is never changed, only replaced.
    """

    def __init__(self, lab: Lab, clock: Clock) -> None:
        self.lab, self.clock = lab, clock
        self.guards: list[Guard] = []
        self._lock = threading.RLock()
        self._book = self._read()

    # --------------------------------------------------------------------------- reading

    def list(self) -> list[Entry]:
        """Every model, the newest last."""
        return sorted(self._book.models.values(), key=lambda entry: entry.registered_at)

    def get(self, model_id: str) -> Entry:
        """Raises `NodeRefused` 400 for what cannot be an id, 404 for what is none."""
        check_id(model_id)
        entry = self._book.models.get(model_id)
        if entry is None:
            raise unknown(model_id)
        return entry

    @property
    def aliases(self) -> dict[str, str]:
        """Alias to id."""
        return dict(self._book.aliases)

    def folder(self, model_id: str) -> Path:
        """Where a registered model lies."""
        return self.lab.node_models / self.get(model_id).source

    # --------------------------------------------------------------------------- changing

    def register(self, model_id: str, source: str) -> Entry:
        """Verify a folder inside the models folder and enter it; the same again changes nothing.

        Raises `NodeRefused`: 404 no such folder, 409 the id or the folder is taken, 422 not a
        model.
        """
        check_id(model_id)
        place = self.place_of(source)
        with self._lock:
            self._check_free(model_id, place)
        folder = self.lab.node_models / place
        found = verify(folder, hashes=True)
        if not found.written:
            disk.write_bytes(folder / MANIFEST_NAME, encode_manifest(found.manifest))
            found = msgspec.structs.replace(found, signature=signature_of(folder))
        now = self.clock.now()
        entry = _entry(model_id, str(place), found, now)
        with self._lock:
            before = self._check_free(model_id, place)
            if before is not None and before.manifest_sha256 != entry.manifest_sha256:
                raise refused_folder("hash_mismatch", f"{model_id} is not what was registered")
            if before is not None:
                entry = msgspec.structs.replace(
                    entry, registered_at=before.registered_at, pushed=before.pushed
                )
            return self._enter(entry)

    def _enter(self, entry: Entry) -> Entry:
        if len(self._book.models) >= MODELS_MAX:
            raise NodeRefused(409, "too_many_models", f"{MODELS_MAX} models are registered")
        self._write(Book({**self._book.models, entry.id: entry}, self._book.aliases))
        return entry

    def adopt(self, model_id: str, arrived: Path) -> Entry:
        """Take a whole folder in, whose bytes were hashed on their way: verify, rename, enter.

        It lies elsewhere in the lab and becomes the model's folder by one rename. Raises
        `NodeRefused`; then it stays where it is.
        """
        check_id(model_id)
        place = self.place_of(model_id)
        found = verify(arrived, hashes=False)
        target = self.lab.node_models / place
        with self._lock:
            self._check_free(model_id, place)
            if target.exists():
                raise NodeRefused(409, "model_exists", f"{model_id} is there already", param="id")
            disk.make_folder(self.lab.node_models)
            disk.seal_folder(arrived, target)
            entry = _entry(model_id, str(place), found, self.clock.now())
            return self._enter(msgspec.structs.replace(entry, pushed=True))

    def verify(self, model_id: str, *, deep: bool = True) -> Entry:
        """Look again. Not `deep`: files that are as they were when hashed are believed.

        Raises `NodeRefused` 422 when the folder is no longer what was registered."""
        with self._lock:  # a deletion that has begun is over before we look
            entry = self.get(model_id)
        folder = self.lab.node_models / entry.source
        signature = signature_of(folder)
        if not deep and signature == entry.signature:
            return entry
        return self.register(model_id, entry.source)

    def set_alias(self, alias: str, model_id: str) -> dict[str, str]:
        """Point an alias; a new champion makes the old one `previous`. Returns all aliases."""
        if alias not in ALIASES:
            known = ", ".join(ALIASES)
            raise NodeRefused(404, "unknown_alias", f"aliases are {known}", param="alias")
        self.get(model_id)
        with self._lock:
            aliases = dict(self._book.aliases)
            before = aliases.get(alias)
            if before == model_id:
                return aliases
            aliases[alias] = model_id
            if alias == "champion":
                if before is not None:
                    aliases["previous"] = before
                if aliases.get("challenger") == model_id:
                    del aliases["challenger"]
            self._write(Book(self._book.models, aliases))
            return aliases

    def drop_alias(self, alias: str) -> dict[str, str]:
        """Forget an alias; none there is fine. Returns all aliases."""
        with self._lock:
            aliases = {name: target for name, target in self.aliases.items() if name != alias}
            self._write(Book(self._book.models, aliases))
            return aliases

    def delete(self, model_id: str) -> Entry:
        """Delete a model and its folder. Raises `NodeRefused` 409 while something needs it."""
        entry = self.get(model_id)
        with self._lock:
            held = [name for name, target in self._book.aliases.items() if target == model_id]
            if held:
                raise _in_use(f"{model_id} is the {held[0]}")
            for guard in self.guards:
                why = guard(model_id)
                if why is not None:
                    raise _in_use(why)
            models = {key: value for key, value in self._book.models.items() if key != model_id}
            self._write(Book(models, self._book.aliases))
        disk.remove_folder(self.lab.node_models / entry.source)
        return entry

    def sweep(self) -> int:
        """Remove what interrupted deletions left, and manifests that were being written: a model
        with such a file beside it would be refused for ever. Call it at start."""
        models = self.lab.node_models
        if not models.is_dir():
            return 0
        folders = [path for path in models.glob("[!.]*") if path.is_dir() and not path.is_symlink()]
        return sum(map(disk.sweep_temp, (models, *folders)))

    # --------------------------------------------------------------------------- places

    def place_of(self, source: str) -> PurePosixPath:
        """A source inside the models folder, relative to it; it may be given whole.

        Raises `NodeRefused` 400 for every way out: '..', links, other roots, hidden names."""
        if not source or len(source) > SOURCE_CHARS_MAX or not source.isprintable():
            raise _outside(source)
        path = PurePosixPath(source)
        if path.is_absolute():
            for root in (self.lab.node_models, self.lab.node_models.resolve()):
                if path.is_relative_to(root):
                    path = path.relative_to(root)
                    break
        if path.is_absolute() or not 0 < len(path.parts) <= SOURCE_PARTS_MAX:
            raise _outside(source)
        at = self.lab.node_models
        for part in path.parts:
            try:
                check_id(part)
            except NodeRefused:
                raise _outside(source) from None
            at = at / part
            if at.is_symlink():
                raise _outside(source)
        return path

    def _check_free(self, model_id: str, place: PurePosixPath) -> Entry | None:
        """The entry of this id if it is the same folder. Raises `NodeRefused` 409."""
        before = self._book.models.get(model_id)
        if before is not None and before.source != str(place):
            raise NodeRefused(
                409, "model_exists", f"{model_id} is registered from another folder", param="id"
            )
        for entry in self._book.models.values():
            theirs = PurePosixPath(entry.source)
            if entry.id != model_id and (
                theirs.is_relative_to(place) or place.is_relative_to(theirs)
            ):
                raise NodeRefused(
                    409, "source_taken", f"the folder belongs to {entry.id}", param="source"
                )
        return before

    # --------------------------------------------------------------------------- the file

    def _read(self) -> Book:
        try:
            data = self.lab.node_registry_file.read_bytes()
        except FileNotFoundError:
            return Book()
        try:
            return msgspec.json.decode(data, type=Book)
        except msgspec.MsgspecError as error:
            raise ModelError(
                f"{self.lab.node_registry_file}: {error}. Moved away, it is made anew, and folders "
                "are registered again by `r3 push` or POST /models/register",
                "r3 doctor",
            ) from None

    def _write(self, book: Book) -> None:
        disk.make_folder(self.lab.node)
        disk.write_json(self.lab.node_registry_file, msgspec.to_builtins(book))
        self._book = book


def unknown(name: str) -> NodeRefused:
    """There is no such model."""
    return NodeRefused(
        404, "model_not_found", f"the model {name[:100]!r} does not exist", param="model"
    )


def _entry(model_id: str, source: str, found: Found, now: float) -> Entry:
    return Entry(
        id=model_id,
        source=source,
        registered_at=now,
        verified_at=now,
        manifest_sha256=found.manifest_sha256,
        size_bytes=found.manifest.size_bytes,
        parameters=found.parameters,
        dtype=found.dtype,
        architecture=found.architecture,
        vocabulary=found.vocabulary,
        context_window=found.context_window,
        signature=found.signature,
        origin=found.manifest.origin,
    )


def _outside(source: str) -> NodeRefused:
    return NodeRefused(
        400,
        "invalid_source",
        f"{source[:100]!r} is no folder inside the models folder",
        param="source",
    )


def _in_use(why: str) -> NodeRefused:
    return NodeRefused(409, "model_in_use", why, param="id")
