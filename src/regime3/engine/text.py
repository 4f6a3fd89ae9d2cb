"""Text as it is written: whole characters only, and never a stop string or a piece of one.

    stream = TextStream(decode, stops=["\\n\\n"])
    stream.add([17, 4])        # tokens
    stream.take()              # text that is certain, since the last call
    stream.finish()            # the end: what was held back is certain now
    stream.stopped             # a stop string has come

Tokens hold pieces of characters, so a token's text is what decoding gains when it comes, and
waits while the gain ends in a character that is not whole. It knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

BROKEN = "\ufffd"
HELD_TOKENS_MAX = 8
"""A character has at most 4 bytes; tokens that make none by then are broken text."""

Decode = Callable[[list[int]], str]


class TextStream:
    """Turns tokens into text, piece by piece."""

    __slots__ = ("_decode", "_known", "_shown", "_stops", "_tail", "_text", "stopped")

    def __init__(self, decode: Decode, stops: Sequence[str] = ()) -> None:
        self.stopped = False
        self._decode = decode
        self._stops = [stop for stop in stops if stop]
        self._tail: list[int] = []
        """The last tokens: those whose text is out, which give context, and those that wait."""
        self._known = 0
        """How many of the tail's tokens have their text out."""
        self._shown = ""
        """The text of those, as it decodes alone."""
        self._text = ""
        """What is decoded and not yet taken."""

    def add(self, ids: list[int]) -> None:
        """These tokens come next. After a stop string nothing is added."""
        if not self.stopped and ids:
            self._tail += ids
            self._advance(final=False)
            self._look_for_stops()

    def take(self) -> str:
        """What may be shown now, and was not yet."""
        keep = 0 if self.stopped or not self._stops else self._held()
        cut = len(self._text) - keep
        found, self._text = self._text[:cut], self._text[cut:]
        return found

    def finish(self) -> None:
        """Nothing more comes: broken characters and half stop strings are text."""
        if not self.stopped:
            self._advance(final=True)
            self._look_for_stops()
        self._stops = []

    def _advance(self, *, final: bool) -> None:
        """Take in the text of as many tokens as make whole characters; of all, at the end."""
        tail, new = self._tail, len(self._tail) - self._known
        count = len(tail)
        text = self._decode(tail)
        if text.endswith(BROKEN) and not final:
            for held in range(1, min(new, HELD_TOKENS_MAX)):
                shorter = self._decode(tail[:-held])
                if not shorter.endswith(BROKEN):
                    text, count = shorter, len(tail) - held
                    break
            else:
                if new < HELD_TOKENS_MAX:
                    return
        self._text += text[len(self._shown) :]
        # The tokens that are out now are the context of the next ones; older ones are not needed.
        if count > self._known:
            self._tail = tail[self._known :]
            count -= self._known
        self._known = count
        self._shown = self._decode(self._tail[:count])

    def _look_for_stops(self) -> None:
        places = [place for stop in self._stops if (place := self._text.find(stop)) >= 0]
        if places:
            self._text = self._text[: min(places)]
            self.stopped = True

    def _held(self) -> int:
        """Characters at the end with which a stop string may begin."""
        text = self._text
        most = 0
        for stop in self._stops:
            for size in range(min(len(stop) - 1, len(text)), most, -1):
                if text.endswith(stop[:size]):
                    most = size
                    break
        return most
