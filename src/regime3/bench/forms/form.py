"""What a form is, and the ones written as text."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol

from regime3.lang.english import plain, results_only, terse
from regime3.lang.problem import Body, Problem, read_body, show_body
from regime3.model import nano_tokenizer
from regime3.model.nano_tokenizer import TEXT_VOCABULARY
from regime3.tasks.family import Sample


class Form(Protocol):
    """One spelling of bodies."""

    name: str
    readable: bool
    """False when the steps cannot be read back; then only the answer is judged."""

    def encode(self, sample: Sample) -> list[int]:
        """Tokens of steps and answer."""

    def decode(self, problem: Problem, tokens: list[int]) -> Body:
        """The body that they spell. Raises `LanguageError`."""


@cache
def tokenizer() -> Any:
    """The nano model's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(nano_tokenizer.ship_to())


def text_ids(text: str) -> list[int]:
    """The nano tokens of a text without codes."""
    ids: list[int] = tokenizer()(text, add_special_tokens=False)["input_ids"]
    return ids


def text_of(tokens: list[int]) -> str:
    """Tokens as text; those past the text's, learned tokens and codes, are what no text spells."""
    return str(tokenizer().decode([token for token in tokens if token < TEXT_VOCABULARY]))


class Text:
    """A form that is a text."""

    readable = True

    def __init__(
        self,
        name: str,
        show: Callable[[Problem, Body], str],
        read: Callable[[Problem, str], Body],
    ) -> None:
        self.name, self._show, self._read = name, show, read

    def encode(self, sample: Sample) -> list[int]:
        return text_ids(self._show(sample.problem, sample.body))

    def decode(self, problem: Problem, tokens: list[int]) -> Body:
        return self._read(problem, text_of(tokens))


class ResultsOnly:
    """Each step's result and the answer, in English. Nothing says what was done."""

    name = "1-results-only"
    readable = False

    def encode(self, sample: Sample) -> list[int]:
        return text_ids(results_only.show(sample.problem, sample.body))

    def decode(self, problem: Problem, tokens: list[int]) -> Body:
        raise NotImplementedError("results alone spell no body")

    def answer(self, tokens: list[int]) -> str:
        """The last line, which is the answer."""
        return text_of(tokens).strip().rpartition("\n")[2]


_DIGITS = re.compile(r"(?<![a-z])(\d{2,})")


def _turned(text: str) -> str:
    """Every integer with its digits the other way round; names such as c10 and l12 stay."""
    return _DIGITS.sub(lambda found: found[1][::-1], text)


def english_plain() -> Form:
    return Text("1", plain.show, plain.read)


def english_terse() -> Form:
    return Text("1-terse", terse.show, terse.read)


def sexpr() -> Form:
    return Text("2", lambda problem, body: show_body(body), read_body)


def sexpr_least_first() -> Form:
    return Text(
        "2-least-digit-first",
        lambda problem, body: _turned(show_body(body)),
        lambda problem, text: read_body(problem, _turned(text)),
    )
