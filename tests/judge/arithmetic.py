"""What the sequential test does at known win shares, simulated.

    python -m tests.judge.arithmetic [--trials 20000] [--seed 1]

A table: share of trials that say better, worse, hold, and mean differing pairs. Exits 1 when a
known share is called wrong more often than the stated rate plus three sigma.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from math import sqrt

from regime3.score.sequential import Rates, Trial

SHARES = (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)


def simulate(share: float, trials: int, seed: int, rates: Rates) -> tuple[Counter[str], float]:
    """Outcomes of so many trials, and the mean of differing pairs."""
    rng = random.Random(f"{seed}|{share}")
    outcomes: Counter[str] = Counter()
    pairs = 0
    for _ in range(trials):
        trial = Trial(rates)
        while not trial.decided:
            won = rng.random() < share
            trial.add(won, not won)
        outcomes[trial.outcome] += 1
        pairs += trial.differing
    return outcomes, pairs / trials


def main() -> int:
    """The table; the exit code."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--trials", type=int, default=20_000)
    given.add_argument("--seed", type=int, default=1)
    asked = given.parse_args()
    rates, bad = Rates(), 0
    print(f"{'share':>6} {'better':>8} {'worse':>8} {'hold':>8} {'pairs':>7}")
    for share in SHARES:
        found, pairs = simulate(share, asked.trials, asked.seed, rates)
        shares = {name: found[name] / asked.trials for name in ("better", "worse", "hold")}
        print(f"{share:>6} " + " ".join(f"{shares[n]:8.4f}" for n in shares) + f" {pairs:7.0f}")
        slack = 3 * sqrt(rates.alpha * (1 - rates.alpha) / asked.trials)
        bad += share <= 0.5 and shares["better"] > rates.alpha + slack
        bad += share >= 0.5 and shares["worse"] > rates.alpha + slack
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
