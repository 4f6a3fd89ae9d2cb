"""Where thought and answer stand in a reply: the token layout of training rows.

    emoji:       🤔🤔🤔🤔 NEWLINE thought NEWLINE 🛑🛑 NEWLINE answer end-of-turn
    think-tags:  <think> NEWLINE thought NEWLINE </think> NEWLINE NEWLINE answer end-of-turn

A reply without a thought is answer and end alone. Stop runs of every length that training draws are
allowed, the model chooses. Where the prompt has opened the thought already, the opening is empty;
where it has closed it, or there is no template, steps and answer stand in one piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from regime3.config import Examples
from regime3.model.chat import ChatRenderer
from regime3.model.template import THINK_CLOSE, THINK_OPEN
from regime3.records import wire


@dataclass(frozen=True)
class Layout:
    """The pieces around thought and answer, as text."""

    lead: str
    """What the model writes before everything else: nearly always empty."""
    opening: str
    closings: tuple[str, ...]
    """Any of them ends a thought; none: thought and answer are not parted."""
    end: str


def layout_of(renderer: ChatRenderer | None, examples: Examples, prompt: wire.Prompt) -> Layout:
    """The layout of replies to a prompt."""
    lead = renderer.template.lead if renderer else ""
    end = renderer.template.end if renderer else ""
    if examples.profile == "emoji":
        counts = range(examples.stop_count_min, examples.stop_count_max + 1)
        closings = tuple(f"\n{examples.stop_emoji * count}\n" for count in counts)
        return Layout(lead, f"{examples.think_emoji * examples.think_count}\n", closings, end)
    if prompt.messages is not None and prompt.thinking is False:
        return Layout(lead, "", (), end)
    opened = prompt.messages is not None and renderer and renderer.template.opens_thought
    opening = "" if opened else f"{THINK_OPEN}\n"
    return Layout("" if opened else lead, opening, (f"\n{THINK_CLOSE}\n\n",), end)


class Tokens:
    """A layout's pieces as token ids."""

    def __init__(self, layout: Layout, tokenizer: Any, ends: set[int]) -> None:
        def ids(text: str) -> list[int]:
            found: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
            return found

        self.opening = ids(layout.lead) + ids(layout.opening)
        self.closings = [ids(text) for text in layout.closings]
        self.end = ids(layout.end) if layout.end else [min(ends)] if ends else []
        self.parted = bool(self.closings)

    @property
    def around(self) -> int:
        """Tokens that are neither thought nor answer, at most."""
        return len(self.opening) + max(map(len, self.closings), default=0) + len(self.end)
