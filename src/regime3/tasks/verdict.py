"""Is what a model wrote right? Read in its regime, then checked; the spelling decides nothing.

    judged = judge("(gcd 462 147)", 3, "<E199><E217><E203><E196>", "<E195>", book)
    judge_row(row, book)             # a chat row as `rows` writes them
    prove_row(row, book)             # whether its reply may be taught
    mark = marker_of(row, book)      # how a validation row wants to be judged, if by the checker
    mark(thought, answer)            # is this answer right?

Text equality cannot judge codes: `qed!` is one token for every answer. A judgement never raises on
what a model wrote, whatever it is. Rows of other people, whose `problem` may be anything, are left
to whoever judges rows without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from regime3 import tasks
from regime3.errors import InputRefused, LanguageError
from regime3.lang.check import check, check_text
from regime3.lang.codebook import Codebook
from regime3.lang.codes import read_tokens
from regime3.lang.english import plain
from regime3.lang.problem import (
    Body,
    Problem,
    cut_steps,
    read_body,
    read_problem,
    show_step,
)
from regime3.lang.replay import start
from regime3.lang.terms import Term
from regime3.lang.unpack import unpacker
from regime3.tasks.rows import CODES, ENGLISH, REGIMES, TERMS, joined

ANSWERS_MAX = 1 << 12
"""Oracle's answers that are remembered."""

Marker = Callable[[str, str], bool]
"""Thought and answer of a completion to whether the answer is right."""
Right = Callable[[Problem], Term | None]
"""A problem's right answer, if it is known."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What is to be said of a body that somebody wrote."""

    valid: bool
    """The checker accepts every step and the answer."""
    right: bool
    """The answer is right, whatever the steps; false if the body cannot be read."""
    index: int
    """The first bad step, from 1, the answer counted; 0 if valid, or if the problem is bad."""
    steps: int = 0
    """How many there are, the answer counted."""
    share: float = 0.0
    """Steps before the first bad one, of all; 0 for what cannot be read."""
    expected: str = ""
    found: str = ""
    step: str = ""
    """The bad step's text, where there is one."""
    body: Body | None = None
    """What was read."""

    @property
    def reason(self) -> str:
        """Why it is not valid, in a few words; '' if it is."""
        return "" if self.valid else f"expected {self.expected}; found {self.found}"


def judge(
    problem: Problem | str, regime: int, thought: str, answer: str, book: Codebook | None
) -> Judged:
    """The judgement of a body in a regime: steps in the thought, the last one in the answer.

    How it is divided between the two does not matter; `book` is for codes. The problem is one that
    a family poses: where wrong steps leave an answer open, the family's oracle is asked.
    """
    return _judge(problem, regime, (thought, answer), book, _oracle_answer)


def judge_row(row: dict[str, Any], book: Codebook | None) -> Judged:
    """The judgement of a chat row's last message, in the row's regime or the one it looks like.

    A translation must be the very body that the user gave. After wrong steps only a counter-model
    is known to be right, since the problem may be anybody's. Raises `InputRefused` for a row that
    is no conversation about a problem, or whose codes are of another codebook.
    """
    question, thought, answer = _asked(row)
    regime = row["regime"] if row.get("regime") in REGIMES else _guessed(thought or answer)
    source = row.get("source_regime")
    if book is not None and CODES in (regime, source) and "codebook" in row:
        book.demand(str(row["codebook"]))
    judged = _judge(row["problem"], regime, (thought, answer), book, _unknown)
    if source not in REGIMES or judged.body is None:
        return judged
    given = _judge(row["problem"], source, ("", question.rpartition("\n\n")[2]), book, _unknown)
    return _compared(judged.body, given)


def prove_row(row: dict[str, Any], book: Codebook | None) -> Judged:
    """The judgement of a row that is to be taught. Raises `InputRefused` as `judge_row` does.

    A translation must be the body that was given, and that body must be right by itself: a wrong
    one that is faithfully rewritten would be taught all the same.
    """
    if "source_regime" in row:
        alone = {name: value for name, value in row.items() if name != "source_regime"}
        judged = judge_row(alone, book)
        if not judged.valid:
            return judged
    return judge_row(row, book)


def marker_of(row: dict[str, Any], book: Codebook | None) -> Marker | None:
    """How completions of a validation row are judged; None if the checker cannot.

    It can if the row has a problem and a regime of the language, and it accepts the row's own body.
    """
    if row.get("regime") not in REGIMES or not isinstance(row.get("problem"), str):
        return None
    try:
        golden = judge_row(row, book)
    except InputRefused:
        return None
    if not golden.valid or golden.body is None:
        return None
    return _marker(row["problem"], row["regime"], golden.body, "source_regime" in row, book)


