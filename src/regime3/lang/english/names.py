"""What constants are called: p, q, r … for propositions, A, B, C … for classes.

The letters are those of the prompts, in the same order. A try or a counter-model may hold values
for more constants than a problem can have; those are called c12, c13 and so on.
"""

from __future__ import annotations

import re
from typing import Final

from regime3.lang.signature import CONSTANTS_MAX

PROPOSITIONS: Final = "pqrstuvwxyzm"
CLASSES: Final = "ABCDEFGHIJKL"
assert len(PROPOSITIONS) == len(CLASSES) == CONSTANTS_MAX

PROPOSITION: Final = {f"c{i}": letter for i, letter in enumerate(PROPOSITIONS)}
"""c0 is p."""
CLASS: Final = {f"c{i}": letter for i, letter in enumerate(CLASSES)}
"""c0 is A."""
CONSTANT: Final = {letter: c for names in (PROPOSITION, CLASS) for c, letter in names.items()}
"""p is c0, and so is A."""

NAME: Final = re.compile(rf"[{PROPOSITIONS}](?![a-z])|c[1-9][0-9](?![0-9])")
"""A proposition's name, as `name_of` makes it."""


def name_of(index: int) -> str:
    """The name of the proposition of that number, 0-based."""
    return PROPOSITIONS[index] if index < CONSTANTS_MAX else f"c{index}"


def index_of(name: str) -> int:
    """The number of the proposition of that name."""
    return int(name[1:]) if len(name) > 1 else PROPOSITIONS.index(name)
