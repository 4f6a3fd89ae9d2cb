"""Makes the guide of a request's samples, out of what the model's folder and profile say."""

from __future__ import annotations

from functools import partial
from typing import Any

import llguidance
import llguidance.hf

from regime3.config import Examples
from regime3.engine.forms import CodesForm, TextForm, answer_codes
from regime3.engine.fractions import LowestTerms
from regime3.engine.guide import Guide, Part, Penalties
from regime3.engine.layout import Layout, Tokens, layout_of
from regime3.engine.thought import MarkerPenalty, ThoughtBudget
from regime3.errors import LanguageError, ModelError, NodeRefused
from regime3.lang.codebook import Codebook
from regime3.lang.lark_terms import term_lark
from regime3.lang.masks import BUDGET_MAX, Constrainer
from regime3.lang.problem import Problem, read_problem
from regime3.model.chat import ChatRenderer
from regime3.model.codes import code_ids
from regime3.model.template import THINK_CLOSE, THINK_OPEN
from regime3.records import wire
from regime3.tasks.rows import CODES, TERMS

NO_LIMIT = 1 << 30


class Guides:
    """One model's. `ends` are its end tokens."""

    def __init__(
        self,
        tokenizer: Any,
        renderer: ChatRenderer | None,
        book: Codebook | None,
        examples: Examples,
        ends: set[int],
        vocabulary: int,
    ) -> None:
        self._tokenizer, self._renderer, self._book = tokenizer, renderer, book
        self._examples, self._ends, self._vocabulary = examples, ends, vocabulary
        self._grammar_tokens: Any = None

    def of(self, ask: wire.Generate, limit: int) -> Guide | None:
        """A guide for one sample of at most `limit` tokens; None if it needs none.

        Raises `NodeRefused`."""
        sampling = ask.sampling
        parts: list[Part] = []
        if sampling.logit_bias or sampling.presence_penalty or sampling.frequency_penalty:
            parts.append(Penalties(sampling))
        if sampling.marker_penalty and self._examples.profile == "emoji":
            parts.append(self._marker_penalty(sampling.marker_penalty))
        if ask.form is not None:
            parts.append(self._form(ask.form, ask, limit))
        elif ask.think_tokens_max is not None:
            parts.append(self._budget(ask))
        return Guide(parts) if parts else None

    def _layout(self, ask: wire.Generate) -> Layout:
        return layout_of(self._renderer, self._examples, ask.prompt)

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return found

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.backend_tokenizer.decode(ids, skip_special_tokens=False)
        return text

    # ----------------------------------------------------------------------------- thoughts

    def _marker_penalty(self, penalty: float) -> MarkerPenalty:
        """A run begins with what its own text begins with, or with the line break before it."""
        made = {
            emoji: {self._ids(emoji * count)[0] for count in range(1, 5)}
            for emoji in (self._examples.think_emoji, self._examples.stop_emoji)
        }
        return MarkerPenalty(penalty, made, self._decode)

    def _budget(self, ask: wire.Generate) -> ThoughtBudget:
        assert ask.think_tokens_max is not None
        examples, layout = self._examples, self._layout(ask)
        emoji = examples.profile == "emoji"
        opened = not emoji and bool(layout.closings) and not layout.opening
        return ThoughtBudget(
            ask.think_tokens_max,
            examples.think_emoji if emoji else THINK_OPEN,
            examples.stop_emoji * min(2, examples.stop_count_min) if emoji else THINK_CLOSE,
            self._ids(layout.closings[0]) if layout.closings else [],
            self._decode,
            opened=opened,
            opening_tokens=len(self._ids(layout.lead + layout.opening)),
        )

    # -------------------------------------------------------------------------------- forms

    def _form(self, form: wire.Form, ask: wire.Generate, limit: int) -> Part:
        think = NO_LIMIT if ask.think_tokens_max is None else ask.think_tokens_max
        try:
            problem = read_problem(form.problem)
        except LanguageError as error:
            message = str(error).partition("\n")[0]
            raise NodeRefused(400, "invalid_problem", message, param="problem") from None
        layout = self._layout(ask)
        tokens = Tokens(layout, self._tokenizer, self._ends)
        if form.regime == CODES:
            return self._codes(problem, tokens, limit, think)
        if form.regime == TERMS:
            return self._terms(problem, layout, tokens, think)
        raise NodeRefused(
            400, "invalid_regime", "only regimes 2 and 3 have a grammar", param="regime"
        )

    def _codes(self, problem: Problem, tokens: Tokens, limit: int, think: int) -> Part:
        if self._book is None:
            raise NodeRefused(400, "no_codebook", "this model has no codes", param="regime")
        begin = partial(Constrainer, problem, self._book, min(limit - tokens.around, BUDGET_MAX))
        try:
            first = code_ids(self._tokenizer)[0]
            return CodesForm(begin, tokens, first, answer_codes(self._book), think)
        except (LanguageError, ModelError) as error:
            message = str(error).partition("\n")[0]
            raise NodeRefused(400, "form_impossible", message, param="max_tokens") from None

    def _terms(self, problem: Problem, layout: Layout, tokens: Tokens, think: int) -> Part:
        closings = list(layout.closings) or None
        grammar = term_lark(problem, opening=layout.lead + layout.opening, closings=closings)
        if self._grammar_tokens is None:
            self._grammar_tokens = llguidance.hf.from_tokenizer(
                self._tokenizer, n_vocab=self._vocabulary, eos_token=tokens.end[-1]
            )
        matcher = llguidance.LLMatcher(self._grammar_tokens, grammar)
        if matcher.is_error():
            raise NodeRefused(400, "form_impossible", matcher.get_error()[:300], param="regime")
        # What a thought over its budget is led to: a stop emoji, or the line break before it.
        hurry = [token for each in tokens.closings for token in (*each[1:], each[0])]
        fractions = LowestTerms(lambda token: self._grammar_tokens.decode_str([token]))
        return TextForm(matcher, fractions, tokens.end, list(dict.fromkeys(hurry)), think)
