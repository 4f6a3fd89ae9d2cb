"""Which cards there are: real ones, a simulated one when the settings say so, or none and why."""

from __future__ import annotations

from collections.abc import Callable

from regime3.clock import Clock
from regime3.config import Power
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.power.card import Card
from regime3.power.nvml import open_nvml
from regime3.power.simulated import SimulatedCard
from regime3.power.smi import set_by_smi


def open_cards(
    lab: Lab, power: Power, clock: Clock, busy: Callable[[], float] = lambda: 0.0
) -> tuple[list[Card], str | None]:
    """The cards, and the reason when there are none. `busy` is what a simulated card shows."""
    if power.simulated:
        return [SimulatedCard(clock, lab.node_simulated_card_file, busy)], None
    try:
        return list(open_nvml(set_by_smi)), None
    except Unavailable as problem:
        return [], problem.message
