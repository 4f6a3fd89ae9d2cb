"""Thoughts that go on too long, and markers that come again.

`ThoughtBudget` closes a thought of more than so many tokens with the profile's shortest stop run.
`MarkerPenalty` takes from the first token of a run of markers once such a run is over, and only
then: a run may be of any length (two stop emojis are a token prefix of three), so inside one
nothing is taken.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from regime3.engine.guide import force

TAIL = 24
"""Tokens that are enough to see a closing in."""


class ThoughtBudget:
    """`opening` and `closing` as text; `opened`: the prompt has opened the thought."""

    def __init__(
        self,
        tokens_max: int,
        opening: str,
        closed: str,
        closing: list[int],
        decode: Callable[[list[int]], str],
        *,
        opened: bool,
        opening_tokens: int,
    ) -> None:
        self._most = tokens_max + (0 if opened else opening_tokens)
        self._opening, self._closed, self._closing = opening, closed, closing
        self._decode = decode
        self._count = 0
        self._state = "open" if opened else "new"
        self._tail: list[int] = []
        self._due: list[int] = []

    def edit(self, logits: torch.Tensor) -> None:
        if self._due:
            force(logits, self._due[0])

    def take(self, token: int) -> None:
        if self._due:
            self._due = self._due[1:] if self._due[0] == token else []
            return
        if self._state == "over":
            return
        self._count += 1
        self._tail = [*self._tail[-TAIL:], token]
        text = self._decode(self._tail)
        if self._state == "new":
            self._look(text.lstrip())
        if self._state == "open":
            if self._closed in text:
                self._state = "over"
            elif self._count >= self._most:
                self._state, self._due = "over", list(self._closing)

    def _look(self, text: str) -> None:
        """Whether the reply begins with a thought."""
        whole = text.rstrip("\ufffd")
        if whole.startswith(self._opening):
            self._state = "open"
        elif not self._opening.startswith(whole) or self._count > TAIL:
            self._state = "over"


class MarkerPenalty:
    """For each marker: its text, the first tokens of its runs, and whether a run is over."""

    def __init__(
        self,
        penalty: float,
        markers: dict[str, set[int]],
        decode: Callable[[list[int]], str],
    ) -> None:
        self._penalty, self._markers, self._decode = penalty, markers, decode
        self._tail: list[int] = []
        self._inside: str | None = None
        self._over: set[str] = set()

    def edit(self, logits: torch.Tensor) -> None:
        for marker in self._over:
            if marker != self._inside:
                logits[list(self._markers[marker])] -= self._penalty

    def take(self, token: int) -> None:
        self._tail = [*self._tail[-TAIL:], token]
        text = self._decode(self._tail)
        if text.endswith("\ufffd"):
            return  # half a character: wait for the rest
        inside = next((marker for marker in self._markers if text.endswith(marker)), None)
        if self._inside is not None and inside != self._inside:
            self._over.add(self._inside)
        self._inside = inside
