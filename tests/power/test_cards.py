"""Kinds of cards: NVML with a fake driver, nvidia-smi with a fake runner, and the simulated one."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace
from typing import Any

import pytest

from regime3.clock import FakeClock
from regime3.config import Power
from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab
from regime3.power import open_cards
from regime3.power.nvml import open_nvml
from regime3.power.simulated import SimulatedCard
from regime3.power.smi import set_by_smi


class Error(Exception):
    """A driver's error."""


class NoPermission(Error):
    """The one that names a missing right."""


class Driver:
    """What `pynvml` offers, for one card of 100 to 366 W."""

    NVMLError, NVMLError_NoPermission = Error, NoPermission
    NVML_TEMPERATURE_GPU, NVML_CLOCK_SM, NVML_CLOCK_MEM = 0, 1, 2

    def __init__(self, count: int = 1, root: bool = True, mute: tuple[str, ...] = ()) -> None:
        self.count, self.root, self.mute = count, root, mute
        self.limit_mw = 350_000

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("nvml") and name in object.__getattribute__(self, "mute"):

            def silent(*_: Any) -> Any:
                raise Error("Not Supported")

            return silent
        return object.__getattribute__(self, name)

    def nvmlInit(self) -> None:
        pass

    def nvmlDeviceGetCount(self) -> int:
        return self.count

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, handle: int) -> bytes:
        return b"RTX"

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return "GPU-1"

    def nvmlDeviceGetPowerManagementLimitConstraints(self, handle: int) -> list[int]:
        return [100_000, 366_000]

    def nvmlDeviceGetPowerManagementDefaultLimit(self, handle: int) -> int:
        return 350_000

    def nvmlDeviceSetPowerManagementLimit(self, handle: int, milliwatts: int) -> None:
        if not self.root:
            raise NoPermission("Insufficient Permissions")
        self.limit_mw = milliwatts

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:
        return self.limit_mw

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=5, total=9)

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        return SimpleNamespace(gpu=42)

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        return 123_456

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        return 9_000

    def nvmlDeviceGetTemperature(self, handle: int, kind: int) -> int:
        return 61

    def nvmlDeviceGetClockInfo(self, handle: int, kind: int) -> int:
        return 1000 * kind

    def nvmlDeviceGetFanSpeed(self, handle: int) -> int:
        return 30


def nowhere(uuid: str, power_w: float) -> None:
    raise AssertionError("NVML should have done it")


def test_a_card_of_the_driver_is_read_in_our_units() -> None:
    (card,) = open_nvml(nowhere, Driver())
    reading = card.read()
    assert (card.name, card.uuid, reading.simulated) == ("RTX", "GPU-1", False)
    assert (reading.power_w, reading.power_limit_w, reading.energy_j) == (123.456, 350.0, 9.0)
    assert (reading.temperature_c, reading.busy_percent, reading.fan_percent) == (61, 42, 30)
    assert (reading.clock_mhz, reading.memory_clock_mhz) == (1000, 2000)
    card.set_limit(222.4)
    assert card.limit_w() == 222.4
    limits = card.limits()
    assert (limits.min_w, limits.max_w, limits.default_w) == (100, 366, 350)


def test_what_a_card_does_not_say_is_none() -> None:
    mute = ("nvmlDeviceGetFanSpeed", "nvmlDeviceGetPowerUsage", "nvmlDeviceGetUtilizationRates",
            "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetPowerManagementLimitConstraints",
            "nvmlDeviceGetEnforcedPowerLimit")  # fmt: skip
    (card,) = open_nvml(nowhere, Driver(mute=mute))
    reading = card.read()
    assert reading.fan_percent is reading.power_w is reading.busy_percent is None
    assert reading.memory_used_bytes is reading.power_min_w is None
    with pytest.raises(Unavailable, match="Not Supported"):
        card.limit_w()


def test_no_driver_and_no_card_are_one_clear_sentence() -> None:
    with pytest.raises(Unavailable, match="no NVIDIA driver answers"):
        open_nvml(nowhere, Driver(mute=("nvmlInit",)))
    with pytest.raises(Unavailable, match="knows no card"):
        open_nvml(nowhere, Driver(count=0))


def test_without_the_package_there_is_no_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynvml", None)
    with pytest.raises(Unavailable, match="pip install nvidia-ml-py"):
        open_nvml(nowhere)


def test_where_nvml_lacks_the_right_sudo_is_tried() -> None:
    asked: list[tuple[str, float]] = []
    (card,) = open_nvml(lambda uuid, power_w: asked.append((uuid, power_w)), Driver(root=False))
    card.set_limit(220.0)
    assert asked == [("GPU-1", 220.0)]


def test_any_other_refusal_of_the_driver_is_told() -> None:
    (card,) = open_nvml(nowhere, Driver(mute=("nvmlDeviceSetPowerManagementLimit",)))
    with pytest.raises(NodeRefused, match="Not Supported"):
        card.set_limit(220.0)


def test_nvidia_smi_is_run_without_a_shell_and_without_a_password() -> None:
    seen: list[Any] = []

    def run(command: list[str], **how: Any) -> Any:
        seen.append((command, how))
        return SimpleNamespace(returncode=0, stdout="", stderr="")

    set_by_smi("GPU-1; rm -rf /", 219.6, run)
    command, how = seen[0]
    assert command == ["sudo", "-n", "nvidia-smi", "-i", "GPU-1; rm -rf /", "-pl", "220"]
    assert "shell" not in how and how["timeout"] > 0


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (FileNotFoundError(), "no sudo"),
        (subprocess.TimeoutExpired("x", 1), "did not answer"),
        (SimpleNamespace(returncode=1, stdout="", stderr="sudo: a password is required"), "passw"),
        (SimpleNamespace(returncode=4, stdout="", stderr=""), "no reason given"),
    ],
)
def test_each_way_that_sudo_fails_is_named(outcome: Any, words: str) -> None:
    def run(*_: Any, **__: Any) -> Any:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(NodeRefused, match=words) as caught:
        set_by_smi("GPU-1", 220.0, run)
    assert (caught.value.status, caught.value.code) == (409, "power_denied")


def test_the_simulated_card_follows_its_formula(clock: FakeClock) -> None:
    busy = {"share": 0.0}
    card = SimulatedCard(clock, busy=lambda: busy["share"])
    assert card.read().power_w == 25.0 and card.read().temperature_c == 33.75
    clock.advance(10)
    assert card.read().energy_j == 250.0
    busy["share"] = 0.5
    assert card.read().power_w == 187.5
    busy["share"] = 7.0
    card.set_limit(200.0)
    assert card.read().power_w == 200.0 and card.read().busy_percent == 100.0
    assert card.read().simulated is True


@pytest.mark.parametrize("watts", [99.9, 366.1, -1.0, float("nan")])
def test_the_simulated_card_refuses_what_a_card_would(clock: FakeClock, watts: float) -> None:
    with pytest.raises(NodeRefused):
        SimulatedCard(clock).set_limit(watts)


def test_a_simulated_card_is_there_only_when_asked_for(lab: Lab, clock: FakeClock) -> None:
    (card,), why = open_cards(lab, Power(simulated=True), clock)
    assert card.simulated and why is None
    cards, why = open_cards(lab, Power(), clock)
    assert all(not card.simulated for card in cards) and (cards or why)
