"""What is asked, and each of its samples, on the way through the batch.

A `Request` is one ask; a `Sequence` is one of its samples and waits, is filled (its prompt is
computed), lives in a row, may be sent back and computed again, and ends. Its random numbers depend
on its seed, its index and how much it has written, on nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from regime3.engine.text import TextStream
from regime3.records import wire

if TYPE_CHECKING:
    import torch

    from regime3.engine.guide import Guide


@dataclass(eq=False)
class Request:
    """One ask, rendered and checked."""

    ask: wire.Generate
    ids: list[int]
    """The prompt."""
    limit: int
    """Tokens that a sample may write."""
    order: int = 0
    """Of arrival."""
    completion: int = 0
    """Of the prompt's last tokens, how many are a reply that is to be scored."""
    begun: bool = False
    left: set[Sequence] = field(default_factory=set)
    """Samples that are not done."""
    prompt_scores: list[wire.TokenScore] = field(default_factory=list)
    first_logits: torch.Tensor | None = None
    """After the prompt, [vocabulary]; kept while samples wait."""

    @property
    def scores_only(self) -> bool:
        """Nothing is to be written."""
        return self.limit == 0

    @property
    def wants_prompt(self) -> bool:
        """The prompt's scores are still to be computed."""
        return self.ask.prompt_logprobs is not None and not self.begun


@dataclass(eq=False)
class Sequence:
    """One sample. `row` is its place in the batch, -1 while it has none."""

    request: Request
    index: int
    key: int
    stream: TextStream
    guide: Guide | None = None
    row: int = -1
    filled: int = 0
    """Tokens of `ids` that are in the pool."""
    written: list[int] = field(default_factory=list)
    """Tokens that have been told."""
    scores: list[wire.TokenScore] = field(default_factory=list)
    """Of tokens that have not been told yet."""
    followers: list[Sequence] = field(default_factory=list)
    """Samples of the same prompt that wait for this one to compute it."""

    @property
    def ids(self) -> list[int]:
        """All that the pool has to hold before the next token is drawn."""
        return self.request.ids + self.written

    @property
    def length(self) -> int:
        """Of `ids`."""
        return len(self.request.ids) + len(self.written)

    @property
    def eager(self) -> bool:
        """Its text is looked at token by token."""
        return bool(self.request.ask.stop)

    def sample(self) -> Any:
        """How it draws."""
        return self.request.ask.sampling


def key_of(seed: int, index: int) -> int:
    """64 bits that name the random stream of a sample."""
    drawn = hashlib.sha256(f"sample|{seed}|{index}".encode()).digest()
    return int.from_bytes(drawn[:8], "big")
