"""What the node knows of its cards, its machine, its engine and itself; `routes.telemetry` serves
it. Reading blocks for a moment, so call it off the event loop. A reading that nobody gives is
None with a reason, and a simulated one says that it is.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, Protocol

import psutil

from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab
from regime3.power import Keeper, Reading
from regime3.records.status import GpuReading
from regime3.records.wire import ModelCard, Pulse
from regime3.serve.metrics import Metrics, Sample
from regime3.status.machine_log import MachineLog, figures_of, read

LOGS = ("node", "engine", "audit", "trainer", "worker", "web", "supervisor")
LOG_BYTES_MAX = 1 << 20
LOG_LINES_MAX = 2000
LOG_LINE_CHARACTERS_MAX = 4096
PROCESSES_MAX = 32
RETRY_AFTER_S = 2.0
PROCESSOR_S_MIN = 1.0


class Engine(Protocol):
    """What is asked of the link to the engine (`serve.link.EngineLink` has it)."""

    state: str
    pulse: Pulse | None
    restarts: int

    @property
    def cards(self) -> dict[str, ModelCard]:
        """Models that are loaded now."""

    @property
    def pid(self) -> int | None:
        """Of the engine process."""


class Telemetry:
    """Readings of one node."""

    def __init__(
        self,
        lab: Lab,
        settings: Settings,
        keeper: Keeper,
        engine: Engine,
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        self.lab, self.settings, self.keeper = lab, settings, keeper
        self.engine, self.metrics, self.clock = engine, metrics, clock
        self.started_at = clock.now()
        self._started = clock.monotonic()
        self.why_not: Callable[[], str | None] = lambda: None
        """Told by who knows the models: why a request that names none would fail."""
        self._energy = _Energy(clock)
        self._log = MachineLog(lab, "node")
        self._written, self._read = _Growing(), _Growing()
        self._processor = _Processor(clock)
        metrics.watch(self._samples)

    @property
    def uptime_s(self) -> float:
        """Since this node began."""
        return self.clock.monotonic() - self._started

    # ------------------------------------------------------------------ cards

    def cards(self) -> tuple[list[Reading], str | None]:
        """A reading of each card, or why there is none."""
        if not self.keeper.cards:
            return [], self.keeper.why_none
        try:
            readings = [card.read() for card in self.keeper.cards]
        except Unavailable as problem:
            return [], problem.message
        self._energy.spend(readings)
        return readings, None

    # ------------------------------------------------------------------ engine

    def ready(self) -> list[str]:
        """Models that answer now. Raises `NodeRefused` (503) with the reason when none does, or
        when the one that is asked by default does not."""
        if self.engine.state != "up":
            why = {"dead": "the engine died too often and was left dead: r3 node"}
            reason = why.get(self.engine.state, f"the engine is {self.engine.state}")
        elif why_not := self.why_not():
            reason = why_not
        elif not self.engine.cards:
            reason = "no model is loaded"
        else:
            return sorted(self.engine.cards)
        raise NodeRefused(503, "not_ready", reason, retry_after_s=RETRY_AFTER_S)

    # ------------------------------------------------------------------ machine

    def system(self) -> dict[str, Any]:
        """Processor, memory, the lab's disk, network, and the node's own processes."""
        memory, swap = psutil.virtual_memory(), psutil.swap_memory()
        disk = psutil.disk_usage(str(self.lab.root))
        network = psutil.net_io_counters()
        return {
            "cpu_percent": self._processor.percent(),
            "cpu_count": psutil.cpu_count() or 1,
            "load": list(os.getloadavg()),
            "memory_used_bytes": int(memory.total - memory.available),
            "memory_total_bytes": int(memory.total),
            "swap_used_bytes": int(swap.used),
            "disk_free_bytes": int(disk.free),
            "disk_total_bytes": int(disk.total),
            "network_sent_bytes": int(network.bytes_sent) if network else None,
            "network_received_bytes": int(network.bytes_recv) if network else None,
            "uptime_s": max(0.0, self.clock.now() - psutil.boot_time()),
            "node_uptime_s": self.uptime_s,
            "processes": self._processes(),
        }

    def note(self) -> None:
        """Keep a reading; a simulated card is none. Call it every few seconds."""
        machine, cards = self.system(), self.cards()[0]
        real = [card for card in cards if not card.simulated]
        engine = [each for each in machine["processes"] if each["role"] == "engine"]
        machine["worker_memory_bytes"] = engine[0]["memory_bytes"] if engine else None
        readings = [
            GpuReading(
                card.index, card.name, card.busy_percent, card.memory_used_bytes,
                card.memory_total_bytes, card.temperature_c, card.power_w, card.power_limit_w,
            )
            for card in real
        ]  # fmt: skip
        self._log.add(self.clock.now(), figures_of(SimpleNamespace(**machine), readings))

    def over_time(self, seconds: float, points: int) -> dict[str, Any]:
        """This box over so many seconds back, or all that is kept for 0."""
        since = self.clock.now() - seconds if seconds else 0.0
        return read(self.lab, since, points, "node")

    def _processes(self) -> list[dict[str, Any]]:
        """This process and those it started."""
        found = []
        with contextlib.suppress(psutil.Error):
            us = psutil.Process()
            for process in [us, *us.children(recursive=True)][:PROCESSES_MAX]:
                with contextlib.suppress(psutil.Error), process.oneshot():
                    found.append(self._process(process))
        return found

    def _process(self, process: psutil.Process) -> dict[str, Any]:
        roles = {os.getpid(): "http", self.engine.pid: "engine"}
        return {
            "pid": process.pid,
            "role": roles.get(process.pid, "other"),
            "memory_bytes": int(process.memory_info().rss),
            "threads": process.num_threads(),
            "cpu_s": sum(process.cpu_times()[:2]),
        }

    # ------------------------------------------------------------------ logs

    def log(self, component: str, lines_max: int) -> list[str] | None:
        """The last lines of a log; None when there is none yet."""
        assert component in LOGS, component
        try:
            with open(self.lab.log_file(component), "rb") as log:
                size = log.seek(0, os.SEEK_END)
                log.seek(max(0, size - LOG_BYTES_MAX))
                data = log.read(LOG_BYTES_MAX)
        except OSError:
            return None
        lines = data.decode("utf-8", "replace").splitlines()
        if size > LOG_BYTES_MAX:
            del lines[:1]  # cut through
        return [line[:LOG_LINE_CHARACTERS_MAX] for line in lines[-lines_max:]]

    # ------------------------------------------------------------------ metrics

    def _samples(self) -> Iterator[Sample]:
        yield from self._engine_samples()
        readings, _ = self.cards()
        for reading in readings:
            yield from self._card_samples(reading)
        tokens = self._written.total + self._read.total
        if readings and tokens:
            labels = {"simulated": _word(any(reading.simulated for reading in readings))}
            doc = "Joules over tokens read and written, since the node began."
            yield (
                "gauge", "energy_per_token_joules", doc, labels, self._energy.total_j / tokens
            )  # fmt: skip

    def _engine_samples(self) -> Iterator[Sample]:
        pulse = self.engine.pulse
        up = float(self.engine.state == "up")
        yield "gauge", "engine_up", "1 while the engine answers.", {}, up
        restarts = float(self.engine.restarts)
        yield "counter", "engine_restarts", "Times the engine was started again.", {}, restarts
        if pulse is None:
            return
        yield "gauge", "queue_depth", "Sequences that wait for a slot.", {}, float(pulse.waiting)
        yield "gauge", "running", "Sequences in the batch.", {}, float(pulse.running)
        yield "gauge", "slots", "Sequences that fit the batch.", {}, float(pulse.slots)
        written = float(self._written.add(pulse.tokens_written))
        yield "counter", "tokens_written", "Tokens written.", {}, written
        read = float(self._read.add(pulse.tokens_read))
        yield "counter", "tokens_read", "Prompt tokens computed.", {}, read

    def _card_samples(self, reading: Reading) -> Iterator[Sample]:
        labels = {"card": reading.uuid, "simulated": _word(reading.simulated)}
        joules = self._energy.by_card.get(reading.uuid, 0.0)
        yield "counter", "energy_joules", "Drawn since the node began.", labels, joules
        for name, doc, value in (
            ("power_draw_watts", "Drawn now.", reading.power_w),
            ("power_limit_watts", "The limit that is enforced.", reading.power_limit_w),
            ("temperature_celsius", "Of the card.", reading.temperature_c),
            ("memory_used_bytes", "On the card.", reading.memory_used_bytes),
        ):
            if value is not None:
                yield "gauge", name, doc, labels, float(value)


class _Energy:
    """Joules by card since we began: by its counter, else by its draw over time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._one = threading.Lock()
        self._before: dict[str, tuple[float, Reading]] = {}
        self.by_card: dict[str, float] = {}

    @property
    def total_j(self) -> float:
        return sum(self.by_card.values())

    def spend(self, readings: list[Reading]) -> None:
        """Take note of readings as of now."""
        with self._one:
            now = self._clock.monotonic()
            for reading in readings:
                at, before = self._before.get(reading.uuid, (now, reading))
                if reading.energy_j is not None and before.energy_j is not None:
                    joules = reading.energy_j - before.energy_j
                else:
                    joules = (reading.power_w or 0.0) * (now - at)
                self._before[reading.uuid] = (now, reading)
                spent = self.by_card.get(reading.uuid, 0.0)
                self.by_card[reading.uuid] = spent + max(0.0, joules)


