"""Two models on the same problems: only the problems on which they differ say anything.

    paired([(True, False), (True, True), ...])      # (first is right, second is right)

The test is the exact two-sided sign test on discordant pairs (McNemar's, exact): under the null
each discordant pair falls to either side with probability one half. Arithmetic alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import comb
from typing import Any


@dataclass(frozen=True)
class Paired:
    """The score of a comparison."""

    pairs: int
    wins: int
    """Pairs that the first alone has right."""
    losses: int
    """Pairs that the second alone has right."""
    ties: int
    p: float
    """Of so lopsided a score or a more lopsided one, if neither were better."""

    @property
    def discordant(self) -> int:
        """Pairs on which the two differ."""
        return self.wins + self.losses

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "discordant": self.discordant}


def paired(pairs: Iterable[tuple[bool, bool]]) -> Paired:
    """The comparison of a first and a second model."""
    wins = losses = ties = 0
    for first, second in pairs:
        wins += first and not second
        losses += second and not first
        ties += first == second
    return Paired(wins + losses + ties, wins, losses, ties, sign_test(wins, losses))


def sign_test(wins: int, losses: int) -> float:
    """Exact two-sided p; 1 when there is no discordant pair."""
    many, few = max(wins, losses), min(wins, losses)
    tail = sum(comb(many + few, k) for k in range(few + 1))
    return min(1.0, 2 * tail / (1 << (many + few))) if many else 1.0
