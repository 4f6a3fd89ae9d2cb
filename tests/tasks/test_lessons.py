"""Lessons: the same arguments give the same rows, levels rise, problems never repeat."""

from __future__ import annotations

from collections import Counter

from regime3.lang import codebook
from regime3.tasks.lessons import lesson, level_weights
from regime3.tasks.verdict import judge_row

BOOK = codebook.shipped()


def test_a_lesson_is_keyed_and_its_rows_are_right() -> None:
    rows = list(lesson(2, 8, 40, BOOK))
    assert rows == list(lesson(2, 8, 40, BOOK))
    assert rows != list(lesson(3, 8, 40, BOOK))
    assert all(judge_row(row, BOOK).valid for row in rows)


def test_problems_are_drawn_once_in_a_run() -> None:
    drawn = [
        (row["family"], row["level"], row["index"])
        for number in range(4)
        for row in lesson(number, 4, 60, BOOK)
    ]
    assert len(set(drawn)) == len(drawn)


def test_levels_and_codes_rise_over_the_files() -> None:
    early, late = list(lesson(0, 10, 150, BOOK)), list(lesson(9, 10, 150, BOOK))
    assert sum(row["level"] for row in late) > sum(row["level"] for row in early)
    regimes = Counter(row["regime"] for row in early), Counter(row["regime"] for row in late)
    assert regimes[0][1] > regimes[1][1] and regimes[1][3] > regimes[0][3]
    assert level_weights(0.0, 4) == sorted(level_weights(0.0, 4), reverse=True)


def test_every_family_has_its_share() -> None:
    found = Counter(row["family"] for row in lesson(1, 4, 60, BOOK, levels_max=2))
    assert set(found.values()) == {10}
    assert all(row["level"] <= 2 for row in lesson(1, 4, 30, BOOK, levels_max=2))
