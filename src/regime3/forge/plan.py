"""Which problems to ask next, and which levels are open. Pure: the same state asks the same.

    moved(state, settings, families)            # opens and closes levels
    wanted = plan(state, settings, families, problems=200)   # [(family, level, problems), ...]

A level teaches most where attempts pass about half the time: with pass rate p inside
`pass_low`..`pass_high` it weighs p(1 - p), whatever its family. A share of the problems goes to
levels that mostly pass by now, so that loss of skill is seen and healed; another to levels of which
too little is known or that rarely pass. A share without levels goes to the others.

A new level opens when the highest open one passes often enough, and closes again when it never
does; both only on enough attempts.
"""

from __future__ import annotations

from collections.abc import Iterable

from regime3.config.sections import Forge as Settings
from regime3.forge.state import Family, State
from regime3.tasks.draw import Draw

CELL_SHARE_MAX = 0.25
"""Of a shard's problems, or twice an equal share where there are few levels: one that happens to
be at the edge is not all there is to learn."""
PROBLEMS_MIN = 4
"""Fewer problems are not worth a job."""
Place = tuple[str, int]
"""Family and level."""


def moved(state: State, settings: Settings, families: Iterable[str]) -> list[str]:
    """Open and close levels by what is known; says what was done, a line each."""
    told = []
    for name in families:
        family = state.families.setdefault(name, Family(settings.level_first))
        top = state.cell(name, family.top).estimate
        if not top.known(settings.evidence_attempts):
            continue
        if _opens(state, settings, family, top.rate):
            family.top += 1
            told.append(f"{name} level {family.top} opens: level {family.top - 1} passes"
                        f" {top.rate:.0%}")  # fmt: skip
        elif top.rate < settings.close_pass and family.top > settings.level_first:
            state.cell(name, family.top).estimate = type(top)()
            told.append(f"{name} level {family.top} closes: it passes {top.rate:.1%}")
            family.top -= 1
            family.closed_until = state.next_shard + settings.close_shards
    return told


def _opens(state: State, settings: Settings, family: Family, rate: float) -> bool:
    above = family.top < settings.level_max
    return above and rate >= settings.open_pass and state.next_shard >= family.closed_until


def plan(
    state: State, settings: Settings, families: Iterable[str], problems: int
) -> list[tuple[str, int, int]]:
    """Family, level, and how many problems of it, in that order; at most `cells_max` of them."""
    edge: dict[Place, float] = {}
    old: dict[Place, float] = {}
    explored: dict[Place, float] = {}
    for name in families:
        family = state.families[name]
        if state.next_shard < family.stopped_until:
            continue
        for level in range(1, family.top + 1):
            _sort_in(state, settings, (name, level), edge, old, explored)
    draw = Draw(f"forge|plan|{state.next_shard}")
    groups = [
        (edge, 1.0 - settings.old_share - settings.explore_share),
        (_some(old, settings.old_share * problems, draw), settings.old_share),
        (_some(explored, settings.explore_share * problems, draw), settings.explore_share),
    ]
    if not edge and not old:
        groups = [(explored, 1.0)]  # a new lab: every level that is open
    return _shared_out(groups, problems, settings.cells_max)


def _sort_in(
    state: State,
    settings: Settings,
    place: Place,
    edge: dict[Place, float],
    old: dict[Place, float],
    explored: dict[Place, float],
) -> None:
    """Put a level where it belongs, with its weight."""
    estimate = state.cell(*place).estimate
    rate = estimate.rate
    if not estimate.known(settings.evidence_attempts) or rate < settings.pass_low:
        # A level that never passes teaches nothing; one nobody knows may teach most.
        explored[place] = max(rate, settings.close_pass)
    elif rate <= settings.pass_high:
        edge[place] = rate * (1.0 - rate)
    else:
        old[place] = 1.0


def _some(weights: dict[Place, float], problems: float, draw: Draw) -> dict[Place, float]:
    """As many of the levels as there are problems for; others come another time."""
    most = max(1, int(problems) // PROBLEMS_MIN)
    kept = draw.several(sorted(weights), min(most, len(weights)))
    return {place: weights[place] for place in sorted(kept)}


def _shared_out(
    groups: list[tuple[dict[Place, float], float]], problems: int, cells_max: int
) -> list[tuple[str, int, int]]:
    """Problems by share and weight: largest remainders, none below what is worth a job."""
    present = [(weights, max(share, 0.0)) for weights, share in groups if weights]
    if not present:
        return []
    total = sum(share for _, share in present)
    wanted: dict[Place, float] = {}
    for weights, share in present:
        part = share / total if total > 0 else 1.0 / len(present)
        whole = sum(weights.values())
        for place, weight in weights.items():
            wanted[place] = problems * part * weight / whole
    most = max(1, min(cells_max, problems // PROBLEMS_MIN))
    kept = sorted(wanted, key=lambda place: (-wanted[place], place))[:most]
    highest = max(PROBLEMS_MIN, problems * max(CELL_SHARE_MAX, 2 / len(kept)))
    bounded = {place: min(max(wanted[place], PROBLEMS_MIN), highest) for place in kept}
    counts = _rounded(bounded, min(problems, round(sum(bounded.values()))))
    return [(*place, counts[place]) for place in sorted(kept) if counts[place] > 0]


def _rounded(wanted: dict[Place, float], problems: int) -> dict[Place, int]:
    """Whole numbers in the same proportion that add up to `problems`."""
    whole = sum(wanted.values())
    exact = {place: problems * each / whole for place, each in wanted.items()}
    counts = {place: int(each) for place, each in exact.items()}
    left = problems - sum(counts.values())
    for place in sorted(exact, key=lambda place: (counts[place] - exact[place], place))[:left]:
        counts[place] += 1
    return counts
