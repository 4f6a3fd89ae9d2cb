"""Readings of this machine: processor, memory, the lab's disk, and NVIDIA cards through NVML.

A card that does not answer is null, never simulated. Reading is cheap and done at most every
few seconds; in between the last reading is returned.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any, Protocol

import psutil

from regime3.paths import Lab
from regime3.records.status import GpuReading, SystemReading

READ_EVERY_S = 3.0
CARDS_MAX = 16


class Cards(Protocol):
    """Where card readings come from; a fake stands in where there is no card."""

    def read(self) -> list[GpuReading] | None:
        """A reading for each card, None when no card answers."""


class NvmlCards:
    """Cards by `pynvml` (package nvidia-ml-py), when it is installed and a driver answers."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handles: list[Any] = []
        with contextlib.suppress(Exception):  # any failure of a driver means: no card
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            count = min(CARDS_MAX, nvml.nvmlDeviceGetCount())
            self._handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
            self._nvml = nvml

    def read(self) -> list[GpuReading] | None:
        if not self._handles:
            return None
        return [self._card(index, handle) for index, handle in enumerate(self._handles)]

    def _card(self, index: int, handle: Any) -> GpuReading:
        nvml = self._nvml
        name = self._ask(nvml.nvmlDeviceGetName, handle)
        memory = self._ask(nvml.nvmlDeviceGetMemoryInfo, handle)
        busy = self._ask(nvml.nvmlDeviceGetUtilizationRates, handle)
        milliwatts = self._ask(nvml.nvmlDeviceGetPowerUsage, handle)
        limit = self._ask(nvml.nvmlDeviceGetEnforcedPowerLimit, handle)
        heat = self._ask(nvml.nvmlDeviceGetTemperature, handle, nvml.NVML_TEMPERATURE_GPU)
        return GpuReading(
            index=index,
            name=name.decode() if isinstance(name, bytes) else str(name or f"card {index}"),
            busy_percent=None if busy is None else float(busy.gpu),
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            temperature_c=None if heat is None else float(heat),
            power_w=None if milliwatts is None else milliwatts / 1000,
            power_limit_w=None if limit is None else limit / 1000,
        )

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """One figure; None when this card does not say."""
        try:
            return question(*arguments)
        except self._nvml.NVMLError:
            return None


class Machine:
    """Readings for the status file. `energy_j` grows by power times time, cards only."""

    def __init__(self, lab: Lab, cards: Cards | None = None) -> None:
        self._lab = lab
        self._cards = cards if cards is not None else NvmlCards()
        self._read_at: float | None = None
        self.system: SystemReading | None = None
        self.gpu: list[GpuReading] | None = None
        self.energy_j = 0.0
        self._cpu_asked = False

    def refresh(self, now: float, monotonic: float, worker_pid: int | None) -> bool:
        """Read again when the last reading is old; True when it did."""
        elapsed = None if self._read_at is None else monotonic - self._read_at
        if elapsed is not None and elapsed < READ_EVERY_S:
            return False
        self._read_at = monotonic
        self.system = self._system(now, worker_pid)
        self.gpu = self._cards.read()
        powers = [card.power_w for card in self.gpu or [] if card.power_w is not None]
        if elapsed is not None and powers:
            self.energy_j += sum(powers) * elapsed
        return True

    def _system(self, now: float, worker_pid: int | None) -> SystemReading:
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(self._lab.root))
        # The first answer of cpu_percent has nothing to compare with and is always 0.
        busy = psutil.cpu_percent(interval=None)
        cpu_percent = busy if self._cpu_asked else None
        self._cpu_asked = True
        return SystemReading(
            time=now,
            cpu_percent=cpu_percent,
            cpu_count=psutil.cpu_count() or 1,
            memory_used_bytes=int(memory.total - memory.available),
            memory_total_bytes=int(memory.total),
            disk_free_bytes=int(disk.free),
            disk_total_bytes=int(disk.total),
            worker_memory_bytes=_memory_of(worker_pid),
        )


def _memory_of(pid: int | None) -> int | None:
    if pid is None:
        return None
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None
