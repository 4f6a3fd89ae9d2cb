"""Chat rows of samples: a body in one of the three regimes, or translated from one into another.

    row(sample, 3, book)             # answers its prompt in codes
    translation(sample, 1, 3, book)  # rewrites English as codes

The steps are the assistant's `reasoning_content`, the answer step its `content`; the two together
are the whole body, in codes with nothing between, else with a line break. A body that is only its
answer has no reasoning. Beside `messages` a row says what it is of: `problem` as an S-expression,
family, level, split, index, `regime`, for a translation `source_regime`, and the `codebook`'s name
where there are codes. Nothing is judged here: `verdict` reads such rows back.
"""

from __future__ import annotations

from typing import Any, Final

from regime3.lang.codebook import Codebook
from regime3.lang.codes import FIRST_MACRO, MACRO_END, QED, tokens_text
from regime3.lang.english import plain
from regime3.lang.pack import packer
from regime3.lang.problem import Body, Problem, show_body
from regime3.lang.terms import show
from regime3.tasks.family import Sample

ENGLISH, TERMS, CODES = 1, 2, 3
REGIMES: Final = (ENGLISH, TERMS, CODES)
NAMES: Final = {ENGLISH: "English", TERMS: "S-expressions", CODES: "codes"}
THINK: Final = {regime: f"Think in {name}." for regime, name in NAMES.items()}
"""System prompts of rows that answer."""
REWRITE: Final = {regime: f"Rewrite in {name}." for regime, name in NAMES.items()}
"""System prompts of translations, by target."""
BETWEEN: Final = {ENGLISH: "\n", TERMS: "\n", CODES: ""}
"""What joins steps and answer."""


def row(sample: Sample, regime: int, book: Codebook) -> dict[str, Any]:
    """The row that answers the sample's prompt with its body in a regime (1, 2 or 3)."""
    steps, answer = spelled(sample.problem, sample.body, regime, book)
    reply = {"role": "assistant", "content": answer}
    if steps:
        reply = {"role": "assistant", "reasoning_content": steps, "content": answer}
    return _row(sample, THINK[regime], sample.prompt, reply, regime, None, book)


def translation(sample: Sample, source: int, target: int, book: Codebook) -> dict[str, Any]:
    """The row that is given the prompt and the body in one regime, and writes it in another.

    The body is the last paragraph of the user's message, and the whole content of the reply: it
    is a text to be rewritten and no thought.
    """
    given = whole(sample.problem, sample.body, source, book)
    reply = {"role": "assistant", "content": whole(sample.problem, sample.body, target, book)}
    question = f"{sample.prompt}\n\n{given}"
    return _row(sample, REWRITE[target], question, reply, target, source, book)


def spelled(problem: Problem, body: Body, regime: int, book: Codebook) -> tuple[str, str]:
    """A body's steps, '' if there are none, and its answer, in a regime."""
    if regime == CODES:
        codes = packer(book).pack(problem, body)
        cut = _answer_start(codes, book)
        return tokens_text(codes[:cut]), tokens_text(codes[cut:])
    text = plain.show(problem, body) if regime == ENGLISH else show_body(body)
    steps, _, answer = text.rpartition("\n")
    return steps, answer


def whole(problem: Problem, body: Body, regime: int, book: Codebook) -> str:
    """A body in a regime, in one piece."""
    return joined(regime, *spelled(problem, body, regime, book))


def joined(regime: int, steps: str, answer: str) -> str:
    """The text of a body from its two pieces."""
    return BETWEEN[regime].join([steps, answer]) if steps else answer


def _answer_start(codes: list[int], book: Codebook) -> int:
    """Where the answer begins: at `qed!`, else at the only code whose first name is `qed`.

    A counter-model of `follows` that is told has neither. Its last code, `end`, is then the answer
    and the rest of it thought: never meant so, but models have learned it (docs/journal.md).
    """

    def head(code: int) -> int:
        while FIRST_MACRO <= code < MACRO_END:
            code = book.macros[code - FIRST_MACRO][0]
        return code

    spelled_out = [place for place, code in enumerate(codes) if head(code) == QED]
    return spelled_out[-1] if spelled_out else len(codes) - 1


def _row(
    sample: Sample,
    system: str,
    question: str,
    reply: dict[str, str],
    regime: int,
    source: int | None,
    book: Codebook,
) -> dict[str, Any]:
    """The row with everything known of it; `messages` comes first, as fast readers like it."""
    found: dict[str, Any] = {
        "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": question},
            reply,
        ],
        "problem": show(sample.problem.term),
        "family": sample.family,
        "level": sample.level,
        "regime": regime,
        "split": sample.split,
        "index": sample.index,
    }
    if source is not None:
        found["source_regime"] = source
    if CODES in (regime, source):
        found["codebook"] = book.name
    return found
