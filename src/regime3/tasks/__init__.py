"""Tasks: problems drawn by key, each with the body of steps of an oracle.

    sample = sample("arithmetic", level=3, split="train", index=0)
    sample.prompt, sample.problem.term, sample.body

    draw         keyed randomness
    family       the shape of a family
    families/    one file a family; adding a file adds a family
    schedule     which regime a training row is written in
    corpus       the bodies that codebooks are learned from

Splits are disjoint by fingerprint: a problem is held out in every spelling or in none. Nothing here
judges a trace, loads a model or writes a file.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import get_args

from regime3.errors import InputRefused
from regime3.lang.fingerprint import fingerprint
from regime3.lang.problem import problem_of
from regime3.tasks import families
from regime3.tasks.draw import Draw, key_of
from regime3.tasks.family import Family, Sample, Split

HELDOUT_BELOW = 0x0E
"""First bytes 00 to 0d of a fingerprint: held out, 5.5 % of problems."""
SEALED_BELOW = 0x10
"""First bytes 0e and 0f: sealed for releases, 0.8 %."""
ATTEMPTS_MAX = 4096
"""Of drawing a problem of the split; a sealed one fails so often once in 10^14 draws."""


def _discovered() -> dict[str, Family]:
    """Every family by name, in the order of their files' names."""
    found: dict[str, Family] = {}
    for file in sorted(each.name for each in pkgutil.iter_modules(families.__path__)):
        family: Family = importlib.import_module(f"{families.__name__}.{file}").FAMILY
        assert family.name not in found, f"two families are called {family.name}"
        found[family.name] = family
    return found


def split_of(print_: str) -> Split:
    """The split of a problem, by its fingerprint in hex."""
    first = int(print_[:2], 16)
    if first < HELDOUT_BELOW:
        return "heldout"
    return "sealed" if first < SEALED_BELOW else "train"


def sample(family: str, level: int, split: Split, index: int) -> Sample:
    """The problem at `index` (0-based) of a family's level and split, with its oracle's body.

    Raises `InputRefused` if there is no such family, level or split.
    """
    source = _named(family, level, split, index)
    for attempt in range(ATTEMPTS_MAX):
        posed = source.draw(level, Draw(key_of(family, split, level, index, attempt)))
        problem = problem_of(posed.term)
        print_ = fingerprint(problem)
        if split_of(print_) == split:
            body = source.solve(problem)
            return Sample(family, level, split, index, problem, body, posed.prompt, print_)
    raise AssertionError(f"{family}, level {level}: too few problems for the {split} split")


def _named(family: str, level: int, split: str, index: int) -> Family:
    found = FAMILIES.get(family)
    if found is None:
        raise InputRefused(f"no family is called {family!r}; there are {', '.join(FAMILIES)}")
    if not 1 <= level <= found.levels:
        raise InputRefused(f"{family} has levels 1 to {found.levels}, not {level}")
    if split not in get_args(Split):
        raise InputRefused(f"no split is called {split!r}: there are {', '.join(get_args(Split))}")
    if index < 0:
        raise InputRefused(f"problems are numbered from 0: {index} is none")
    return found


FAMILIES: dict[str, Family] = _discovered()
"""The families by name."""
