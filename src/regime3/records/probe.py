"""A probe's answer: what a checkpoint wrote to a problem of the set that never changes."""

from __future__ import annotations

import msgspec


class ProbeAnswer(msgspec.Struct, frozen=True):
    """One line of `evolution/SEAL.jsonl`."""

    probe: str
    """FAMILY:LEVEL:INDEX:REGIME, the same for ever."""
    valid: bool
    """Every step and the answer are accepted."""
    right: bool
    steps: int
    share: float
    """Steps before the first bad one, of all."""
    tokens: int
    thought: str
    answer: str
    bad_step: int | None = None
    reason: str = ""
    canonical: str = ""


class ProbeSheet(msgspec.Struct, frozen=True):
    """The first line: whose answers follow."""

    seal: int
    step: int
    model: str
    at: float
    probes: int
