"""The writing of thoughts: every spelling is read, one is written, none is doubled."""

from __future__ import annotations

import time

import pytest

from regime3.config import Examples
from regime3.errors import InputRefused
from regime3.model.profile import Profile, Turn
from regime3.records.rows import Message

EMOJI = Profile(Examples())
TAGS = Profile(Examples(profile="think-tags"))


def said(content: str, thought: str | None = None) -> Message:
    return Message("assistant", content, thought)


@pytest.mark.parametrize(
    "message",
    [
        said("Paris", "France, so"),
        said("<think>\nFrance, so\n</think>\n\nParis"),
        said("<think>France, so</think>Paris"),
        said("France, so\n</think>\n\nParis"),
        said("<think>\nanother\n</think>\n\nParis", "France, so"),
    ],
)
def test_every_spelling_of_a_thought_is_read_alike(message: Message) -> None:
    assert TAGS.split(message) == Turn("France, so", "Paris")
    assert EMOJI.split(message) == Turn("France, so", "Paris")


@pytest.mark.parametrize(
    "content",
    [
        "🤔🤔🤔🤔\nFrance, so\n🛑🛑🛑\nParis",
        "🤔 France, so 🛑🛑 Paris",
        "\n🤔🤔\nFrance, so\n🛑🛑🛑🛑🛑🛑\n\nParis",
    ],
)
def test_markers_that_are_there_are_never_doubled(content: str) -> None:
    for thought in (None, "France, so"):
        assert EMOJI.completion(said(content, thought), "row", 1) == (content, True)
    assert EMOJI.history(said(content)) == said("Paris")


def test_a_thought_that_carries_the_runs_itself_gets_no_second_ones() -> None:
    text, _ = EMOJI.completion(said("Paris", "🤔🤔🤔🤔\nFrance, so\n🛑🛑"), "row", 1)
    assert text.count("🤔") == 4
    assert 2 <= text.count("🛑") <= 4
    assert "🤔\nFrance, so\n🛑" in text


def test_an_empty_emoji_thought_is_dropped() -> None:
    assert EMOJI.completion(said("🤔🤔🤔🤔\n🛑🛑\nParis"), "row", 1) == ("Paris", False)


def test_an_answer_that_merely_begins_with_the_emoji_is_an_answer() -> None:
    assert EMOJI.completion(said("🤔 Good question! 🛑 Stop."), "row", 1) == (
        "🤔 Good question! 🛑 Stop.",
        False,
    )


def test_emojis_are_text_when_the_profile_is_off() -> None:
    content = "🤔🤔🤔🤔\nFrance\n🛑🛑\nParis"
    assert TAGS.completion(said(content), "row", 1) == (content, False)
    assert TAGS.history(said(content)) == said(content)


def test_tags_in_the_middle_of_an_answer_are_text() -> None:
    for content in ("Write <think>x</think> so.", "The tag </think> closes."):
        assert TAGS.completion(said(content), "row", 1) == (content, False)


def test_a_thought_that_never_closes_is_refused_but_may_be_history() -> None:
    cut_off = said("<think>\nFirst I")
    with pytest.raises(InputRefused, match="never closes"):
        TAGS.completion(cut_off, "row", 3)
    assert TAGS.history(cut_off) == cut_off


@pytest.mark.parametrize("content", ["", "  \n ", "<think>\nonly this\n</think>\n\n"])
def test_a_turn_without_an_answer_trains_nothing(content: str) -> None:
    assert EMOJI.completion(said(content), "row", 1) == ("", False)
    assert TAGS.completion(said(content), "row", 1) == ("", False)


def test_the_stop_run_is_drawn_from_the_key_and_stays() -> None:
    drawn = [EMOJI.stop_count(f"row {number}", 1) for number in range(3000)]
    assert drawn == [EMOJI.stop_count(f"row {number}", 1) for number in range(3000)]
    assert {length: 900 < drawn.count(length) < 1100 for length in (2, 3, 4)} == {
        2: True,
        3: True,
        4: True,
    }
    # Written down once: another draw would change what resumed runs train.
    assert drawn[:8] == [2, 3, 3, 3, 2, 4, 4, 2]
    assert [EMOJI.stop_count("row 0", turn) for turn in range(6)] != [drawn[0]] * 6


def test_run_lengths_and_emojis_are_settings() -> None:
    profile = Profile(
        Examples(
            think_emoji="💭", think_count=1, stop_emoji="⛔", stop_count_min=1, stop_count_max=1
        )
    )
    text, _ = profile.completion(said("4", "add"), "row", 1)
    assert text == "💭\nadd\n⛔\n4"
    assert profile.completion(said(text), "row", 1) == (text, True)


@pytest.mark.parametrize(
    "content",
    [
        "🤔" + " " * 300_000,
        "🤔" + " 🛑" * 150_000,
        "<think>" * 60_000,
        "</think>" * 60_000 + "x",
        "<think>" + " " * 300_000 + "x",
    ],
)
def test_hostile_content_is_read_in_linear_time(content: str) -> None:
    # A quadratic reading of these takes minutes; the bound is generous for slow machines.
    begun = time.process_time()
    EMOJI.split(said(content, "🤔" * 100_000 + " " * 100_000 + "🛑" * 100_000))
    TAGS.split(said(content))
    assert time.process_time() - begun < 5.0
