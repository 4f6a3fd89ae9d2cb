"""Which models answer: loading beside, routing, letting go, and what an alias means right now.

    models = Models(lab, settings, registry, link)
    await models.start()                       # the champion, or what the lab can offer
    await models.activate("step-1200")         # verify, load beside, route, drain the old one
    models.resolve("champion")                 # the id to ask the engine for

A request names a model by id or alias and gets only what is in memory: nothing loads on demand.
One activation runs at a time. The engine's process and HTTP are others' business.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from regime3 import disk
from regime3.config import Settings
from regime3.errors import NodeRefused, Regime3Error
from regime3.paths import Lab
from regime3.records.models import ALIASES, DEFAULT, Entry, id_of
from regime3.registry import Registry
from regime3.registry.registry import unknown
from regime3.serve.link import EngineLink
from regime3.ship.export import export_folder, origin_of

RETRY_AFTER_S: Final = 1.0
State = Literal["active", "loading", "leaving", "registered"]
NANO: Final = "nano"
BUILD_NANO: Final = (
    "import sys, pathlib; from regime3.model.nano import build_nano; "
    "build_nano(pathlib.Path(sys.argv[1]))"
)
"""In a process of its own, as building it takes torch."""


class Activation(msgspec.Struct, frozen=True):
    """What an activation did, and where its time went."""

    id: str
    alias: str
    replaced: str | None
    """The id that the alias meant before."""
    verify_s: float
    load_s: float
    warm_s: float
    total_s: float


class Models:
    """The models in memory. Use from one event loop."""

    def __init__(self, lab: Lab, settings: Settings, registry: Registry, link: EngineLink) -> None:
        self.lab, self.settings, self.registry, self.link = lab, settings, registry, link
        self.trouble: str | None = None
        """Why no model could be loaded at start; None when one is, or may still be."""
        self.swap_s: float | None = None
        """How long the last activation took."""
        self.loading: str | None = None
        self.on_swap: Callable[[str, float], None] = lambda *_: None
        """Told each phase of an activation and its seconds."""
        self._resident: list[str] = []
        self._leaving: dict[str, asyncio.Task[None]] = {}
        self._busy = asyncio.Lock()
        self.in_use: Callable[[], Awaitable[set[str]]] = _nobody
        """Ids that open jobs are bound to: they stay in memory as long as there is a place."""
        registry.guards.append(self._needs)

    # --------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Load the champion; in an empty registry, the first model that the lab has."""
        await asyncio.to_thread(self.registry.sweep)
        try:
            first = self.registry.aliases.get("champion")
            if first is None and self.settings.node.engine == "fake":
                await self._load(NANO, "")
                return
            if first is None and not self.registry.list():
                first = await self._first_model()
            if first is not None:
                await self.activate(first)
                await self._load_for_jobs()
        except (Regime3Error, OSError) as error:
            self.trouble = str(error)

    async def stop(self) -> None:
        """Wait for nothing more."""
        for task in list(self._leaving.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def why_not(self) -> str | None:
        """Why a request without a wish would not be answered; None when it would."""
        try:
            self.resolve(DEFAULT)
        except NodeRefused as refusal:
            return self.trouble or refusal.message
        return None

    # --------------------------------------------------------------------------- routing

    def resolve(self, name: str) -> str:
        """The id of the loaded model that a request means by an id, an alias or `default`.

        Raises `NodeRefused`: 404 unknown or not loaded, 503 on its way or lost.
        """
        aliases = self.registry.aliases
        model_id = self._default(aliases) if name == DEFAULT else aliases.get(name, name)
        if model_id in self.link.cards:
            return model_id
        if model_id in self.link.lost:
            raise _lost(model_id, self.link.lost[model_id])
        if model_id == self.loading or model_id in self._resident:
            raise _loading(model_id)
        if name == DEFAULT and (self.loading or self.trouble is None):
            raise _loading(model_id or "the model")
        if name in ALIASES or name == DEFAULT:
            raise NodeRefused(404, "model_not_found", f"no model is the {name}", param="model")
        try:
            self.registry.get(model_id)
        except NodeRefused:
            raise unknown(name) from None
        raise NodeRefused(
            404, "model_not_loaded", f"{model_id} is registered, but not active", param="model"
        )

    def _default(self, aliases: dict[str, str]) -> str:
        champion = aliases.get("champion")
        return champion or next(iter(self.link.cards), "")

    @property
    def residents(self) -> list[str]:
        """Ids in memory, those that leave included."""
        return [*self._resident, *(name for name in self._leaving if name not in self._resident)]

    def state_of(self, model_id: str) -> State:
        """Where a registered model stands."""
        if model_id == self.loading:
            return "loading"
        if model_id in self._leaving:
            return "leaving"
        return "active" if model_id in self._resident else "registered"

    # --------------------------------------------------------------------------- changing

    async def activate(self, model_id: str, alias: str = "champion") -> Activation:
        """Verify, load beside what is there, route new requests to it, let the old one go.

        Raises `NodeRefused`: 404 unknown, 409 another activation runs or memory is taken, 422
        not what was registered, 503 the engine is away. The alias is as before then.
        """
        self.registry.get(model_id)
        if alias not in ALIASES:
            raise NodeRefused(404, "unknown_alias", f"aliases are {', '.join(ALIASES)}")
        if self._busy.locked():
            raise NodeRefused(
                409,
                "activation_in_progress",
                f"{self.loading or 'another model'} is being activated",
                retry_after_s=RETRY_AFTER_S,
            )
        async with self._busy:
            self.loading = model_id
            try:
                return await self._activate(model_id, alias)
            finally:
                self.loading = None

    async def _activate(self, model_id: str, alias: str) -> Activation:
        began = time.monotonic()
        await asyncio.to_thread(lambda: self.registry.verify(model_id, deep=False))
        verified = time.monotonic()
        load_s = warm_s = 0.0
        lost = model_id in self.link.lost
        if lost or model_id not in self._resident:
            if not lost:  # it has its place
                await self._make_room(model_id, alias)
            told = await self._load(model_id, str(self.registry.folder(model_id)))
            load_s, warm_s = told.load_s, told.warm_s
        before = self.registry.aliases.get(alias)
        await asyncio.to_thread(self.registry.set_alias, alias, model_id)
        self.trouble = None
        self.swap_s = time.monotonic() - began
        await self._let_go_of_others()
        for phase, seconds in {"verify": verified - began, "load": load_s, "warm": warm_s}.items():
            self.on_swap(phase, seconds)
        return Activation(model_id, alias, before, verified - began, load_s, warm_s, self.swap_s)

    async def set_alias(self, alias: str, model_id: str) -> dict[str, str]:
        """Point an alias. `previous` needs no memory; the others are activations."""
        if alias == "previous":
            return await asyncio.to_thread(self.registry.set_alias, alias, model_id)
        await self.activate(model_id, alias)
        return self.registry.aliases

    async def drop_alias(self, alias: str) -> dict[str, str]:
        """Forget challenger or previous; a champion is only ever replaced."""
        if alias == "champion":
            raise NodeRefused(409, "model_in_use", "a champion is replaced, not dropped")
        if alias not in ALIASES:
            raise NodeRefused(404, "unknown_alias", f"aliases are {', '.join(ALIASES)}")
        aliases = await asyncio.to_thread(self.registry.drop_alias, alias)
        await self._let_go_of_others()
        return aliases

    async def delete(self, model_id: str) -> Entry:
        """Delete a model that nothing needs. Raises `NodeRefused` 409."""
        if model_id in await self.in_use():
            raise NodeRefused(409, "model_in_use", f"open jobs are bound to {model_id}")
        return await asyncio.to_thread(self.registry.delete, model_id)

    def _needs(self, model_id: str) -> str | None:
        """The registry's guard: what is in memory stays on disk."""
        if model_id == self.loading or model_id in self.residents:
            return f"{model_id} is in memory"
        return None

    # --------------------------------------------------------------------------- memory

    async def _load(self, model_id: str, folder: str) -> Any:
        try:
            told = await self.link.load(model_id, folder)
        except NodeRefused as refusal:
            if refusal.code == "engine_restarted":  # the link would bring it back by itself
                with contextlib.suppress(NodeRefused):
                    await self.link.unload(model_id, 0.0)
            raise
        if model_id not in self._resident:
            self._resident.append(model_id)
        return told

    async def _make_room(self, model_id: str, alias: str) -> None:
        """Wait for who leaves; with one place only, the old one leaves first.

        Raises `NodeRefused` 409 when champion and challenger fill the memory."""
        places = self.settings.node.residents_max
        while len(self.residents) >= places:
            if self._leaving:
                await asyncio.wait(self._leaving.values(), return_when=asyncio.FIRST_COMPLETED)
                continue
            aliases = self.registry.aliases
            named = {aliases.get("champion"), aliases.get("challenger")}
            others = [name for name in self._resident if name not in named]
            # A guest leaves first. Jobs of the rest end with the reason and can be tried again;
            # for a guest's sake none of them does.
            guests = [name for name in others if name == aliases.get("guest")]
            free = guests or ([] if alias == "guest" else others)
            if free:
                self._let_go(free[0])
                continue
            replaced = aliases.get(alias)
            if replaced in self._resident and (places == 1 or alias == "challenger"):
                self._let_go(replaced)
                continue
            raise NodeRefused(
                409,
                "residents_full",
                f"{', '.join(self.residents)} take all {places} places in memory; "
                "DELETE /models/aliases/challenger frees one, node.residents_max gives more",
            )

    async def _load_for_jobs(self) -> None:
        """After a restart: what open jobs are bound to, as far as there are places."""
        for model_id in sorted(await self.in_use()):
            full = len(self.residents) >= self.settings.node.residents_max
            if full or model_id in self._resident:
                continue
            # A job whose model is gone says so itself.
            with contextlib.suppress(NodeRefused):
                folder = await asyncio.to_thread(self.registry.folder, model_id)
                await asyncio.to_thread(partial(self.registry.verify, model_id, deep=False))
                await self._load(model_id, str(folder))

    async def _let_go_of_others(self) -> None:
        """What no alias but `previous` means, and no open job, need not stay in memory."""
        aliases = self.registry.aliases
        named = {self._default(aliases), aliases.get("challenger"), aliases.get("guest")}
        kept = named | await self.in_use()
        for model_id in [name for name in self._resident if name not in kept]:
            self._let_go(model_id)

    def _let_go(self, model_id: str) -> None:
        """No new request from now on; memory is free once the old ones are done."""
        self._resident.remove(model_id)

        async def leave() -> None:
            try:
                # A dead engine has let go already.
                with contextlib.suppress(NodeRefused):
                    await self.link.unload(model_id, self.settings.node.drain_s)
            finally:
                self._leaving.pop(model_id, None)

        self._leaving[model_id] = _task(leave())

    # --------------------------------------------------------------------------- first model

    async def _first_model(self) -> str:
        """Register the lab's current model, its base, or the packaged nano; returns the id."""
        for source in (self.lab.current_model, self.lab.model_base):
            if (source / "config.json").is_file():
                return await asyncio.to_thread(self._take_in, source.resolve())
        await self._take_nano()
        return NANO

    def _take_in(self, source: Path) -> str:
        """A bf16 copy becomes the node's own; where it came from stays in its manifest."""
        origin = origin_of(source)
        model_id = id_of(origin) if origin is not None else source.name
        target = self.lab.node_model(model_id)
        if not target.exists():
            export_folder(source, target, origin)
        return self.registry.register(model_id, model_id).id

    async def _take_nano(self) -> None:
        target = self.lab.node_model(NANO)
        if not target.exists():
            disk.make_folder(self.lab.node_models)
            temp = disk.temp_folder(self.lab.node_models, NANO)
            built = await asyncio.create_subprocess_exec(
                sys.executable, "-c", BUILD_NANO, str(temp), stdin=asyncio.subprocess.DEVNULL
            )
            if await built.wait() != 0:
                raise NodeRefused(503, "model_not_found", "the nano model could not be built")
            await asyncio.to_thread(disk.seal_folder, temp, target)
        await asyncio.to_thread(self.registry.register, NANO, NANO)


async def _nobody() -> set[str]:
    return set()


def _loading(what: str) -> NodeRefused:
    return NodeRefused(
        503, "model_loading", f"{what} is being loaded", param="model", retry_after_s=RETRY_AFTER_S
    )


def _lost(model_id: str, why: str) -> NodeRefused:
    return NodeRefused(
        503,
        "model_lost",
        f"{model_id} could not be loaded again after the engine was started anew ({why}); "
        "POST /models/set_active tries once more",
        param="model",
    )


def _task(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(work)
