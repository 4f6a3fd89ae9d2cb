"""Is one model better than another? Asked pair by pair, stopped as soon as it is known.

    trial = Trial(Rates())
    for first_right, second_right in answers:
        if trial.add(first_right, second_right).decided: break
    trial.outcome                     # better, worse, hold (no difference that matters) or open

Only pairs on which the two differ say anything. Of these, p is the share that the first wins. Two
sequential probability ratio tests (Wald 1945) run side by side over them, both against p = 1/2: one
for p = p1 (better), one for p = 1 - p1 (worse). Both accepting 1/2, or a cap on differing pairs,
is a hold. Each way errs with probability `alpha` at most when the models are equal, whenever it is
looked at; nothing is spent. The arithmetic was simulated: `python -m tests.judge.arithmetic`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any, Literal

Outcome = Literal["open", "better", "worse", "hold"]


@dataclass(frozen=True)
class Rates:
    """What a trial may get wrong."""

    p1: float = 0.6
    """The share of differing pairs that counts as better; 1 - p1 counts as worse."""
    alpha: float = 0.01
    """Of calling equal models better, and as much of calling them worse."""
    beta: float = 0.1
    """Of missing a difference of p1."""
    differing_max: int = 400
    """Differing pairs after which the trial is a hold."""

    @property
    def upper(self) -> float:
        """The log-likelihood ratio that decides for a difference."""
        return log((1 - self.beta) / self.alpha)

    @property
    def lower(self) -> float:
        """The one that decides for none."""
        return log(self.beta / (1 - self.alpha))


class Trial:
    """One comparison, as far as it has come."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.pairs = self.wins = self.losses = 0
        self.better = self.worse = 0.0
        """Log-likelihood ratios of p1 and of 1 - p1 against 1/2."""
        self.outcome: Outcome = "open"
        self._not_better = self._not_worse = False
        """Tests that have accepted 1/2: they are over, whatever comes."""

    @property
    def decided(self) -> bool:
        """Whether more pairs change nothing."""
        return self.outcome != "open"

    @property
    def differing(self) -> int:
        """Pairs on which the two differ."""
        return self.wins + self.losses

    def add(self, first: bool, second: bool) -> Trial:
        """One more pair: whether each has it right. After a decision it is only counted."""
        self.pairs += 1
        if first == second:
            return self
        self.wins += first
        self.losses += second
        win, lose = log(2 * self.rates.p1), log(2 * (1 - self.rates.p1))
        self.better += win if first else lose
        self.worse += lose if first else win
        if not self.decided:
            self.outcome = self._look()
        return self

    def _look(self) -> Outcome:
        upper, lower = self.rates.upper, self.rates.lower
        if not self._not_better and self.better >= upper:
            return "better"
        if not self._not_worse and self.worse >= upper:
            return "worse"
        self._not_better = self._not_better or self.better <= lower
        self._not_worse = self._not_worse or self.worse <= lower
        over = self._not_better and self._not_worse
        return "hold" if over or self.differing >= self.rates.differing_max else "open"

    def as_dict(self) -> dict[str, Any]:
        """For the ledger."""
        return {
            "outcome": self.outcome,
            "pairs": self.pairs,
            "wins": self.wins,
            "losses": self.losses,
            "llr_better": round(self.better, 4),
            "llr_worse": round(self.worse, 4),
            "bound_upper": round(self.rates.upper, 4),
            "bound_lower": round(self.rates.lower, 4),
        }
