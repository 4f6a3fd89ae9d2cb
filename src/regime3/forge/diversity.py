"""Whether what the model writes is still various, family by family. Pure.

    variety = measured(tried)                            # None: too little to tell
    reason = watch(family, variety, attempts, settings)  # why the family stops, or None

A model that trains on itself may come to write one thing whatever it is asked, or ever less. Three
figures tell, each as a share of what the oracles write for the very same problems, so that an easy
shard is no alarm: the entropy of first steps' rules, the number of different bodies over different
problems, the mean number of steps. A family collapses when one of them falls below
`collapse_share` of its own usual level; it is not asked for some shards, while its oracle rows go
on. Usual levels move slowly, and not while a family is collapsed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from regime3.config.sections import Forge as Settings
from regime3.forge.attempts import Tried
from regime3.forge.state import Family, Variety
from regime3.lang.problem import Body, show_body

ATTEMPTS_MIN, PROBLEMS_MIN = 32, 8
"""Of one shard; fewer say nothing."""
SMOOTH_BITS = 0.5
"""Added to both entropies, so that families with one way to begin never alarm."""
USUAL_WEIGHT = 0.2
"""Of the newest shard in the usual level."""
FIGURES = ("entropy", "bodies", "length")


def measured(tried: Sequence[Tried]) -> Variety | None:
    """The variety of attempts at one family's problems."""
    read = [(each, attempt) for each in tried for attempt in each.attempts if attempt.canonical]
    asked = {each.sample.fingerprint: each.sample for each, _ in read}
    if len(read) < ATTEMPTS_MIN or len(asked) < PROBLEMS_MIN:
        return None
    bodies = [attempt.judged.body for _, attempt in read if attempt.judged.body is not None]
    own = [sample.body for sample in asked.values()]
    first = {each.sample.fingerprint: attempt.canonical for each, attempt in reversed(read)}
    solved = [
        len({attempt.canonical for attempt in each.attempts if attempt.valid})
        for each in tried
        if each.passed
    ]
    return Variety(
        entropy=(_entropy(bodies) + SMOOTH_BITS) / (_entropy(own) + SMOOTH_BITS),
        bodies=len(set(first.values())) / len({show_body(body) for body in own}),
        length=_mean_steps(bodies) / _mean_steps(own),
        per_solved=sum(solved) / len(solved) if solved else 0.0,
    )


def watch(family: Family, variety: Variety | None, attempts: int, settings: Settings) -> str | None:
    """Take in a shard's figures; why the family has collapsed, if it has."""
    if variety is None:
        return None
    family.latest = variety
    usual = family.usual
    if usual is not None and family.seen >= settings.collapse_attempts:
        for name in FIGURES:
            now, before = getattr(variety, name), getattr(usual, name)
            if now < settings.collapse_share * before:
                return f"{name} of its answers fell to {now:.2f} of the oracles' from {before:.2f}"
    family.seen += attempts
    family.usual = variety if usual is None else _moved(usual, variety)
    return None


def _moved(usual: Variety, variety: Variety) -> Variety:
    def between(name: str) -> float:
        before, now = getattr(usual, name), getattr(variety, name)
        return float(before + USUAL_WEIGHT * (now - before))

    return Variety(*(between(name) for name in (*FIGURES, "per_solved")))


def _entropy(bodies: Iterable[Body]) -> float:
    """Bits of the distribution of first steps' rules."""
    counts = Counter(body[0][0] for body in bodies)
    whole = sum(counts.values())
    return -sum(n / whole * math.log2(n / whole) for n in counts.values())


def _mean_steps(bodies: Sequence[Body]) -> float:
    return sum(len(body) for body in bodies) / len(bodies)
