"""Bodies under masks: codes by the language's own automaton, S-expressions by a grammar.

Both keep to `layout`, so that what is written splits into thought and answer as training rows do
and `tasks.verdict.judge` reads it. Codes fit their budget by construction: the automaton leaves
room for an answer. A grammar cannot count, so an S-expression may run into `max_tokens`; nor can it
divide, so fractions have a mask of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from regime3.engine.fractions import LowestTerms
from regime3.engine.guide import allow
from regime3.engine.layout import Tokens
from regime3.lang.codebook import Codebook
from regime3.lang.codes import END, FIRST_MACRO, IMPLIED, MACRO_END, QED
from regime3.lang.masks import Constrainer


class CodesForm:
    """A body in codes. Begins with an opening or an answer; then what its phase allows.

    `begin` makes the row anew. An answer begins with `qed!` or whatever has `qed` at its head. One
    that is told without either (a counter-model of follows) is parted as `tasks.rows` parts it:
    only its last code stands after the thought.
    """

    def __init__(
        self,
        begin: Callable[[], Constrainer],
        tokens: Tokens,
        first: int,
        answers: frozenset[int],
        think: int,
    ) -> None:
        self._begin = begin
        self.row, self.tokens, self._first, self._answers = begin(), tokens, first, answers
        self._think = think
        self._codes: list[int] = []
        """Codes of the thought after which it is closed as soon as a step ends."""
        self._thought = 0
        self._fixed: list[list[int]] = []
        """Token strings of which one has to be finished now."""
        self._phase = "start" if tokens.parted else "whole"
        if tokens.parted and not tokens.opening:
            self._phase = "steps"
        self._at_step = True
        self._in_answer = False
        """A code of the answer has come after the thought."""

    def edit(self, logits: torch.Tensor) -> None:
        allow(logits, self.allowed())

    def allowed(self) -> list[int]:
        """Token ids that may come next."""
        if self._fixed:
            return [each[0] for each in self._fixed]
        if self.row.done:
            return self.tokens.end[:1]
        codes = np.flatnonzero(self.row.mask()).tolist()
        if not self._at_step or self._phase == "whole":
            found = [self._first + code for code in codes]
            if self._phase == "steps" and END in codes and self._finishes(END):
                found.remove(self._first + END)
                found += [each[0] for each in self.tokens.closings]
            elif self._phase == "answer" and not self._in_answer:
                return [self._first + END]
            return found
        answers = [self._first + code for code in codes if code in self._answers]
        steps = [self._first + code for code in codes if code not in self._answers]
        if self._phase == "answer":
            return answers
        if self._phase == "start":
            return [*self.tokens.opening[:1], *answers] if steps else answers
        closing = [each[0] for each in self.tokens.closings] if answers else []
        if closing and (self._thought >= self._think or not steps):
            return closing
        return steps + closing if self.row.steps or not self.tokens.opening else steps

    def take(self, token: int) -> None:
        if self._fixed:
            self._fixed = [each[1:] for each in self._fixed if each[0] == token]
            if any(not each for each in self._fixed):
                self._fixed = []
            return
        code = token - self._first
        if self.row.done or not 0 <= code < len(self.row.mask()):
            self._mark(token)
            return
        if self._phase == "start":
            self._phase = "answer"
        self._in_answer = self._phase == "answer"
        before = self.row.steps
        self.row.advance(code)
        self._codes.append(code)
        self._at_step = self.row.steps != before
        self._thought += self._phase == "steps"

    def _finishes(self, code: int) -> bool:
        """Whether this code would end the body."""
        row = self._begin()
        for each in (*self._codes, code):
            row.advance(each)
        return row.done

    def _mark(self, token: int) -> None:
        """A token of the layout has begun a piece of it."""
        if self.row.done:
            pieces = [self.tokens.end]
        elif self._phase == "start":
            pieces, self._phase = [self.tokens.opening], "steps"
        else:
            pieces, self._phase = self.tokens.closings, "answer"
        self._fixed = [each[1:] for each in pieces if each[0] == token]
        if any(not each for each in self._fixed):
            self._fixed = []


def answer_codes(book: Codebook) -> frozenset[int]:
    """The codes that begin an answer: `qed!`, and whatever has `qed` at its head."""

    def head(code: int) -> int:
        while FIRST_MACRO <= code < MACRO_END:
            code = book.macros[code - FIRST_MACRO][0]
        return code

    macros = range(FIRST_MACRO, FIRST_MACRO + len(book.macros))
    return frozenset({QED, IMPLIED} | {code for code in macros if head(code) == QED})


class TextForm:
    """A body as S-expressions, under a grammar. `matcher` is llguidance's."""

    def __init__(
        self,
        matcher: Any,
        fractions: LowestTerms,
        end: list[int],
        hurry: list[int],
        think: int,
    ) -> None:
        self._matcher, self._fractions = matcher, fractions
        self._end, self._hurry, self._think = end, hurry, think
        self._written = 0

    def edit(self, logits: torch.Tensor) -> None:
        mask = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        bits = np.unpackbits(mask, bitorder="little")[: len(logits)].astype(np.bool_)
        if len(bits) < len(logits):
            bits = np.pad(bits, (0, len(logits) - len(bits)))
        bits[self._fractions.refused(np.flatnonzero(bits).tolist())] = False
        over = self._written >= self._think
        hurry = next((token for token in self._hurry if bits[token]), None) if over else None
        if hurry is not None:
            allow(logits, [hurry])
        elif self._matcher.is_stopped() or not bits.any():
            allow(logits, self._end[:1])
        else:
            logits.masked_fill_(torch.from_numpy(~bits).to(logits.device), -math.inf)

    def take(self, token: int) -> None:
        self._written += 1
        self._fractions.take(token)
        if not self._matcher.is_stopped():
            self._matcher.consume_token(token)
