"""The schedule: which regime a row is written in."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from regime3.errors import InputRefused
from regime3.tasks.schedule import (
    DEFAULT,
    FORM_FLOOR,
    FORMS,
    TRANSLATION_SHARE,
    WHOLE,
    Form,
    choose,
    shares,
)

SCHEDULES = ("english", "mixed", "transitional", "pure")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("steps_total", [0, 1, 7, 1000, 12345])
def test_shares_add_up_at_every_step(schedule: str, steps_total: int) -> None:
    for step in {0, 1, 2, steps_total // 3, steps_total, 10 * steps_total}:
        found = shares(schedule, step, steps_total)
        assert tuple(found) == FORMS
        assert sum(found.values()) == WHOLE
        assert min(found.values()) >= 0


def test_the_default_goes_from_mostly_english_to_mostly_codes() -> None:
    assert DEFAULT == "transitional"
    first, last = shares(DEFAULT, 0, 1000), shares(DEFAULT, 1000, 1000)
    assert first["english"] >= WHOLE // 2 > last["english"]
    assert last["codes"] >= WHOLE // 2 > first["codes"]


def test_the_transition_never_turns_back_and_keeps_its_floors() -> None:
    track = [shares("transitional", step, 777) for step in range(900)]
    for before, after in pairwise(track):
        assert after["english"] <= before["english"]
        assert after["codes"] >= before["codes"]
    for each in track:
        assert min(each[form] for form in FORMS[:3]) >= FORM_FLOOR
        assert each["translation"] >= TRANSLATION_SHARE - 1


def test_pure_and_english_are_one_regime_alone() -> None:
    for index in range(100):
        assert choose("pure", index, 100, f"row {index}") == Form(3)
        assert choose("english", index, 100, f"row {index}") == Form(1)


def test_choices_repeat_and_follow_their_shares() -> None:
    def form_of(form: Form) -> str:
        return "translation" if form.source else FORMS[form.target - 1]

    drawn = [choose("transitional", 400, 1000, f"row {index}") for index in range(4000)]
    assert drawn[:50] == [choose("transitional", 400, 1000, f"row {index}") for index in range(50)]
    found = Counter(map(form_of, drawn))
    for form, share in shares("transitional", 400, 1000).items():
        assert abs(found[form] / 4000 - share / WHOLE) < 0.03


def test_translations_are_between_two_regimes_and_of_every_pair() -> None:
    drawn = {choose("mixed", 0, 1, f"row {index}") for index in range(2000)}
    pairs = {(form.source, form.target) for form in drawn if form.source}
    assert pairs == {(a, b) for a in (1, 2, 3) for b in (1, 2, 3) if a != b}


def test_an_unknown_schedule_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputRefused, match="english, mixed, pure, transitional"):
        shares("purely", 0, 1)
