"""What people are shown of a shard's attempts."""

from __future__ import annotations

from regime3.forge import shown
from regime3.paths import Lab
from tests.web.labs import attempts_at


def test_right_and_wrong_ones_of_each_family_with_the_checkers_word_on_every_step(
    lab: Lab,
) -> None:
    tried = [each for family in ("lists", "numbers") for each in attempts_at(family, 2)]
    shown.write(lab, tried, 3, "nano-7", 100.0)
    sheet = shown.read(lab)
    assert sheet is not None and (sheet["shard"], sheet["model"]) == (3, "nano-7")
    found = [(each["family"], each["valid"]) for each in sheet["attempts"]]
    assert found == [("lists", True), ("lists", False), ("numbers", True), ("numbers", False)]
    for each in sheet["attempts"]:
        words = [step["word"] for step in each["steps"]]
        if each["valid"]:
            assert set(words) == {"ok"} and each["reason"] == ""
        else:
            ended = words.index("bad") if "bad" in words else len(words)
            assert set(words[:ended]) <= {"ok"} and set(words[ended + 1 :]) <= {"unread"}
            assert each["reason"].startswith("expected ")
    assert "bad" in [step["word"] for each in sheet["attempts"] for step in each["steps"]]


def test_no_more_of_a_family_than_fit(lab: Lab) -> None:
    shown.write(lab, attempts_at("lists", 1) * 9, 3, "nano-7", 100.0)
    sheet = shown.read(lab)
    assert sheet is not None and len(sheet["attempts"]) == shown.PER_FAMILY


def test_nothing_tried_leaves_what_was_shown_and_rubbish_is_nothing(lab: Lab) -> None:
    assert shown.read(lab) is None
    shown.write(lab, attempts_at("lists", 1), 3, "nano-7", 100.0)
    shown.write(lab, [], 4, "nano-8", 200.0)
    sheet = shown.read(lab)
    assert sheet is not None and sheet["shard"] == 3
    lab.forge_attempts_file.write_text('{"shard": 3', encoding="utf-8")
    assert shown.read(lab) is None
