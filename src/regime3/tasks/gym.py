"""The tasks of reasoning-gym as chat rows, marked by its verifiers: `pip install 'regime3[gym]'`.

    drawn = sample("gcd", "train", index=0)
    row(drawn)                       # regime 1: question and answer
    score(drawn, "21")               # 1.0 if its own verifier thinks so
    translated_rows(drawn, book)     # the same problem in regimes 2 and 3, or None

The package draws row i of seed s from `Random(s + i)`, so neighbouring seeds share most of their
questions. Here a keyed draw decides the place of each row among 2^32. The split of a question is
decided by what it asks: by the fingerprint if it is a problem of ours, so that what is held out
there is held out here; otherwise by the sha256 of its text. Two indices may draw one question; no
question is in two splits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from regime3 import tasks
from regime3.errors import InputRefused, LanguageError, Unavailable
from regime3.lang.check import check
from regime3.lang.codebook import Codebook
from regime3.lang.fingerprint import fingerprint
from regime3.lang.problem import Body, Problem
from regime3.tasks import gym_questions, rows
from regime3.tasks.draw import Draw, key_of
from regime3.tasks.family import LEVELS, Sample, Split

PLACES = 1 << 32
"""Rows that a task has; some of the package's generators take no larger seed."""
INSTALL = "pip install 'regime3[gym]'"

NO_ANSWER = ("boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour")
"""Their rows come without an answer."""
EVALUATES = (
    "binary_matrix", "countdown", "intermediate_integration", "n_queens",
    "polynomial_multiplication", "puzzle24", "simple_integration", "spiral_matrix",
    "string_insertion",
)  # fmt: skip
"""Their verifiers run the answer as Python (`eval`, sympy's `parse_expr`): not with a model's."""
UNSTABLE = ("isomorphic_strings", "knight_swap", "ransom_note", "word_ladder")
"""Their rows depend on the hash seed of the process."""
UNUSABLE = frozenset((*NO_ANSWER, *EVALUATES, *UNSTABLE, "composite"))
"""`composite` has no questions of its own. Found by a sweep of version 0.1.25."""
MADE_SINGLY = ("acre", "gsm_symbolic", "list_functions")
"""They make something for every row of a data set at once, so each row is a data set of its own."""
BREAKS = (ValueError, ArithmeticError, LookupError)
"""What usable verifiers raise on an answer they cannot read, by the same sweep: `int("two")` in
prime_factorization, an infinite number in coin_flip, an object for a list in game_of_life."""


@dataclass(frozen=True, slots=True)
class GymSample:
    """A question of the package, with what its verifier needs."""

    task: str
    question: str
    answer: str
    entry: dict[str, Any]
    """As the package made it."""
    split: Split
    index: int
    level: int | None = None


def names() -> list[str]:
    """The tasks that can be drawn and marked, by name. Raises `Unavailable`."""
    return sorted(set(_package().factory.DATASETS) - UNUSABLE)


def sample(task: str, split: Split, index: int, level: int | None = None) -> GymSample:
    """The question at `index` (0-based) of a task and split.

    A level from 1 to 10 sets every knob of the task's curriculum, as far as it goes; None keeps the
    package's defaults. Raises `InputRefused` for what does not exist, `Unavailable` without the
    package.
    """
    _refuse_unknown(task, split, index, level)
    for attempt in range(tasks.ATTEMPTS_MAX):
        draw = Draw(key_of(f"gym:{task}", split, level or 0, index, attempt))
        entry = _entry(task, level, draw.below(PLACES))
        question, answer = entry["question"].strip(), entry["answer"]
        if isinstance(answer, str) and split_of(task, question) == split:
            return GymSample(task, question, answer, entry, split, index, level)
    raise InputRefused(f"{task} has too few questions for the {split} split")


def split_of(task: str, question: str) -> Split:
    """The split that a question falls in, whoever draws it."""
    problem = gym_questions.read(task, question)
    if problem is None:
        return tasks.split_of(hashlib.sha256(question.encode()).hexdigest())
    return tasks.split_of(fingerprint(problem))


