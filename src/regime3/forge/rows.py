"""From right bodies to chat rows, in the regimes of the schedule. Pure: nothing is read or written.

    writer = Writer(book, settings, shard=7, rows_made=5400, max_length=1024, taken=keys)
    writer.attempts(tried, wanted=500); writer.corrections(tried, wanted=100)
    writer.replay(earlier, wanted=200); writer.oracles(places, wanted=300)
    writer.made

A body is spelled again in whatever regime its turn falls on: the spelling decides nothing. Every
row is judged before it is kept, and kept once: the same body of the same problem in the same form
is never written twice within `taken`. A wrong step stands in prompts only, never in a reply.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from regime3 import tasks
from regime3.config.sections import Forge as Settings
from regime3.errors import LanguageError
from regime3.forge.attempts import Attempt, Tried
from regime3.lang import signature
from regime3.lang.codebook import Codebook
from regime3.lang.codes import tokens_text
from regime3.lang.english import plain
from regime3.lang.fingerprint import fingerprint
from regime3.lang.pack import packer
from regime3.lang.problem import Body, read_body, read_problem, show_body, show_step
from regime3.tasks import schedule
from regime3.tasks.family import Sample
from regime3.tasks.rows import CODES, ENGLISH, TERMS, row, translation
from regime3.tasks.schedule import Form
from regime3.tasks.verdict import prove_row

KEY_DIGITS = 24
FORM_TRIES = 4
"""Forms that are drawn for a body before it is given up as written already."""
SPELLINGS_MAX = 3
"""Forms in one shard that a right attempt is written in, if there are few of them."""
CORRECTIONS_PER_PROBLEM = 2
BYTES_PER_TOKEN = 2
"""Of text that is no code: fewer than any tokenizer makes of it, so that lengths are kept."""
MESSAGE_TOKENS = 16
_CODE = re.compile(r"<E[0-9]{3}>")


class Made(msgspec.Struct, frozen=True):
    """What is remembered of a row: enough to know it again, and to write its body anew."""

    key: str
    kind: str
    family: str
    level: int
    index: int
    fingerprint: str
    body: str
    """As S-expressions."""


def key_of(print_: str, body: str, form: Form, more: str = "") -> str:
    """The identity of a row: problem, body, form; `more` is what else its prompt shows."""
    told = f"{print_}|{form.target}|{form.source}|{more}|{body}"
    return hashlib.sha256(told.encode()).hexdigest()[:KEY_DIGITS]


def shortest(tried: Tried, most: int) -> list[Attempt]:
    """The shortest right attempts at a problem, distinct by canonical form.

    Of a problem that every attempt solved, one: it is at no edge.
    """
    first: dict[str, Attempt] = {}
    for each in tried.attempts:
        known = first.get(each.canonical)
        if each.valid and (known is None or _length(each) < _length(known)):
            first[each.canonical] = each
    found = sorted(first.values(), key=_length)
    return found[: 1 if tried.passed == len(tried.attempts) else most]


def _length(attempt: Attempt) -> tuple[int, int, str, int]:
    return (attempt.judged.steps, attempt.tokens, attempt.canonical, attempt.sample)


class Writer:
    """Writes the rows of one shard."""

    def __init__(
        self,
        book: Codebook,
        settings: Settings,
        *,
        shard: int,
        rows_made: int,
        max_length: int,
        taken: set[str],
        lineage: dict[str, Any] | None = None,
    ) -> None:
        self._book, self._settings, self._shard = book, settings, shard
        self._rows_made, self._max_length, self._taken = rows_made, max_length, set(taken)
        self._lineage = {
            "generator": "forge",
            "shard": shard,
            "codebook": book.name,
            "checker": signature.VERSION,
            "language_sha256": signature.SHA256,
        }
        self._model = lineage or {}
        self.rows: list[dict[str, Any]] = []
        self.made: list[Made] = []
        self.dropped: Counter[str] = Counter()
        """Rows that were not written, by reason."""

    def counts(self) -> dict[str, int]:
        """Rows by kind."""
        return dict(sorted(Counter(each.kind for each in self.made).items()))

    # ------------------------------------------------------------ kinds of rows

    def attempts(self, tried: Sequence[Tried], wanted: int) -> int:
        """Rows of right attempts, each first in one form, then in others; how many bodies."""
        kept = [
            (each.sample, attempt)
            for each in tried
            for attempt in shortest(each, self._settings.rows_per_problem_max)
        ]
        begun = len(self.rows)
        for spelling in range(SPELLINGS_MAX):
            for sample, attempt in kept:
                if len(self.rows) - begun >= wanted:
                    return len(kept)
                assert attempt.judged.body is not None
                self._write(sample, attempt.judged.body, "attempt", spelling, _origin(attempt))
        return len(kept)

    def corrections(self, tried: Iterable[Tried], wanted: int) -> None:
        """Rows that show an attempt up to its first bad step, and answer with a right body."""
        begun = len(self.rows)
        for each in tried:
            reply = self._right_body(each)
            wrong = {attempt.canonical: attempt for attempt in each.attempts if _is_cut(attempt)}
            if reply is None:
                continue
            for canonical in sorted(wrong)[:CORRECTIONS_PER_PROBLEM]:
                if len(self.rows) - begun >= wanted:
                    return
                self._correct(each.sample, wrong[canonical], *reply)

    def replay(self, earlier: Iterable[Made], wanted: int) -> None:
        """Rows of bodies that earlier shards hold, in another form or long ago."""
        begun = len(self.rows)
        for each in earlier:
            if len(self.rows) - begun >= wanted:
                return
            sample = tasks.sample(each.family, each.level, "train", each.index)
            body = read_body(sample.problem, each.body)
            self._write(sample, body, "replay", 0, {"replays": each.kind})

    def oracles(self, places: Iterable[tuple[str, int, int]], wanted: int) -> None:
        """Rows of fresh problems with their oracles' answers; family, level and index of each."""
        begun = len(self.rows)
        for family, level, index in places:
            if len(self.rows) - begun >= wanted:
                return
            sample = tasks.sample(family, level, "train", index)
            self._write(sample, sample.body, "oracle", 0, {})

    # ------------------------------------------------------------ one row

    def _form(self, key: str, number: int) -> Form:
        step = self._rows_made + len(self.rows)
        plan, total = self._settings.schedule, self._settings.schedule_rows
        return schedule.choose(plan, step, total, f"forge|{self._shard}|{key}|{number}")

    def _write(
        self, sample: Sample, body: Body, kind: str, number: int, origin: dict[str, Any]
    ) -> None:
        """A row of the body in the first form of a few drawn that was not written yet."""
        text = show_body(body)
        own = dataclasses.replace(sample, body=body)
        for attempt in range(FORM_TRIES):
            form = self._form(f"{kind}|{sample.fingerprint}|{text}", number * FORM_TRIES + attempt)
            key = key_of(sample.fingerprint, text, form)
            if key not in self._taken:
                found = (
                    row(own, form.target, self._book)
                    if form.source is None
                    else translation(own, form.source, form.target, self._book)
                )
                self._keep(found, own, kind, key, origin)
                return
        self.dropped["written before"] += 1

    def _correct(self, sample: Sample, wrong: Attempt, body: Body, origin: dict[str, Any]) -> None:
        form = Form(self._form(f"correction|{wrong.canonical}", 0).target)
        key = key_of(sample.fingerprint, show_body(body), form, wrong.canonical)
        if key in self._taken:
            self.dropped["written before"] += 1
            return
        try:
            shown = cut(sample, wrong, form.target, self._book)
        except LanguageError:
            self.dropped["the attempt cannot be shown"] += 1
            return
        judged = wrong.judged
        told = f"{shown}\n\nStep {judged.index} is wrong: {judged.reason}."
        own = dataclasses.replace(sample, body=body, prompt=f"{sample.prompt}\n\n{told}")
        found = row(own, form.target, self._book)
        self._keep(found, own, "correction", key, {**_origin(wrong), **origin})

    def _right_body(self, tried: Tried) -> tuple[Body, dict[str, Any]] | None:
        """What a correction answers: a sibling, else the oracle's body where it may be used."""
        for each in shortest(tried, 1):
            assert each.judged.body is not None
            return each.judged.body, {"reply": "attempt", "reply_sample": each.sample}
        if not oracle_may(tried.sample.level, self._settings):
            return None
        return tried.sample.body, {"reply": "oracle"}

    def _keep(
        self, found: dict[str, Any], sample: Sample, kind: str, key: str, origin: dict[str, Any]
    ) -> None:
        """Keep a row that fits and that the checker accepts."""
        if tokens_at_most(found["messages"]) > self._max_length:
            self.dropped["too long"] += 1
            return
        print_ = fingerprint(read_problem(found["problem"]))
        if tasks.split_of(print_) != "train":
            self.dropped["held out"] += 1
            return
        if not prove_row(found, self._book).valid:
            self.dropped["not accepted by the checker"] += 1
            return
        lineage = {**self._lineage, "fingerprint": print_}
        if "job" in origin:
            lineage |= self._model
        self.rows.append({**found, "kind": kind, "lineage": {**lineage, **origin}})
        self._taken.add(key)
        self.made.append(
            Made(key, kind, sample.family, sample.level, sample.index, print_,
                 show_body(sample.body))
        )  # fmt: skip