def _marker(
    problem: str, regime: int, golden: Body, translated: bool, book: Codebook | None
) -> Marker:
    posed, right = read_problem(problem), golden[-1][1]

    def mark(thought: str, answer: str) -> bool:
        judged = _judge(posed, regime, (thought, answer), book, lambda _: right)
        return judged.body == golden if translated else judged.right

    return mark


def _judge(
    problem: Problem | str,
    regime: int,
    written: tuple[str, str],
    book: Codebook | None,
    right: Right,
) -> Judged:
    try:
        posed = problem if isinstance(problem, Problem) else read_problem(problem)
    except LanguageError as error:
        return Judged(False, False, 0, expected="a problem", found=error.reason)
    text = joined(regime, *[each.strip() for each in written])
    try:
        body = _read(posed, regime, text, book)
    except LanguageError as error:
        return _unread(posed, regime, text, error)
    return judge_body(posed, body, right)


def _read(problem: Problem, regime: int, text: str, book: Codebook | None) -> Body:
    """The body that a text spells. Raises `LanguageError`."""
    if regime == ENGLISH:
        return plain.read(problem, text)
    if regime == TERMS:
        return read_body(problem, text)
    if book is None:
        raise LanguageError("codes cannot be read without their codebook")
    return unpacker(book).unpack(problem, read_tokens(text))


def judge_body(problem: Problem, body: Body, right: Right) -> Judged:
    """The judgement of a body that was read; `right` is asked after wrong steps."""
    verdict = check(problem, body)
    if verdict.accepted:
        return Judged(True, True, 0, verdict.steps, 1.0, body=body)
    answer_right = _is_right(problem, body[-1][1], right)
    step = show_step(body[verdict.index - 1]) if verdict.index <= len(body) else ""
    share = (verdict.index - 1) / len(body)
    return Judged(
        False, answer_right, verdict.index, verdict.steps, share,
        verdict.expected, verdict.found, step, body,
    )  # fmt: skip


def _is_right(problem: Problem, answer: Term, right: Right) -> bool:
    """Whether an answer is the right one; any counter-model that holds is."""
    if isinstance(answer, tuple) and answer[0] == "counter":
        return start(problem).answer(answer) is None
    return answer == right(problem)


@lru_cache(ANSWERS_MAX)
def _oracle_answer(problem: Problem) -> Term:
    """What the oracle of the family with such problems says."""
    family = next(each for each in tasks.FAMILIES.values() if problem.kind in each.kinds)
    answer: Term = family.solve(problem)[-1][1]
    return answer


def _unknown(problem: Problem) -> None:
    return None


def _unread(problem: Problem, regime: int, text: str, error: LanguageError) -> Judged:
    """The judgement of what cannot be read: the place is where reading ended."""
    if regime == TERMS:
        verdict = check_text(problem, text)
        pieces = [text[begin:end] for begin, end in cut_steps(text)]
        step = pieces[verdict.index - 1] if 1 <= verdict.index <= len(pieces) else ""
        return Judged(
            False, False, verdict.index, verdict.steps, 0.0, verdict.expected, verdict.found, step
        )
    if regime == ENGLISH and error.position is not None:
        lines = text.split("\n")
        index = min(text.count("\n", 0, error.position) + 1, len(lines))
        return Judged(
            False, False, index, len(lines), 0.0, "a step", error.reason, lines[index - 1]
        )
    return Judged(False, False, 1, expected="a body", found=error.reason)


def _compared(body: Body, given: Judged) -> Judged:
    """The judgement of a translation: equal to the last step, or wrong where it first differs."""
    if given.body is None:
        return Judged(False, False, 0, expected="a body to translate", found=given.found)
    if body == given.body:
        return Judged(True, True, 0, len(body), 1.0, body=body)
    pairs = zip(given.body, body, strict=False)
    same = next((n for n, (wanted, step) in enumerate(pairs) if wanted != step), None)
    same = min(len(body), len(given.body)) if same is None else same
    wanted, step = (show_step(each[same]) if same < len(each) else "the end"
                    for each in (given.body, body))  # fmt: skip
    return Judged(False, False, same + 1, len(body), same / len(body), wanted, step, step, body)


def _asked(row: dict[str, Any]) -> tuple[str, str, str]:
    """The last user's message, and thought and answer of the reply to it."""
    messages = row.get("messages")
    if not isinstance(row.get("problem"), str):
        raise InputRefused('the row has no "problem" text')
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise InputRefused("the row has no messages")
    said = {str(each.get("role")): each for each in messages}
    reply = said.get("assistant", {})
    parts = (said.get("user", {}).get("content"), reply.get("reasoning_content") or "")
    found = (*parts, reply.get("content"))
    if not all(isinstance(each, str) for each in found):
        raise InputRefused("the row needs a user's message and an assistant's reply, both text")
    return found


def _guessed(text: str) -> int:
    """The regime that a body looks like."""
    return CODES if text.lstrip().startswith("<E") else TERMS if text[:1] == "(" else ENGLISH
