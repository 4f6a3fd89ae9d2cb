"""How often attempts at a level pass: counts in which the past fades.

The model changes while it is asked, so what it could do a thousand attempts ago says little. Counts
of passed and tried attempts are halved every `half_life` attempts; their ratio, with half an
attempt of doubt each way (Jeffreys), is the pass rate.
"""

from __future__ import annotations

import msgspec

DOUBT = 0.5


class Estimate(msgspec.Struct, frozen=True):
    """Faded counts of one family and level."""

    passed: float = 0.0
    tried: float = 0.0

    @property
    def rate(self) -> float:
        """The pass rate, 0 to 1; a half while nothing is known."""
        return (self.passed + DOUBT) / (self.tried + 2 * DOUBT)

    def after(self, passed: int, tried: int, half_life: float) -> Estimate:
        """With so many more attempts, of which `passed` were right."""
        assert 0 <= passed <= tried
        kept = 0.5 ** (tried / half_life)
        return Estimate(self.passed * kept + passed, self.tried * kept + tried)

    def known(self, evidence: float) -> bool:
        """Whether enough was tried, lately, to believe the rate."""
        return self.tried >= evidence
