"""Some of the last shard's attempts for people to look at, each step with the checker's word.

    write(lab, tried, shard, model, at)   # loop/attempts.json, replaced whole
    read(lab)                             # {"shard": 7, ..., "attempts": [...]}, or None

A few of each family, as many right ones as wrong ones while there are both: it shows what the model
does, not how often. Nothing is learned from this file and nothing is lost with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, zip_longest
from typing import Any

import msgspec

from regime3 import disk
from regime3.forge.attempts import Attempt, Tried
from regime3.lang.english import plain
from regime3.lang.problem import show_body
from regime3.paths import Lab

PER_FAMILY = 4


class Step(msgspec.Struct, frozen=True):
    """One step as it was written."""

    text: str
    english: str
    word: str
    """ok, bad, or unread: nothing is said of what follows a bad step."""


class Shown(msgspec.Struct, frozen=True):
    """One attempt."""

    family: str
    level: int
    prompt: str
    valid: bool
    right: bool
    reason: str
    tokens: int
    steps: list[Step]
    """Empty if it could not be read; the reason says why."""


class Sheet(msgspec.Struct, frozen=True):
    """What the file holds."""

    shard: int
    at: float
    model: str
    attempts: list[Shown]


def write(lab: Lab, tried: Sequence[Tried], shard: int, model: str, at: float) -> None:
    """Replace the file, if there is anything to show. Raises `OSError`."""
    chosen = [_shown(each, attempt) for each, attempt in _chosen(tried)]
    if chosen:
        disk.make_folder(lab.loop)
        data = msgspec.json.encode(Sheet(shard, at, model, chosen))
        disk.write_bytes(lab.forge_attempts_file, data, durable=False)


def read(lab: Lab) -> dict[str, Any] | None:
    """What is to be shown; None if there is nothing yet, or the file is none of ours."""
    try:
        sheet = msgspec.json.decode(lab.forge_attempts_file.read_bytes(), type=Sheet)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    found: dict[str, Any] = msgspec.to_builtins(sheet)
    return found


def _chosen(tried: Sequence[Tried]) -> Iterable[tuple[Tried, Attempt]]:
    """Of each family, right and wrong attempts in turn; of each problem one of a kind."""
    for family in dict.fromkeys(each.sample.family for each in tried):
        own = [each for each in tried if each.sample.family == family]
        sides = [
            [(each, found[0]) for each in own if (found := _of(each, valid))]
            for valid in (True, False)
        ]
        turns = (pair for pairs in zip_longest(*sides) for pair in pairs if pair is not None)
        yield from islice(turns, PER_FAMILY)


def _of(tried: Tried, valid: bool) -> list[Attempt]:
    return [each for each in tried.attempts if each.valid == valid]


def _shown(tried: Tried, attempt: Attempt) -> Shown:
    judged, sample = attempt.judged, tried.sample
    steps: list[Step] = []
    if judged.body is not None:
        texts = show_body(judged.body).splitlines()
        english = plain.show(sample.problem, judged.body).splitlines()
        for number, (text, words) in enumerate(zip(texts, english, strict=True), 1):
            steps.append(Step(text, words, _word(number, judged.index)))
    return Shown(
        sample.family, sample.level, sample.prompt, judged.valid, judged.right, judged.reason,
        attempt.tokens, steps,
    )  # fmt: skip


def _word(number: int, bad: int) -> str:
    if bad == 0 or number < bad:
        return "ok"
    return "bad" if number == bad else "unread"
