"""Thought and answer of a completion, told apart as the text comes.

    splitter = Splitter(profile)
    thought, answer = splitter.take("🤔🤔🤔🤔\\nfirst ")    # what is new in each
    thought, answer = splitter.rest()                    # what was held back, at the end
    splitter.whole()                                     # both, all of them

Text that may yet turn out to be part of a marker is held back: two stop emojis are the beginning
of three. It reads the emoji runs and the think tags that `model.profile` writes; a thought that
is never closed stays a thought. However the text is cut, both come out the same.
"""

from __future__ import annotations

from regime3.model.profile import Profile

BEFORE, WITHIN, BETWEEN, AFTER = range(4)
"""Before it is known, within the thought, between its end and the answer, in the answer."""
BLANKS = " \n\t"


class Splitter:
    """The state of one completion."""

    def __init__(self, profile: Profile) -> None:
        self._marks = profile.marks
        """What opens a thought, what closes it, and what may follow the closing as part of it."""
        self._close = self._more = ""
        self._stage = BEFORE
        self._held = ""
        self._thought = self._answer = ""

    def take(self, text: str) -> tuple[str, str]:
        """What is new in thought and answer."""
        return self._read(text, last=False)

    def rest(self) -> tuple[str, str]:
        """What was held back, now that nothing follows."""
        return self._read("", last=True)

    def whole(self) -> tuple[str, str]:
        """Thought and answer, what is held back included."""
        self.rest()
        return self._thought, self._answer

    def _read(self, text: str, last: bool) -> tuple[str, str]:
        self._held += text
        thought = answer = ""
        stage = -1
        while stage != self._stage:
            stage = self._stage
            if stage == BEFORE:
                self._before(last)
            elif stage == WITHIN:
                thought += self._within(last)
            elif stage == BETWEEN:
                self._between(last)
            else:
                answer, self._held = answer + self._held, ""
        self._thought += thought
        self._answer += answer
        return thought, answer

    def _before(self, last: bool) -> None:
        """Find out whether it opens with a mark."""
        bare = self._held.lstrip(BLANKS)
        for opens, closes, more in self._marks:
            if bare.startswith(opens):
                bare = _without(bare, opens)
                if last or not opens.startswith(bare):
                    self._held, self._stage = bare, WITHIN
                    self._close, self._more = closes, more
                return
        if last or not any(opens.startswith(bare) for opens, _, _ in self._marks):
            self._stage = AFTER

    def _within(self, last: bool) -> str:
        """The thought up to its closing mark, less what may be the beginning of that."""
        if not self._thought:
            self._held = self._held.lstrip(BLANKS)
        found = self._held.find(self._close)
        if found >= 0:
            thought = self._held[:found].rstrip(BLANKS)
            self._held = self._held[found + len(self._close) :]
            self._stage = BETWEEN
            return thought
        end = len(self._held)
        if not last:
            end -= _overlap(self._held, self._close)
            end = len(self._held[:end].rstrip(BLANKS))
        thought, self._held = self._held[:end], self._held[end:]
        return thought

    def _between(self, last: bool) -> None:
        """Drop what is left of the closing run and the blanks behind it."""
        if self._more:
            self._held = _without(self._held, self._more)
            if self._more.startswith(self._held) and self._held and not last:
                return
        self._held = self._held.lstrip(BLANKS)
        if self._held or last:
            self._stage = AFTER


def _without(text: str, mark: str) -> str:
    """The text without the marks that it begins with."""
    while text.startswith(mark):
        text = text[len(mark) :]
    return text


def _overlap(text: str, mark: str) -> int:
    """Characters at the text's end with which the mark begins, its last one never among them."""
    for length in range(min(len(text), len(mark) - 1), 0, -1):
        if mark.startswith(text[-length:]):
            return length
    return 0
