"""A node's telemetry around a simulated card and an engine that is only said to be there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from regime3.clock import FakeClock
from regime3.config import Power, Settings
from regime3.paths import Lab
from regime3.power import Keeper, open_cards
from regime3.records.wire import ModelCard, Pulse
from regime3.serve import faults
from regime3.serve.metrics import Metrics
from regime3.serve.routes.telemetry import telemetry_router
from regime3.serve.telemetry import Telemetry


class SaidEngine:
    """What is known of an engine."""

    def __init__(self) -> None:
        self.state, self.restarts = "up", 0
        self.pulse: Pulse | None = Pulse(0, 3, 4, 64, 100, 900)
        self.cards: dict[str, ModelCard] = {
            "nano": ModelCard("nano", 1, 256, 2048, "float32", "cpu", "shipped")
        }
        self.pid: int | None = None


class Told:
    """A small app with the telemetry's routes."""

    def __init__(self, root: Path, simulated: bool = True, **power: Any) -> None:
        self.lab, self.clock, self.engine = Lab(root), FakeClock(), SaidEngine()
        settings = Settings(power=Power(simulated=simulated, **power))
        busy = lambda: 0.5  # noqa: E731
        cards, why = open_cards(self.lab, settings.power, self.clock, busy)
        if not simulated:
            cards, why = [], "no driver"
        self.slots: list[int] = []
        self.keeper = Keeper(
            self.lab, settings.power, cards, self.clock, why_none=why, on_slots=self.slots.append
        )
        self.keeper.start()
        self.metrics = Metrics()
        self.telemetry = Telemetry(
            self.lab, settings, self.keeper, self.engine, self.metrics, self.clock
        )
        self.app = FastAPI()
        self.app.include_router(telemetry_router(self.telemetry))
        faults.install(self.app)
        self.client = TestClient(self.app)
