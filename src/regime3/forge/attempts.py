"""What a node sent back, judged here: nothing that it says of an attempt is believed.

    tried = read_attempts(asked, lines, book, model_sha256)   # [Tried, ...]

Problems are drawn again by key, so that prompt, problem and split are ours; the checker judges
every attempt from its text. What was asked of another model, in other codes, or about other
problems is refused whole, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from regime3 import tasks
from regime3.errors import InputRefused
from regime3.forge.state import Asked
from regime3.lang.codebook import Codebook
from regime3.lang.problem import show_body
from regime3.lang.terms import show
from regime3.tasks.family import Sample
from regime3.tasks.verdict import Judged, judge_row


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt and what our checker says of it."""

    judged: Judged
    canonical: str
    """The body's print; '' if it cannot be read."""
    tokens: int
    job: str
    seed: int
    sample: int
    """Its number among the samples of one request."""
    claimed: bool
    """What the node said of it."""

    @property
    def valid(self) -> bool:
        """Every step is accepted."""
        return self.judged.valid


@dataclass(frozen=True, slots=True)
class Tried:
    """A problem with all attempts at it."""

    sample: Sample
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """Attempts that are right, step by step."""
        return sum(each.valid for each in self.attempts)


def read_attempts(
    asked: Asked, lines: list[dict[str, Any]], book: Codebook, model_sha256: str
) -> list[Tried]:
    """The attempts by problem, in order. Raises `InputRefused` if they are not what was asked."""
    found: dict[int, Tried] = {}
    for number, line in enumerate(lines, 1):
        try:
            index = _demanded(asked, line, book, model_sha256)
            if index not in found:
                found[index] = Tried(tasks.sample(asked.family, asked.level, "train", index))
            tried = found[index]
            if line["problem"] != show(tried.sample.problem.term):
                raise InputRefused(f"problem {index} is another one")
            tried.attempts.append(_attempt(tried.sample, line, book))
        except (KeyError, TypeError, ValueError) as error:
            raise InputRefused(
                f"no attempt as a node writes them: {error!r}", file=asked.job or "", line=number
            ) from None
        except InputRefused as refused:
            raise InputRefused(refused.reason, file=asked.job or "", line=number) from None
    return [found[index] for index in sorted(found)]


def _demanded(asked: Asked, line: dict[str, Any], book: Codebook, model_sha256: str) -> int:
    """The problem's index, if the line is of the job that was ordered."""
    lineage, index = line["lineage"], line["index"]
    if lineage["job"] != asked.job:
        raise InputRefused(f"of job {lineage['job']}")
    if lineage["model_sha256"] != model_sha256:
        sent = str(lineage["model_sha256"])[:12]
        raise InputRefused(f"written by model {sent}, not by {model_sha256[:12]} that was asked")
    if lineage["codebook"] != book.name:
        sent = str(lineage["codebook"])[:12]
        raise InputRefused(f"in codebook {sent}; this lab's is {book.name[:12]}")
    inside = asked.start <= index < asked.start + asked.problems
    place = (line["family"], line["level"], line["split"])
    if place != (asked.family, asked.level, "train") or not inside:
        raise InputRefused(f"problem {index} of {place} was not asked")
    return int(index)


def _attempt(sample: Sample, line: dict[str, Any], book: Codebook) -> Attempt:
    told = line["attempt"]
    row = {
        "problem": show(sample.problem.term),
        "regime": line["regime"],
        "messages": [
            {"role": "user", "content": sample.prompt},
            {
                "role": "assistant",
                "reasoning_content": told["thought"],
                "content": told["answer"],
            },
        ],
    }
    judged = judge_row(row, book)
    canonical = "" if judged.body is None else show_body(judged.body)
    return Attempt(
        judged, canonical, int(told["tokens"]), line["lineage"]["job"], int(told["seed"]),
        int(told["sample"]), bool(told["valid"]),
    )  # fmt: skip