class _Processor:
    """How busy the processors were since the last reading, for askers in many threads.

    psutil's own counts since the same thread last asked: 0 % for each thread of a pool that asks
    for the first time."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._at, self._before = clock.monotonic(), psutil.cpu_times()
        self._percent: float | None = None

    def percent(self) -> float | None:
        """Of all cores; the last answer again within `PROCESSOR_S_MIN`, None before the first."""
        with self._lock:
            now = self._clock.monotonic()
            if now - self._at >= PROCESSOR_S_MIN:
                times = psutil.cpu_times()
                spent = {name: getattr(times, name) for name in times._fields}
                # A guest's time stands in the user's already.
                counted = [name for name in spent if not name.startswith("guest")]
                passed = {name: spent[name] - getattr(self._before, name) for name in counted}
                whole = sum(passed.values())
                idle = passed["idle"] + passed.get("iowait", 0.0)
                self._at, self._before = now, times
                if whole > 0:
                    self._percent = round(100 * min(1.0, max(0.0, 1 - idle / whole)), 1)
            return self._percent


class _Growing:
    """The sum of a count that begins again whenever the engine does."""

    def __init__(self) -> None:
        self.total = 0
        self._last = 0

    def add(self, count: int) -> int:
        self.total += count - self._last if count >= self._last else count
        self._last = count
        return self.total


def _word(value: bool) -> str:
    return "true" if value else "false"


def model_lines(cards: Mapping[str, ModelCard]) -> list[dict[str, Any]]:
    """What `/info` says of the models that are loaded."""
    return [
        {
            "name": card.name,
            "parameters": card.parameters,
            "context_window": card.context_window,
            "vocabulary": card.vocabulary,
            "dtype": card.dtype,
            "device": card.device,
            "codebook": card.codebook,
        }
        for _, card in sorted(cards.items())
    ]
