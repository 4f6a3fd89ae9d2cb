"""What an engine's tells amount to: whole answers, and the promise to get them.

Jobs and the API ask through `Completes`; the node's link to its engine keeps the promise, and so
does any test's double.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

import msgspec

from regime3.records.wire import Begun, Finished, Generate, Piece, TokenScore


class Written(msgspec.Struct):
    """One sample, whole."""

    text: str = ""
    ids: list[int] = []
    scores: list[TokenScore] | None = None
    """Of `ids`, and then of the end token, if one has come."""
    reason: str = ""
    """stop or length."""
    tokens: int = 0
    """The end token counted."""


class Whole(msgspec.Struct):
    """A request's answer, whole."""

    prompt_tokens: int
    prompt: list[TokenScore] | None
    shared_tokens: int
    samples: list[Written]
    completion_tokens: int = 0
    """Of the prompt's, the last ones, how many are its `completion`."""

    def add(self, tell: Piece | Finished) -> None:
        """Take one tell in."""
        sample = self.samples[tell.index]
        if isinstance(tell, Finished):
            sample.reason, sample.tokens = tell.reason, tell.tokens
            return
        sample.text += tell.text
        sample.ids += tell.ids
        if tell.scores is not None:
            sample.scores = (sample.scores or []) + tell.scores


class Completes(Protocol):
    """Something that answers `Generate`: raises `NodeRefused` when it cannot."""

    def stream(self, ask: Generate) -> AsyncGenerator[Begun | Piece | Finished]:
        """Begun first, then pieces, and a Finished for each sample. `ask.id` is replaced."""

    async def complete(self, ask: Generate) -> Whole:
        """All of it."""
