"""How a thought is written: emoji runs, or the template's think tags.

`Profile.split` reads any spelling (a `reasoning_content` field, `<think>` tags or emoji runs in
the content) into thought and answer; `completion` writes the one spelling of this lab's profile;
`history` is what an earlier assistant turn looks like to later ones. Text only: no tokens here.

Earlier turns, decided once for training and inference alike:
- emoji: the thought is dropped, the answer stays, as Qwen3 does with its think tags;
- think-tags: the thought is handed to the template apart from the answer, and the template
  decides (Qwen3 drops it, except inside a tool loop that is still going on).
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from regime3.config import Examples
from regime3.errors import InputRefused
from regime3.model.template import THINK_CLOSE, THINK_OPEN
from regime3.records.rows import Message

_EMPTY_THINK = re.compile(r"<think>\s*</think>\s*")


class Turn(NamedTuple):
    """An assistant's turn, read. `written`: the content when it already has the emoji markers."""

    thought: str
    answer: str
    written: str = ""


class Profile:
    """The writing of thoughts that `settings.examples` asks for."""

    def __init__(self, examples: Examples) -> None:
        self._settings = examples
        self.emoji = examples.profile == "emoji"
        think, stop = re.escape(examples.think_emoji), re.escape(examples.stop_emoji)
        # Two patterns and a search between them: one pattern over all would take quadratic time
        # on a hostile row. A single stop emoji is prose unless the settings write single ones.
        self._opening = re.compile(rf"\s*(?:{think})+")
        shortest = min(2, examples.stop_count_min)
        self._closing = re.compile(rf"(?:{stop}){{{shortest},}}")
        tags = (THINK_OPEN, THINK_CLOSE, "")
        runs = (examples.think_emoji, examples.stop_emoji * shortest, examples.stop_emoji)
        self.marks = (runs, tags) if self.emoji else (tags,)
        """What opens a thought, what closes it, and what may follow the closing as part of it."""

    def split(self, message: Message) -> Turn:
        """Thought and answer of an assistant's message; the thought is "" when there is none.

        `reasoning_content` wins over tags in the content; emoji runs that stand there win over
        both, in the emoji profile. In the think-tags profile emojis are text like any other.
        """
        inline, answer = _split_tags(_EMPTY_THINK.sub("", message.content))
        thought = (message.reasoning_content or "").strip("\n") or inline
        if self.emoji:
            opening = self._opening.match(answer)
            closing = opening and self._closing.search(answer, opening.end())
            if opening and closing:
                within = answer[opening.end() : closing.start()].strip()
                rest = answer[closing.end() :].lstrip()
                if within:
                    return Turn(within, rest, written=answer)
                answer = rest  # an empty thought is not trained either
            thought = self._without_runs(thought)
        return Turn(thought if thought.strip() else "", answer)

    def completion(self, message: Message, key: str, number: int) -> tuple[str, bool]:
        """What the model shall write for this turn, and whether it thinks; "" trains nothing.

        `key` names the row and `number` the turn: together they draw the stop run's length.
        Raises `InputRefused` for a thought that is opened and never closed.
        """
        turn = self.split(message)
        if not turn.answer.strip():
            return "", False
        if turn.answer.lstrip().startswith(THINK_OPEN):
            raise InputRefused(f"message {number} opens {THINK_OPEN} and never closes it")
        if turn.written:
            return turn.written, True  # markers that are there are never doubled
        if not turn.thought:
            return turn.answer, False
        answer = turn.answer.lstrip("\n")
        if not self.emoji:
            return f"{THINK_OPEN}\n{turn.thought}\n{THINK_CLOSE}\n\n{answer}", True
        run = self._settings.think_emoji * self._settings.think_count
        stop = self._settings.stop_emoji * self.stop_count(key, number)
        return f"{run}\n{turn.thought}\n{stop}\n{answer}", True

    def history(self, message: Message) -> Message:
        """An earlier message as the template shall see it."""
        if message.role != "assistant":
            return message
        turn = self.split(message)
        thought = None if self.emoji or not turn.thought else turn.thought
        return Message("assistant", turn.answer, thought)

    def stop_count(self, key: str, number: int) -> int:
        """Length of the stop run: uniform over its bounds, the same for ever for a turn."""
        low, high = self._settings.stop_count_min, self._settings.stop_count_max
        drawn = hashlib.sha256(f"stop-run|{key}|{number}".encode()).digest()
        return low + int.from_bytes(drawn[:8], "big") % (high - low + 1)

    def _without_runs(self, thought: str) -> str:
        """A thought that carries the emoji runs itself, without them."""
        bare = thought.strip()
        opening = self._opening.match(bare)
        start, end = opening.end() if opening else 0, len(bare)
        stop = self._settings.stop_emoji
        while bare.endswith(stop, start, end):
            end -= len(stop)
        return thought if (start, end) == (0, len(bare)) else bare[start:end].strip()


def _split_tags(content: str) -> tuple[str, str]:
    """A leading `<think>` block and the rest.

    The opening tag may be missing, as in replies to a prompt that held it, when the closing one
    ends a line or stands on its own. Tags further in are text that speaks of tags.
    """
    head, closed, rest = content.partition(THINK_CLOSE)
    before, opened, thought = head.partition(THINK_OPEN)
    if not closed or (opened and before.strip()):
        return "", content
    if not opened and not (head.endswith("\n") or rest.startswith("\n")):
        return "", content
    return (thought if opened else head).strip("\n"), rest.lstrip("\n")
