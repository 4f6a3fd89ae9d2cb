"""What a shard is made of: attempts, corrections, replay and oracle rows, in their shares. Pure.

    writer = mixed(writer, tried, earlier, state, settings, families)

Attempts have what the other shares leave. When they bring too little, the shard gets smaller
rather than thin: oracle rows fill it up only so far. Without attempts it is all oracle and replay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from regime3.config.sections import Forge as Settings
from regime3.forge.attempts import Tried
from regime3.forge.rows import Made, Writer, oracle_may
from regime3.forge.state import State
from regime3.tasks.draw import Draw

ORACLE_FROM = 1 << 41
"""Indices of problems for oracles; those asked of models begin at `ATTEMPTS_FROM`, and lessons at
0, so that none is met twice."""
ATTEMPTS_FROM = 1 << 40
ORACLE_TRIES = 3
"""Problems drawn for each oracle row wanted; where all are too long for the model, it ends."""
WEIGHTS = 1000
WEIGHT_LEAST = 0.06
"""Of a level that never passes, or always; one at the edge has five times that."""
WEIGHT_HIGHEST = 3
"""Times as much for the highest level of a family that oracles answer: what lies below it passes
more often, and would take most of the rows from what is to be learned next."""


def attempt_share(settings: Settings) -> float:
    """Of a shard's rows, what is left for attempts."""
    others = settings.oracle_share + settings.replay_share + settings.correction_share
    return max(0.0, 1.0 - others)


def mixed(
    writer: Writer,
    tried: Sequence[Tried],
    earlier: Sequence[Sequence[Made]],
    state: State,
    settings: Settings,
    families: Sequence[str],
) -> int:
    """Write a shard's rows; how many right bodies the attempts had. Moves oracle indices on."""
    share, rows = attempt_share(settings), settings.shard_rows
    bodies = writer.attempts(tried, round(rows * share))
    if tried and share > 0:
        wanted = max(len(writer.rows) / share, settings.shrink_min * rows)
        rows = min(rows, round(wanted))
    writer.corrections(tried, round(rows * settings.correction_share))
    draw = Draw(f"forge|mixture|{state.next_shard}")
    writer.replay(_replayed(earlier, draw), round(rows * settings.replay_share))
    wanted_oracles = max(rows - len(writer.rows), round(rows * settings.oracle_share))
    places = _places(state, settings, families, draw)
    writer.oracles(islice(places, ORACLE_TRIES * wanted_oracles), wanted_oracles)
    return bodies


def _replayed(earlier: Sequence[Sequence[Made]], draw: Draw) -> Iterator[Made]:
    """Bodies of earlier shards, every shard as likely, without end while there are any."""
    shards = [each for each in earlier if each]
    for _ in range(2 * sum(len(each) for each in shards)):
        yield draw.choice(draw.choice(shards))


def _places(
    state: State, settings: Settings, families: Sequence[str], draw: Draw
) -> Iterator[tuple[str, int, int]]:
    """Fresh problems of open levels for oracles: most of where the model is learning."""
    levels = {
        name: [level for level in _open(state, name) if oracle_may(level, settings)]
        for name in families
    }
    weights = {
        (name, level): _weight(state.cell(name, level).estimate.rate)
        * (WEIGHT_HIGHEST if level == own[-1] else 1)
        for name, own in levels.items()
        for level in own
    }
    places, whole = sorted(weights), sum(weights.values())
    while places:
        left = draw.below(whole)
        for place in places:
            left -= weights[place]
            if left < 0:
                break
        cell = state.cell(*place)
        yield (*place, ORACLE_FROM + cell.told)
        cell.told += 1


def _weight(rate: float) -> int:
    """Where attempts pass half the time a row teaches most; some of all the rest, so that what
    never passes may begin to and what always does is not forgotten."""
    return round(WEIGHTS * (WEIGHT_LEAST + rate * (1.0 - rate)))


def _open(state: State, name: str) -> range:
    return range(1, state.families[name].top + 1)
