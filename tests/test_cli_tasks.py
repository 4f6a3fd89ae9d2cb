"""`r3 tasks list|sample` and `r3 codebook learn|show|diff`: repeatable, wrong usage told."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

from regime3 import tasks
from regime3.cli import codebook as codebook_verbs
from regime3.errors import InputRefused
from regime3.lang import codebook
from regime3.tasks import corpus
from tests.test_cli_language import TRACE, good, lines_of, other_book, r3


def test_tasks_list_shows_every_family() -> None:
    found = json.loads(good("tasks", "list", "--json"))
    assert [each["family"] for each in found] == list(tasks.FAMILIES)
    assert all(each["title"][0].islower() and each["easy"] and each["hard"] for each in found)
    assert all(name in good("tasks", "list") for name in tasks.FAMILIES)


def test_tasks_sample_is_the_same_each_time_and_is_accepted() -> None:
    words = (
        "tasks",
        "sample",
        "all",
        "--level",
        "1-2",
        "--count",
        "2",
        "--regime",
        "all",
        "--rows",
    )
    first = good(*words)
    assert good(*words) == first and good(*words[:-1], "--json") == first
    assert len(lines_of(first)) == len(tasks.FAMILIES) * 2 * 2 * 3
    assert "rejected" not in good("check", given=first)


def test_tasks_sample_for_people_pipes_into_encode() -> None:
    for regime in "123":
        text = good("tasks", "sample", "numbers", "--level", "4", "--regime", regime)
        prompt, _, rest = text.partition("\n")
        assert prompt and good("check", given=rest).startswith("accepted")
    text = good("tasks", "sample", "numbers", "--level", "4", "--regime", "all")
    assert [line for line in text.splitlines() if line.startswith("-- ")] == [
        f"-- regime {number}" for number in (1, 2, 3)
    ]


def test_tasks_sample_starts_where_it_is_told() -> None:
    one = ("tasks", "sample", "lists", "--rows")
    both = good(*one, "--count", "2").splitlines()
    assert good(*one, "--start", "1").splitlines() == both[1:]
    assert good(*one, "--split", "heldout").splitlines() != both[:1]


@pytest.mark.parametrize(
    "words",
    [
        ["geometry"],
        [""],
        ["ALL"],
        *(["lists", "--level", level] for level in ("0", "11", "3-1", "1-11", "-1", "x", "", "1-")),
        ["lists", "--count", "0"],
        ["lists", "--start", "-1"],
        ["lists", "--split", "test"],
        ["lists", "--regime", "4"],
    ],
    ids=str,
)
def test_tasks_sample_tells_wrong_usage(words: list[str]) -> None:
    result = r3("tasks", "sample", *words)
    assert result.exit_code == 2 and not result.stdout and result.stderr


# ------------------------------------------------------------------------------------ codebook


def test_codebook_show_has_every_code_once() -> None:
    (found,) = lines_of(good("codebook", "show", "--json"))
    book = codebook.shipped()
    assert found["sha256"] == book.name
    codes = [each["code"] for each in found["codes"]]
    assert len(codes) == len(set(codes)) == len(book.assigned) == 296 + len(book.macros) + 60 + 100
    (macros,) = lines_of(good("codebook", "show", "--macros", "--json"))
    assert macros["codes"] == found["codes"][296 : 296 + len(book.macros)]
    assert book.name[:12] in good("codebook", "show")


def test_codebook_learn_is_the_same_bit_for_bit_and_diff_tells_changes(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    little = "--per-level", "6", "--strategy", "0"
    (made,) = lines_of(good("codebook", "learn", str(first), *little, "--json"))
    good("codebook", "learn", str(second), *little)
    assert first.read_bytes() == second.read_bytes()
    assert codebook.load(first, made["sha256"]).macros
    assert good("codebook", "diff", str(first), str(second)) == ""
    result = r3("codebook", "diff", str(other_book(tmp_path)), str(first), "--json")
    (found,) = lines_of(result.stdout)
    assert result.exit_code == 1 and not found["same"]
    assert any(line.startswith("<E296>: nothing -> ") for line in found["lines"])
    assert good("decode", "--codebook", str(first), given=good(
        "encode", "--codebook", str(first), given=TRACE)) == TRACE  # fmt: skip


def test_codebook_learn_learns_by_default_from_as_much_as_the_shipped_one() -> None:
    default = inspect.signature(codebook_verbs.learn).parameters["per_level"].default
    assert default == corpus.PER_LEVEL


def test_codebook_learn_tells_what_it_cannot_do(tmp_path: Path) -> None:
    assert r3("codebook", "learn", str(tmp_path / "x"), "--per-level", "0").exit_code == 2
    assert r3("codebook", "learn", str(tmp_path / "x"), "--strategy", "3").exit_code == 2
    assert isinstance(r3("codebook", "show", str(tmp_path / "x")).exception, InputRefused)
