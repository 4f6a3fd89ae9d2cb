"""Rows: every one is right, none twice, and a wrong step stands in prompts alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3 import tasks
from regime3.config import Forge as Settings
from regime3.errors import InputRefused
from regime3.forge.attempts import Tried, read_attempts
from regime3.forge.rows import Made, Writer, cut, shortest, tokens_at_most
from regime3.forge.state import Asked
from regime3.lang.problem import show_body
from regime3.spool.proof import Proof
from regime3.tasks.family import Sample
from regime3.tasks.rows import spelled, translation
from regime3.tasks.verdict import judge_row, prove_row
from tests.forge.double import BOOK, SHA, Line, line, wrong

FAMILIES = list(tasks.FAMILIES)


def tried_of(
    family: str, rights: list[bool], index: int = 0, level: int = 2, regime: int = 3
) -> Tried:
    sample = tasks.sample(family, level, "train", index)
    lines = [line(sample, "job-1", n, right=right, regime=regime) for n, right in enumerate(rights)]
    (found,) = read_attempts(Asked(family, level, index, 1, "job-1"), lines, BOOK, SHA)
    return found


def writer(**changes: Any) -> Writer:
    more: dict[str, Any] = {"schedule": "mixed", **changes}
    taken, length = more.pop("taken", set()), more.pop("max_length", 4096)
    return Writer(
        BOOK, Settings(**more), shard=1, rows_made=0, max_length=length, taken=taken,
        lineage={"model": "nano", "model_sha256": SHA},
    )  # fmt: skip


def supervised(row: dict[str, Any]) -> str:
    reply = row["messages"][-1]
    return str(reply.get("reasoning_content", "")) + str(reply["content"])


@pytest.mark.parametrize("family", FAMILIES)
def test_attempts_of_every_family_become_rows_that_admission_proves(family: str) -> None:
    own = writer()
    tried = [tried_of(family, [True, False, True, False], index) for index in range(6)]
    assert own.attempts(tried, 100) == 6
    own.corrections(tried, 100)
    own.oracles([(family, 1, index) for index in range(5)], 100)
    own.replay([each for each in own.made if each.kind == "attempt"], 100)
    assert {each.kind for each in own.made} == {"attempt", "correction", "oracle", "replay"}
    proof = Proof(lambda: BOOK, forged=True)
    assert [proof.fault(json.dumps(row).encode()) for row in own.rows] == [None] * len(own.rows)
    assert len({each.key for each in own.made}) == len(own.made)
    assert len({json.dumps(row["messages"]) for row in own.rows}) == len(own.rows)


@settings(max_examples=40, deadline=None)
@given(
    family=st.sampled_from(FAMILIES),
    level=st.integers(1, 4),
    index=st.integers(0, 500),
    rights=st.lists(st.booleans(), min_size=1, max_size=6),
    plan=st.sampled_from(["english", "mixed", "transitional", "pure"]),
)
def test_whatever_is_attempted_only_right_bodies_are_supervised(
    family: str, level: int, index: int, rights: list[bool], plan: str
) -> None:
    own = writer(schedule=plan)
    tried = [tried_of(family, rights, index, level)]
    own.attempts(tried, 20)
    own.corrections(tried, 20)
    for row in own.rows:
        assert prove_row(row, BOOK).valid
        assert row["messages"][-1]["role"] == "assistant"
        assert [each["role"] for each in row["messages"]].count("assistant") == 1
        assert row["split"] == "train"
    assert (tried[0].passed > 0) == ("attempt" in own.counts())


def test_lineage_says_where_a_row_comes_from() -> None:
    own = writer()
    own.attempts([tried_of("lists", [False, True])], 1)
    (row,) = own.rows
    assert row["kind"] == "attempt"
    lineage = row["lineage"]
    assert lineage["fingerprint"] == tasks.sample("lists", 2, "train", 0).fingerprint
    assert (lineage["model"], lineage["model_sha256"]) == ("nano", SHA)
    assert (lineage["job"], lineage["attempt_seed"], lineage["sample"]) == ("job-1", 5, 1)
    assert (lineage["codebook"], lineage["shard"]) == (BOOK.name, 1)


@pytest.mark.parametrize("regime", [1, 2, 3])
def test_a_correction_shows_the_wrong_step_and_answers_with_a_right_body(regime: int) -> None:
    tried = tried_of("lists", [False, True])
    failed = tried.attempts[0]
    shown = cut(tried.sample, failed, regime, BOOK)
    own = writer(schedule={1: "english", 2: "mixed", 3: "pure"}[regime])
    own.corrections([tried], 10)
    (row,) = own.rows
    if row["regime"] == regime:
        assert shown in row["messages"][1]["content"]
    assert failed.judged.reason in row["messages"][1]["content"]
    assert judge_row(row, BOOK).body == tried.sample.body
    assert row["lineage"]["reply"] == "attempt"


def test_a_correction_ends_at_the_first_bad_step() -> None:
    sample = tasks.sample("lists", 3, "train", 1)
    bad = (("l-sort", ("list", 1, 1, 1)), *sample.body[1:])
    text = line(sample, "job-1", 0, right=True, regime=2)
    text["attempt"]["thought"], text["attempt"]["answer"] = spelled(sample.problem, bad, 2, BOOK)
    asked = Asked("lists", 3, 1, 1, "job-1")
    (tried,) = read_attempts(asked, [text], BOOK, SHA)
    assert tried.attempts[0].judged.index == 1
    assert cut(sample, tried.attempts[0], 2, BOOK) == "(l-sort (list 1 1 1))"


def test_without_a_right_sibling_only_the_oracle_can_answer_where_it_may() -> None:
    tried = [tried_of("lists", [False, False])]
    assert writer().corrections(tried, 5) is None
    allowed, barred = writer(oracle_level_max=2), writer(oracle_level_max=1)
    allowed.corrections(tried, 5)
    barred.corrections(tried, 5)
    assert [row["lineage"]["reply"] for row in allowed.rows] == ["oracle"]
    assert barred.rows == []


def test_the_shortest_are_kept_and_one_of_what_all_solve() -> None:
    assert len(shortest(tried_of("lists", [True, False, True]), 4)) == 1  # one body, twice
    assert len(shortest(tried_of("lists", [False, False]), 4)) == 0
    short = tried_of("entailment", [True, False])
    longer = tried_of("entailment", [True, True])
    assert len(shortest(short, 4)) == len(shortest(longer, 4)) == 1


def test_no_row_is_written_twice() -> None:
    tried = [tried_of("numbers", [True, False], index) for index in range(20)]
    first = writer(schedule="pure")
    first.attempts(tried, 100)
    assert first.counts() == {"attempt": 20}
    second = writer(schedule="pure", taken={each.key for each in first.made})
    second.attempts(tried, 100)
    assert second.rows == []
    assert second.dropped["written before"] > 0


def test_a_body_that_was_written_in_one_form_comes_again_in_another() -> None:
    tried = [tried_of("numbers", [True, False], index) for index in range(20)]
    own = writer(schedule="mixed")
    own.attempts(tried, 1000)
    assert len(own.rows) > 40
    assert len({row["regime"] for row in own.rows}) == 3


def test_a_held_out_problem_is_dropped_whoever_offers_it() -> None:
    held = tasks.sample("lists", 2, "heldout", 0)
    posing = Sample(
        held.family, held.level, "train", held.index, held.problem, held.body, held.prompt,
        held.fingerprint,
    )  # fmt: skip
    own = writer()
    own.attempts([Tried(posing, tried_of("lists", [True, False]).attempts)], 5)
    assert own.rows == [] and own.dropped["held out"] > 0


def test_a_body_of_another_problem_is_dropped() -> None:
    one, two = tried_of("lists", [True, False], 0), tried_of("lists", [True, False], 7)
    own = writer()
    own.attempts([Tried(one.sample, two.attempts)], 5)
    assert own.rows == [] and own.dropped["not accepted by the checker"] > 0


def test_a_wrong_body_that_is_faithfully_translated_is_still_wrong() -> None:
    sample = tasks.sample("lists", 2, "train", 0)
    bad = Sample(
        sample.family, sample.level, sample.split, sample.index, sample.problem,
        wrong(sample.body), sample.prompt, sample.fingerprint,
    )  # fmt: skip
    found = translation(bad, 1, 3, BOOK)
    assert judge_row(found, BOOK).valid and not prove_row(found, BOOK).valid
    assert prove_row(translation(sample, 1, 3, BOOK), BOOK).valid


def test_what_does_not_fit_the_context_is_dropped() -> None:
    own = writer(max_length=40)
    own.oracles([("lists", 9, index) for index in range(5)], 5)
    assert own.rows == [] and own.dropped["too long"] == 5
    assert tokens_at_most([{"content": "<E000><E001>"}]) < tokens_at_most([{"content": "a" * 20}])


def test_replay_needs_no_model_and_names_what_it_repeats() -> None:
    sample = tasks.sample("numbers", 1, "train", 4)
    old = Made("k", "oracle", "numbers", 1, 4, sample.fingerprint, show_body(sample.body))
    own = writer()
    own.replay([old], 5)
    (row,) = own.rows
    assert row["kind"] == "replay" and row["lineage"]["replays"] == "oracle"
    assert "model" not in row["lineage"]


# ------------------------------------------------------------ what a node may not do


def good() -> tuple[Asked, Line]:
    sample = tasks.sample("lists", 2, "train", 3)
    return Asked("lists", 2, 3, 1, "job-1"), line(sample, "job-1", 0, right=True)


def test_a_verdict_is_recomputed_whatever_the_node_says() -> None:
    asked, _ = good()
    sample = tasks.sample("lists", 2, "train", 3)
    bent = line(sample, "job-1", 0, right=False)
    bent["attempt"]["valid"] = True
    (tried,) = read_attempts(asked, [bent], BOOK, SHA)
    (attempt,) = tried.attempts
    assert attempt.claimed and not attempt.valid and tried.passed == 0


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("lineage", "job"), "job-2", "of job job-2"),
        (("lineage", "model_sha256"), "cd" * 32, "written by model cdcd"),
        (("lineage", "codebook"), "0" * 64, "this lab's is"),
        (("index",), 99, "was not asked"),
        (("level",), 5, "was not asked"),
        (("split",), "heldout", "was not asked"),
        (("problem",), "(gcd 4 2)", "is another one"),
        (("attempt",), None, "no attempt as a node writes them"),
        (("attempt", "tokens"), "many", "no attempt as a node writes them"),
    ],
)
def test_what_was_not_asked_is_refused_with_its_line(
    path: tuple[str, ...], value: object, reason: str
) -> None:
    asked, bent = good()
    place: Any = bent
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    with pytest.raises(InputRefused, match=reason) as caught:
        read_attempts(asked, [bent], BOOK, SHA)
    assert caught.value.line == 1 and caught.value.file == "job-1"
