"""What the client gives back: a reply, and the pieces that it comes in."""

from __future__ import annotations

from typing import Any

import msgspec


class Delta(msgspec.Struct, frozen=True):
    """A piece of a streamed reply; `verdict` and `trace` come with the last one."""

    thought: str = ""
    answer: str = ""
    reason: str | None = None
    """stop or length, in the last piece."""
    regime3: dict[str, Any] | None = None
    """The trace decoded and the checker's verdict, where a problem was posed."""


class Reply(msgspec.Struct, frozen=True):
    """A whole reply."""

    thought: str
    answer: str
    reason: str
    usage: dict[str, Any]
    regime3: dict[str, Any] | None = None

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The checker's: valid, right, steps, first_bad_step, reason."""
        return None if self.regime3 is None else self.regime3["verdict"]

    @property
    def trace(self) -> list[str] | None:
        """The steps as S-expressions, if they could be read."""
        return None if self.regime3 is None else self.regime3["trace"]


def reply_of(body: dict[str, Any]) -> list[Reply]:
    """The replies of a chat completion's body."""
    return [
        Reply(
            choice["message"].get("reasoning_content") or "",
            choice["message"]["content"],
            choice["finish_reason"],
            body["usage"],
            choice.get("regime3"),
        )
        for choice in body["choices"]
    ]


def delta_of(choice: dict[str, Any]) -> Delta:
    """The piece that a streamed choice is."""
    delta = choice["delta"]
    return Delta(
        delta.get("reasoning_content") or "",
        delta.get("content") or "",
        choice["finish_reason"],
        choice.get("regime3"),
    )
