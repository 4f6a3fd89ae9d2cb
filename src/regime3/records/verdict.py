"""What the judge says of a checkpoint, and the numbers that it rests on."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

Word = Literal["first", "promote", "hold", "worse", "rollback"]
"""first: nothing was there to compare with. worse: the first of the losses that end in a rollback.
"""


class Verdict(msgspec.Struct, frozen=True):
    """One line of the ledger."""

    number: int
    """From 1; grows for ever."""
    at: float
    word: Word
    seal: int
    step: int
    model: str
    """Its id at the node."""
    champion: int
    """The champion's seal after this verdict."""
    champion_model: str
    best: int
    """The best ever, after this verdict: no model has tested better than it."""
    best_model: str
    by: Literal["judge", "user"] = "judge"
    reason: str = ""
    against: int | None = None
    """The champion that it was compared with."""
    problems: list[int] = []
    """First and last index, inclusive, of the fresh problems asked; never asked again."""
    overall: dict[str, Any] | None = None
    """The trial against the champion, see `score.sequential`."""
    families: dict[str, dict[str, Any]] = {}
    """The same inside each family."""
    vetoes: list[str] = []
    """Families in which it tests worse."""
    best_test: dict[str, Any] | None = None
    """The trial against the best ever, where that is another model than the champion."""
    fixed: dict[str, Any] | None = None
    """Measures on the fixed set, by family, level and regime."""
    false_promotions: float = 0.0
    """Expected number of false promotions so far: alpha for each comparison."""
    seconds: float = 0.0

    def brief(self) -> dict[str, Any]:
        """What a list of verdicts shows of each."""
        return {name: getattr(self, name) for name in BRIEF}


BRIEF: Final = (
    *("number", "at", "word", "by", "seal", "step", "model", "against", "champion"),
    *("reason", "seconds"),
)


class Carried(msgspec.Struct, frozen=True, tag_field="kind", tag="carried"):
    """A verdict was carried out: the other kind of line in the ledger."""

    verdict: int
    at: float