def oracle_may(level: int, settings: Settings) -> bool:
    """Whether oracles may answer problems of a level."""
    return settings.oracle_level_max == 0 or level <= settings.oracle_level_max


def cut(sample: Sample, wrong: Attempt, regime: int, book: Codebook) -> str:
    """A wrong attempt through its first bad step, in a regime. Raises `LanguageError`."""
    body, steps = wrong.judged.body, wrong.judged.index
    assert body is not None and 1 <= steps <= len(body)
    if regime == CODES:
        return tokens_text(packer(book).pack(sample.problem, body[:steps]))
    if regime == TERMS:
        return "\n".join(show_step(each) for each in body[:steps])
    assert regime == ENGLISH
    return "\n".join(plain.show(sample.problem, body).split("\n")[:steps])


def tokens_at_most(messages: Iterable[dict[str, Any]]) -> int:
    """More tokens than any tokenizer with the codes makes of a conversation, by its bytes."""
    found = 0
    for each in messages:
        text = each["content"] + (each.get("reasoning_content") or "")
        rest = _CODE.sub("", text)
        codes = (len(text) - len(rest)) // len("<E000>")
        found += codes + len(rest.encode()) // BYTES_PER_TOKEN + MESSAGE_TOKENS
    return found


def _is_cut(attempt: Attempt) -> bool:
    """Whether a wrong attempt can be shown up to a step of its own."""
    body = attempt.judged.body
    return not attempt.valid and body is not None and 1 <= attempt.judged.index <= len(body)


def _origin(attempt: Attempt) -> dict[str, Any]:
    return {"job": attempt.job, "attempt_seed": attempt.seed, "sample": attempt.sample}
