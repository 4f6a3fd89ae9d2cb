"""NVIDIA cards through NVML (package nvidia-ml-py), imported only when asked for.

Setting a limit needs root; where NVML says so, `smi` is tried: `sudo -n nvidia-smi -pl`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from regime3.errors import NodeRefused, Unavailable
from regime3.power.card import PowerLimits, Reading

CARDS_MAX = 16
SetElsewhere = Callable[[str, float], None]
"""Sets a card's limit (uuid, W) with rights that we lack; raises `NodeRefused`."""


def open_nvml(set_elsewhere: SetElsewhere, nvml: Any = None) -> list[NvmlCard]:
    """Every card of this machine. Raises `Unavailable`: no package, no driver, no card."""
    if nvml is None:
        try:
            nvml = importlib.import_module("pynvml")
        except ImportError:
            raise Unavailable(
                "nvidia-ml-py is not installed, so no card can be read", "pip install nvidia-ml-py"
            ) from None
    try:
        nvml.nvmlInit()
        count = min(CARDS_MAX, nvml.nvmlDeviceGetCount())
        cards = [NvmlCard(nvml, index, set_elsewhere) for index in range(count)]
    except nvml.NVMLError as error:
        raise Unavailable(f"no NVIDIA driver answers: {error}", "nvidia-smi") from None
    if not cards:
        raise Unavailable("the driver knows no card", "nvidia-smi")
    return cards


class NvmlCard:
    """One card of the driver."""

    simulated = False

    def __init__(self, nvml: Any, index: int, set_elsewhere: SetElsewhere) -> None:
        self._nvml, self._index, self._set_elsewhere = nvml, index, set_elsewhere
        self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
        self.name = _text(nvml.nvmlDeviceGetName(self._handle))
        self.uuid = _text(nvml.nvmlDeviceGetUUID(self._handle))

    def limits(self) -> PowerLimits:
        nvml = self._nvml
        low, high = self._must(nvml.nvmlDeviceGetPowerManagementLimitConstraints)
        default = self._must(nvml.nvmlDeviceGetPowerManagementDefaultLimit)
        return PowerLimits(low / 1000, high / 1000, default / 1000)

    def set_limit(self, power_w: float) -> None:
        nvml = self._nvml
        try:
            nvml.nvmlDeviceSetPowerManagementLimit(self._handle, round(power_w * 1000))
        except nvml.NVMLError as error:
            if not isinstance(error, nvml.NVMLError_NoPermission):
                raise NodeRefused(409, "power_refused", f"{self.name}: {error}") from None
            self._set_elsewhere(self.uuid, power_w)

    def limit_w(self) -> float:
        return float(self._must(self._nvml.nvmlDeviceGetEnforcedPowerLimit)) / 1000

    def read(self) -> Reading:
        nvml, ask = self._nvml, self._ask
        memory = ask(nvml.nvmlDeviceGetMemoryInfo)
        busy = ask(nvml.nvmlDeviceGetUtilizationRates)
        bounds = ask(nvml.nvmlDeviceGetPowerManagementLimitConstraints) or (None, None)
        return Reading(
            index=self._index,
            name=self.name,
            uuid=self.uuid,
            simulated=False,
            power_w=_thousandth(ask(nvml.nvmlDeviceGetPowerUsage)),
            power_limit_w=_thousandth(ask(nvml.nvmlDeviceGetEnforcedPowerLimit)),
            power_min_w=_thousandth(bounds[0]),
            power_max_w=_thousandth(bounds[1]),
            power_default_w=_thousandth(ask(nvml.nvmlDeviceGetPowerManagementDefaultLimit)),
            energy_j=_thousandth(ask(nvml.nvmlDeviceGetTotalEnergyConsumption)),
            temperature_c=_float(ask(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU)),
            busy_percent=None if busy is None else float(busy.gpu),
            memory_used_bytes=None if memory is None else int(memory.used),
            memory_total_bytes=None if memory is None else int(memory.total),
            clock_mhz=_float(ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM)),
            memory_clock_mhz=_float(ask(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM)),
            fan_percent=_float(ask(nvml.nvmlDeviceGetFanSpeed)),
        )

    def _ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
        """One figure; None when this card does not say."""
        try:
            return question(self._handle, *arguments)
        except self._nvml.NVMLError:
            return None

    def _must(self, question: Callable[..., Any]) -> Any:
        try:
            return question(self._handle)
        except self._nvml.NVMLError as error:
            raise Unavailable(f"{self.name} does not say: {error}", "nvidia-smi") from None


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _thousandth(value: Any) -> float | None:
    return None if value is None else float(value) / 1000
