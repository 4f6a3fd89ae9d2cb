"""Rows on their way to the model: a conversation, its examples, and the window that trains them."""

from __future__ import annotations

from typing import Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class Message(msgspec.Struct, frozen=True):
    """One turn. `reasoning_content` is the thought before an assistant's answer."""

    role: Role
    content: str
    reasoning_content: str | None = None


class Row(msgspec.Struct, frozen=True):
    """One line of an admitted file, whatever its spelling was."""

    messages: list[Message]


class Example(msgspec.Struct, frozen=True):
    """One assistant turn as tokens; `input_ids[prompt_length:]` are supervised, nothing else."""

    input_ids: list[int]
    prompt_length: int
    has_thinking: bool = False

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.input_ids)

    @property
    def supervised(self) -> int:
        """Tokens that carry loss."""
        return len(self.input_ids) - self.prompt_length


class RowRef(msgspec.Struct, frozen=True):
    """A row in a window. `position` is its place in the keyed order, `line` its line in the file.

    A row that cannot be trained rides along with no examples and its `refused` reason, so that
    the cursor passes it exactly once.
    """

    file_id: str
    position: int
    line: int
    examples: list[Example]
    refused: str | None = None


class Window(msgspec.Struct, frozen=True):
    """What one optimizer step trains: rows in order, from one lane, possibly of several files."""

    rows: list[RowRef]

    @property
    def examples(self) -> list[Example]:
        """All examples, in row order."""
        return [example for row in self.rows for example in row.examples]

    @property
    def tokens(self) -> int:
        """Non-pad tokens."""
        return sum(example.length for row in self.rows for example in row.examples)

    @property
    def supervised(self) -> int:
        """Tokens that carry loss: the normaliser of the step."""
        return sum(example.supervised for row in self.rows for example in row.examples)
