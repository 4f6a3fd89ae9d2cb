"""What a family of tasks is: problems of ten levels, drawn by key, and an oracle that solves them.

A family is one file in `families/` that ends in `FAMILY = Name()`, an object like `Family` below;
nothing else has to learn of it. A family poses and solves; whether a trace is right is for
`lang.check` to say, which knows no families. This module holds shapes and no behaviour.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

from regime3.lang.problem import Body, Problem
from regime3.tasks.draw import Draw

LEVELS = 10
"""Every family has levels 1 (one or two small steps) to 10 (tens of steps, or large numbers)."""

Split = Literal["train", "heldout", "sealed"]


@dataclass(frozen=True, slots=True)
class Posed:
    """A problem as it is posed: it reads like the prompt and need not be canonical yet."""

    term: tuple[Any, ...]
    """Its constants are numbered by first appearance in the prompt."""
    prompt: str
    """What a person would ask, in English."""
    names: tuple[str, ...] = ()
    """What c0, c1, … are called in the prompt; each stands there as whole words."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A problem with its oracle's body."""

    family: str
    level: int
    split: Split
    index: int
    problem: Problem
    body: Body
    prompt: str
    fingerprint: str
    """64 hex digits: equal for problems that differ only in names and order."""


class Family(Protocol):
    """One family of tasks. Plain class attributes serve for the properties."""

    @property
    def name(self) -> str:
        """As in keys and on command lines: lower case, one word."""

    @property
    def title(self) -> str:
        """A few words for people."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of problems that it poses: names at their heads."""

    @property
    def levels(self) -> int:
        """Always `LEVELS`."""

    def draw(self, level: int, draw: Draw) -> Posed:
        """A problem of the level, 1 to `levels`, decided by the draw alone."""

    def solve(self, problem: Problem) -> Body:
        """The oracle: typed, canonical and right, from the problem alone."""
