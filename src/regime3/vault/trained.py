"""Which rows each checkpoint trained: `checkpoints/trained.jsonl`, which outlives them.

A checkpoint's ledger says it, and goes with the checkpoint when retention lets it go; a line here
stays, so that a row of last month still leads to the checkpoint that learned it. Lines are added
before anything is deleted; a kill in between is made up for at the next seal.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from regime3 import disk
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.records.ledger import TrainedRange


class Trained(msgspec.Struct, frozen=True):
    """One line."""

    seal: int
    parent: int | None
    step: int
    rows: list[TrainedRange]
    rolled_back_from: int | None = None


_decode = msgspec.json.Decoder(Trained).decode


def read(lab: Lab) -> dict[int, Trained]:
    """Every checkpoint ever noted, by number. A line that a crash tore is no line."""
    try:
        data = lab.trained_file.read_bytes()
    except FileNotFoundError:
        return {}
    found: dict[int, Trained] = {}
    for line in data.splitlines():
        try:
            each = _decode(line)
        except msgspec.MsgspecError:
            continue  # torn; the same was written again after it
        found[each.seal] = each
    return found


def note(lab: Lab, seals: Iterable[Seal]) -> None:
    """Add these checkpoints, durably; those that are there already change nothing."""
    known = read(lab)
    lines = [
        Trained(
            seal.number, seal.manifest.parent, seal.manifest.step, seal.ledger.trained,
            seal.manifest.rolled_back_from,
        )
        for seal in seals
        if seal.number not in known
    ]  # fmt: skip
    if not lines:
        return
    with disk.Appender(lab.trained_file) as out:
        # Begins with a line end, in case the one before was torn; an empty line is none.
        out.append(b"".join(b"\n" + msgspec.json.encode(line) for line in lines) + b"\n")
        out.sync()
