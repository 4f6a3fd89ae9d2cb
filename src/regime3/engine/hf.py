"""Our own engine: transformers' forward, our batch, on a CPU or a card.

Two models at a time; each has its own batch, and they step in turn. Loading goes on in a thread
beside the batches that run. Out of memory is no death: everybody goes back to wait, the pool
shrinks, and the batch goes on.
"""

from __future__ import annotations

import itertools
import os
import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from regime3.config import Settings
from regime3.engine.base import Engine, failed, model_not_found
from regime3.engine.faults import Faults
from regime3.engine.resident import Resident
from regime3.engine.slots import Slots
from regime3.errors import ModelError, NodeRefused, Unavailable
from regime3.model import oom
from regime3.records import wire

LOADING_WAIT_S = 0.01
"""How often a load that goes on is looked at while nothing else is to be done."""


@dataclass
class _Done:
    """What came of a load."""

    ask: wire.Load
    resident: Resident | None
    load_s: float = 0.0
    warm_s: float = 0.0
    refusal: NodeRefused | None = None


class HfEngine(Engine):
    """See the module."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        node = settings.node
        self._settings = settings
        self._threads = node.threads or os.cpu_count() or 1
        torch.set_num_threads(self._threads)
        self._device = _device(node.device)
        if self._device.type == "cuda":
            torch.cuda.set_per_process_memory_fraction(node.memory_share, self._device)
        self._slots = Slots(node.slots, node.slots_reserved)
        self._residents: dict[str, Resident] = {}
        self._loading: dict[str, wire.Load] = {}
        self._waiting_loads: list[wire.Load] = []
        self._loaded: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self._order = itertools.count(1)
        self._faults = Faults.from_environment()
        self._current: Resident | None = None
        self._gone_written = self._gone_read = 0

    @property
    def wait_s(self) -> float | None:
        if any(each.loop.busy for each in self._residents.values()):
            return 0.0
        if self._loading or any(each.leaves_s is not None for each in self._residents.values()):
            return LOADING_WAIT_S
        return None

    def pulse(self) -> wire.Pulse:
        residents = list(self._residents.values())
        used = None
        if self._device.type == "cuda":
            used = torch.cuda.memory_reserved(self._device)
        return wire.Pulse(
            0,
            running=self._slots.used,
            waiting=sum(each.loop.waiting_count for each in residents),
            slots=self._slots.limit,
            tokens_written=self._written,
            tokens_read=self._gone_read + sum(each.loop.tokens_read for each in residents),
            models=[each.name for each in residents],
            memory_used_bytes=used,
        )

    @property
    def _written(self) -> int:
        residents = list(self._residents.values())
        return self._gone_written + sum(each.loop.telling.tokens_written for each in residents)

    # ----------------------------------------------------------------------------- requests

    def submit(self, ask: wire.Generate) -> None:
        resident = self._resident(ask.model)
        if resident.leaves_s is not None:
            raise model_not_found(ask.model)
        if self._faults.texts:
            self._faults.on_prompt(resident.decode(resident.ids_of(ask.prompt)))
        resident.submit(ask, next(self._order))

    def cancel(self, number: int) -> None:
        for resident in self._residents.values():
            resident.cancel(number)

    def limit(self, slots: int) -> None:
        self._slots.set_limit(slots)

    def tokenize(self, ask: wire.Tokenize) -> wire.Tokens:
        resident = self._resident(ask.model)
        ids = resident.ids_of(ask.prompt)
        return wire.Tokens(ask.id, ids, [resident.spelling.text(each) for each in ids])

    def detokenize(self, ask: wire.Detokenize) -> wire.Text:
        resident = self._resident(ask.model)
        ids = resident.ids_of(wire.Prompt(ids=ask.ids)) if ask.ids else []
        return wire.Text(ask.id, resident.decode(ids))

    def _resident(self, name: str) -> Resident:
        if name not in self._residents:
            raise model_not_found(name)
        return self._residents[name]

    # -------------------------------------------------------------------------------- steps

    def work(self) -> None:
        """A step of every model that has something to do."""
        while not self._loaded.empty():
            self._take_in(self._loaded.get())
        for resident in list(self._residents.values()):
            if resident.loop.busy:
                self._current = resident
                self._step(resident)
                resident.sweep()
            self._drain(resident)
        self._current = None

    def _step(self, resident: Resident) -> None:
        """One step; out of memory is mended outside the `except`, where the tensors are gone."""
        try:
            self._faults.on_step(self._written)
            resident.loop.step()
            return
        except (RuntimeError, MemoryError) as error:
            if oom.is_sticky(error) or not oom.is_oom(error):
                raise
        oom.reclaim()
        resident.loop.out_of_memory()
        oom.reclaim()

    def broke(self, error: BaseException) -> None:
        """Fail the requests of the model whose step it was; its pool is made anew."""
        if oom.is_sticky(error):
            raise error
        resident, self._current = self._current, None
        if resident is None:
            return
        message = f"{type(error).__name__}: {oom.message_of(error)}"
        for number in list(resident.requests):
            self.told.append(wire.Failed(number, 500, "engine_error", message))
            resident.cancel(number)
        resident.loop.pool.drop()

    # ------------------------------------------------------------------------------- models

    def load(self, ask: wire.Load) -> None:
        name = ask.model
        if name in self._loading:
            raise NodeRefused(409, "model_loading", f"{name!r} is being loaded", param="model")
        if name in self._residents:
            raise NodeRefused(409, "model_exists", f"{name!r} is loaded", param="model")
        held = len(self._residents) + len(self._loading)
        if held >= self._settings.node.residents_max:
            if not any(each.leaves_s is not None for each in self._residents.values()):
                raise NodeRefused(409, "models_full", f"{held} models are loaded already")
            self._waiting_loads.append(ask)
            return
        self._loading[name] = ask
        threading.Thread(target=self._load, args=(ask,), daemon=True).start()

    def _load(self, ask: wire.Load) -> None:
        """In a thread of its own; what comes of it is told by the engine's."""
        torch.set_num_threads(self._threads)  # a new thread has its own number
        began = time.monotonic()
        done = _Done(ask, None)
        try:
            self._faults.on_load()
            resident = Resident.load(ask.model, Path(ask.folder), self._settings, self._device)
            loaded = time.monotonic()
            resident.warm()
            done = _Done(ask, resident, loaded - began, time.monotonic() - loaded)
        except (ModelError, Unavailable) as error:
            message = str(error).partition("\n")[0]
            done.refusal = NodeRefused(400, "model_invalid", message, param="model")
        except Exception as error:
            full = oom.is_oom(error)
            code = "out_of_memory" if full else "engine_error"
            message = f"{type(error).__name__}: {oom.message_of(error)}"
            done.refusal = NodeRefused(503 if full else 500, code, message, param="model")
        self._loaded.put(done)

    def _take_in(self, done: _Done) -> None:
        del self._loading[done.ask.model]
        if done.resident is None:
            oom.reclaim()
            assert done.refusal is not None
            self.told.append(failed(done.ask.id, done.refusal))
            return
        done.resident.start(self._slots, self.told)
        self._residents[done.ask.model] = done.resident
        card = done.resident.card
        self.told.append(wire.Loaded(done.ask.id, card, done.load_s, done.warm_s))

    def unload(self, ask: wire.Unload) -> None:
        resident = self._resident(ask.model)
        resident.leaves_s, resident.leaving = time.monotonic() + ask.drain_s, ask.id

    def _drain(self, resident: Resident) -> None:
        """Free a model that leaves, once its requests are done or their time is up."""
        if resident.leaves_s is None:
            return
        if resident.requests and time.monotonic() < resident.leaves_s:
            return
        dropped = list(resident.requests)
        gone = NodeRefused(503, "model_unloaded", f"the model {resident.name!r} has left")
        for number in dropped:
            self.told.append(failed(number, gone))
            resident.cancel(number)
        self._gone_written += resident.loop.telling.tokens_written
        self._gone_read += resident.loop.tokens_read
        resident.loop.pool.drop()
        del self._residents[resident.name]
        self.told.append(wire.Unloaded(resident.leaving, len(dropped)))
        self._current = None
        oom.reclaim()
        waiting, self._waiting_loads = self._waiting_loads, []
        for ask in waiting:
            self.take(ask)


def _device(setting: str) -> torch.device:
    if setting == "cpu" or (setting == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise Unavailable("node.device is cuda and there is none", "r3 config --origin")
    return torch.device("cuda", torch.cuda.current_device())
