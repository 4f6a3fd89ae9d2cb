"""The limit that was there before us: written down before the first change, put back at the end.

After a kill -9 the file is still there, and the next start puts the limit back first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from regime3 import disk
from regime3.errors import Regime3Error
from regime3.paths import Lab
from regime3.power.card import Card


class _File(msgspec.Struct):
    version: Literal[1] = 1
    limits_w: dict[str, float] = {}
    """By the card's uuid."""


class Before:
    """The limits of a lab's cards as they were."""

    def __init__(self, lab: Lab) -> None:
        self._path = lab.node_power_file

    def remember(self, card: Card) -> float:
        """Durably note a card's limit, unless one is noted: that one is older, so it is right."""
        noted = self._read()
        if card.uuid not in noted:
            noted[card.uuid] = card.limit_w()
            disk.make_folder(self._path.parent)
            disk.write_json(self._path, msgspec.to_builtins(_File(1, noted)))
        return noted[card.uuid]

    def limit_w(self, card: Card) -> float | None:
        """What is noted of a card."""
        return self._read().get(card.uuid)

    def restore(self, cards: Sequence[Card]) -> list[str]:
        """Put back what is noted and forget it; what could not be, stays noted and is told."""
        noted, problems = self._read(), []
        for card in cards:
            if card.uuid not in noted:
                continue
            try:
                card.set_limit(card.limits().clamped(noted[card.uuid]))
            except Regime3Error as problem:
                problems.append(f"{card.name}: the old limit is not back: {problem.message}")
            else:
                del noted[card.uuid]
        if noted and self._path.exists():
            disk.write_json(self._path, msgspec.to_builtins(_File(1, noted)))
        else:
            self.forget()
        return problems

    def forget(self) -> None:
        """What is set now shall stay."""
        disk.remove(self._path)

    def _read(self) -> dict[str, float]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_File).limits_w
        except (FileNotFoundError, msgspec.DecodeError):
            return {}  # `disk` never leaves half a file; one that is damaged says nothing
