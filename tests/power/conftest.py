"""A lab and a simulated card that outlives its process, as a real one does."""

from __future__ import annotations

from pathlib import Path

import pytest

from regime3.clock import FakeClock
from regime3.paths import Lab
from regime3.power.simulated import SimulatedCard


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "lab")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def card(lab: Lab, clock: FakeClock) -> SimulatedCard:
    return SimulatedCard(clock, lab.node_simulated_card_file)
