"""The same five tests for every family that is discovered, and what holds of all of them."""

from __future__ import annotations

import os
import re
from functools import cache

import pytest

from regime3 import tasks
from regime3.errors import InputRefused
from regime3.lang.check import check
from regime3.lang.fingerprint import fingerprint
from regime3.lang.problem import body_of, problem_of
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw, key_of
from regime3.tasks.family import LEVELS, Posed, Sample, Split

COUNT = int(os.environ.get("R3_TASKS_COUNT", "4"))
"""Problems of each family and level; a longer sweep sets the variable."""
STEPS_MAX = 60
WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]

families = pytest.mark.parametrize("family", tasks.FAMILIES)
levels = pytest.mark.parametrize("level", range(1, LEVELS + 1))


@cache
def sample(family: str, level: int, split: Split, index: int) -> Sample:
    return tasks.sample(family, level, split, index)


def posed(family: str, level: int, index: int) -> Posed:
    """A problem as it is posed, of whatever split."""
    return tasks.FAMILIES[family].draw(level, Draw(key_of(family, "train", level, index, 0)))


def integers(term: Term) -> set[int]:
    if isinstance(term, tuple):
        return set().union(*map(integers, term[1:]))
    return {term} if isinstance(term, int) else set()


# 1 ------------------------------------------------------------------------------------------------


@families
@levels
def test_the_oracle_is_accepted(family: str, level: int) -> None:
    for index in range(COUNT):
        made = sample(family, level, "train", index)
        assert made.problem.kind in tasks.FAMILIES[family].kinds
        assert body_of(made.problem, list(made.body)) == made.body, "typed and canonical"
        verdict = check(made.problem, made.body)
        assert verdict.accepted, (made.problem.term, made.body, verdict)
        assert len(made.body) <= STEPS_MAX


# 2 ------------------------------------------------------------------------------------------------


@families
@levels
def test_keyed_draws_repeat_and_neighbours_differ(family: str, level: int) -> None:
    again = tasks.sample(family, level, "train", 3)
    assert again == sample(family, level, "train", 3)
    drawn = [posed(family, level, index) for index in range(16)]
    assert drawn == [posed(family, level, index) for index in range(16)]
    assert len({problem_of(each.term).term for each in drawn}) >= 14


# 3 ------------------------------------------------------------------------------------------------


@families
@pytest.mark.parametrize("level", [1, 5, 10])
def test_splits_are_disjoint_by_fingerprint(family: str, level: int) -> None:
    found: dict[str, set[str]] = {}
    counts: tuple[tuple[Split, int], ...] = (("train", COUNT), ("heldout", 1), ("sealed", 1))
    for split, count in counts:
        for index in range(count):
            made = sample(family, level, split, index)
            assert made.fingerprint == fingerprint(made.problem)
            assert tasks.split_of(made.fingerprint) == made.split == split
            found.setdefault(split, set()).add(made.fingerprint)
    assert not found["train"] & found["heldout"]
    assert not (found["train"] | found["heldout"]) & found["sealed"]


# 4 ------------------------------------------------------------------------------------------------


@families
@levels
def test_constants_are_numbered_as_the_prompt_names_them(family: str, level: int) -> None:
    for index in range(COUNT):
        made = posed(family, level, index)
        assert len(made.names) == len(set(made.names)) == problem_of(made.term).constants
        places = []
        for name in made.names:
            found = re.search(rf"\b{re.escape(name)}\b", made.prompt, re.IGNORECASE)
            assert found, (name, made.prompt)
            places.append(found.start())
        assert places == sorted(places), made


# 5 ------------------------------------------------------------------------------------------------


@families
@levels
def test_the_prompt_states_the_problem(family: str, level: int) -> None:
    meant: dict[str, Term] = {}
    for index in range(6 * COUNT):
        made = posed(family, level, index)
        term = problem_of(made.term).term
        assert meant.setdefault(made.prompt, term) == term, "one prompt, two problems"
        said = {int(each) for each in re.findall(r"\d+", made.prompt)}
        said |= {number for number, word in enumerate(WORDS) if word in made.prompt.lower()}
        # 0 to 2 may hide in words: "even", "doubled", "negative", -x.
        unsaid = {abs(each) for each in integers(term)} - said - {0, 1, 2}
        assert not unsaid, (unsaid, made)
        assert made.prompt == made.prompt.strip() and made.prompt[-1] in ".?", made.prompt
        assert "  " not in made.prompt and "{" not in made.prompt, made.prompt


# What holds of all --------------------------------------------------------------------------------


def test_families_are_found_by_their_files() -> None:
    assert {"arithmetic", "equations", "numbers"} <= set(tasks.FAMILIES)
    for name, family in tasks.FAMILIES.items():
        assert family.name == name
        assert family.levels == LEVELS
        assert family.title and family.kinds


@families
def test_levels_grow_in_steps_and_begin_small(family: str) -> None:
    def mean(level: int) -> float:
        bodies = [sample(family, level, "train", index).body for index in range(COUNT)]
        return sum(map(len, bodies)) / COUNT

    assert mean(1) <= 6
    assert mean(10) > 1.5 * mean(1)


@pytest.mark.parametrize("first, split", [(0x00, "heldout"), (0x0D, "heldout"), (0x0E, "sealed")])
def test_the_first_byte_of_the_fingerprint_decides_the_split(first: int, split: str) -> None:
    assert tasks.split_of(f"{first:02x}" + "f" * 62) == split


def test_most_fingerprints_are_for_training() -> None:
    splits = [tasks.split_of(f"{first:02x}" + "0" * 62) for first in range(256)]
    assert (splits.count("train"), splits.count("heldout"), splits.count("sealed")) == (240, 14, 2)


@pytest.mark.parametrize(
    "arguments, reason",
    [
        (("algebra", 1, "train", 0), "no family is called 'algebra'; there are arithmetic"),
        (("numbers", 11, "train", 0), "numbers has levels 1 to 10, not 11"),
        (("numbers", 1, "test", 0), "no split is called 'test'"),
        (("numbers", 1, "train", -1), "numbered from 0"),
    ],
)
def test_what_there_is_not_is_refused(arguments: tuple[str, int, Split, int], reason: str) -> None:
    with pytest.raises(InputRefused, match=reason):
        tasks.sample(*arguments)
