"""What a shard is made of: attempts, corrections, replay and oracle rows, in their shares. Pure.

    writer = mixed(writer, tried, earlier, state, settings, families)

Attempts have what the other shares leave. When they bring too little, the shard gets smaller
rather than thin: oracle rows fill it up only so far. Without attempts it is all oracle and replay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from regime3.config.sections import Forge as Settings
from regime3.forge.attempts import Tried
from regime3.forge.rows import Made, Writer, oracle_may
from regime3.forge.state import State
from regime3.tasks.draw import Draw

ORACLE_FROM = 1 << 41
"""Indices of problems for oracles; those asked of models begin at `ATTEMPTS_FROM`, and lessons at
0, so that none is met twice."""
ATTEMPTS_FROM = 1 << 40
SHRUNK_MIN = 0.4
"""Of `shard_rows`: no shard with attempts is smaller on purpose."""
WEIGHTS = 1000


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
        wanted = max(len(writer.rows) / share, SHRUNK_MIN * rows)
        rows = min(rows, round(wanted))
    writer.corrections(tried, round(rows * settings.correction_share))
    draw = Draw(f"forge|mixture|{state.next_shard}")
    writer.replay(_replayed(earlier, draw), round(rows * settings.replay_share))
    wanted_oracles = max(rows - len(writer.rows), round(rows * settings.oracle_share))
    writer.oracles(_places(state, settings, families, draw), wanted_oracles)
    return bodies


def _replayed(earlier: Sequence[Sequence[Made]], draw: Draw) -> Iterator[Made]:
    """Bodies of earlier shards, every shard as likely, without end while there are any."""
    shards = [each for each in earlier if each]
    for _ in range(2 * sum(len(each) for each in shards)):
        yield draw.choice(draw.choice(shards))


def _places(
    state: State, settings: Settings, families: Sequence[str], draw: Draw
) -> Iterator[tuple[str, int, int]]:
    """Fresh problems of open levels for oracles: the rarer a level passes, the more of it."""
    weights = {
        (name, level): _weight(state.cell(name, level).estimate.rate)
        for name, level in _open(state, families)
        if oracle_may(level, settings)
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
    return round(WEIGHTS * (1.2 - rate))


def _open(state: State, families: Iterable[str]) -> Iterator[tuple[str, int]]:
    for name in families:
        for level in range(1, state.families[name].top + 1):
            yield name, level