def row(drawn: GymSample) -> dict[str, Any]:
    """The chat row that answers the question in regime 1, with the package's own answer."""
    found: dict[str, Any] = {
        "messages": [
            {"role": "user", "content": drawn.question},
            {"role": "assistant", "content": drawn.answer},
        ],
        "task": drawn.task,
        "family": f"gym:{drawn.task}",
        "regime": rows.ENGLISH,
        "split": drawn.split,
        "index": drawn.index,
    }
    return found if drawn.level is None else {**found, "level": drawn.level}


def score(drawn: GymSample, answer: str) -> float:
    """What the task's own verifier gives an answer, 0 to 1; 0 where the verifier breaks on it."""
    judge = _source(drawn.task, drawn.level).score_answer
    try:
        return float(judge(answer, drawn.entry))
    except BREAKS:
        return 0.0


def mapped(drawn: GymSample) -> Problem | None:
    """The problem of ours that the question is, word for word; None for all others."""
    return gym_questions.read(drawn.task, drawn.question)


def translated_rows(drawn: GymSample, book: Codebook) -> list[dict[str, Any]] | None:
    """The question answered in regime 2 and in regime 3 by the oracle of a family of ours.

    None if the question is none of ours, if the checker refuses the body, or if its answer is not
    the one that the package gives. Of syllogisms it calls some valid that are not, such as all A
    are B, some B are C, so some A are C.
    """
    problem = mapped(drawn)
    body = None if problem is None else _solved(problem)
    if problem is None or body is None:
        return None
    if not gym_questions.agrees(drawn.task, drawn.answer, body[-1][1]):
        return None
    family, print_ = f"gym:{drawn.task}", fingerprint(problem)
    posed = Sample(
        family, drawn.level or 0, drawn.split, drawn.index, problem, body, drawn.question, print_
    )
    return [
        {**rows.row(posed, regime, book), "task": drawn.task} for regime in (rows.TERMS, rows.CODES)
    ]


def _solved(problem: Problem) -> Body | None:
    """The body of the family that poses such problems, if the checker accepts it."""
    family = next(each for each in tasks.FAMILIES.values() if problem.kind in each.kinds)
    try:
        body = family.solve(problem)
    except LanguageError:  # longer than the language allows: numbers here may be larger than ours
        return None
    return body if check(problem, body).accepted else None


def _refuse_unknown(task: str, split: str, index: int, level: int | None) -> None:
    if task not in names():
        why = "cannot be used" if task in UNUSABLE else "does not exist"
        raise InputRefused(f"reasoning-gym's task {task!r} {why}; there are {', '.join(names())}")
    if split not in get_args(Split):
        raise InputRefused(f"no split is called {split!r}: there are {', '.join(get_args(Split))}")
    if index < 0:
        raise InputRefused(f"questions are numbered from 0: {index} is none")
    if level is None:
        return
    if not 1 <= level <= LEVELS:
        raise InputRefused(f"{task} has levels 1 to {LEVELS}, not {level}")
    if not _package().factory.has_curriculum(task):
        raise InputRefused(f"{task} has no levels: leave the level out")


def _entry(task: str, level: int | None, place: int) -> dict[str, Any]:
    """The row of a task at one of its places."""
    if task in MADE_SINGLY:
        entry: dict[str, Any] = _data_set(task, level, place, 1)[0]
    else:
        entry = _source(task, level)[place]
    return entry


@cache
def _source(task: str, level: int | None) -> Any:
    """The data set of a task, kept: making one costs more than a thousand rows."""
    return _data_set(task, level, 0, 1 if task in MADE_SINGLY else PLACES)


def _data_set(task: str, level: int | None, seed: int, size: int) -> Any:
    factory = _package().factory
    if level is None:
        return factory.create_dataset(task, seed=seed, size=size)
    curriculum = factory.create_curriculum(task)
    curriculum.set_global_level(level - 1)
    config = curriculum.generate_configuration({"seed": seed, "size": size})
    try:
        return factory.DATASETS[task][0](config=config)
    except AssertionError as error:  # some curricula go further than their task
        raise InputRefused(f"{task} has no level {level}: {error}") from None


@cache
def _package() -> Any:
    """reasoning-gym, or `Unavailable`."""
    try:
        import reasoning_gym
    except ImportError as error:
        raise Unavailable(f"reasoning-gym cannot be imported: {error}", INSTALL) from None
    return reasoning_gym
