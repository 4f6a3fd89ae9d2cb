"""Thought and answer told apart as text comes, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.config import Examples
from regime3.model.profile import Profile
from regime3.records.rows import Message
from regime3.serve.openai.thoughts import Splitter

EMOJI, TAGS = Profile(Examples()), Profile(Examples(profile="think-tags"))
PIECES = st.lists(
    st.sampled_from(
        ["🤔", "🛑", "🛑🛑", "<think>", "</think>", "<", "think", "\n", " ", "a", "12."]
    ),
    max_size=14,
).map("".join)


def split(profile: Profile, pieces: list[str]) -> tuple[str, str]:
    splitter = Splitter(profile)
    found = [splitter.take(piece) for piece in pieces] + [splitter.rest()]
    thought, answer = ("".join(part) for part in zip(*found, strict=True))
    assert (thought, answer) == splitter.whole()
    return thought, answer


@pytest.mark.parametrize(
    ("text", "thought", "answer"),
    [
        ("🤔🤔🤔🤔\nfirst\nsecond\n🛑🛑🛑\nthe answer\n", "first\nsecond", "the answer\n"),
        ("<think>\nfirst\n</think>\n\nthe answer", "first", "the answer"),
        ("just an answer with 🛑🛑 in it", "", "just an answer with 🛑🛑 in it"),
        ("🤔🤔🤔🤔\none 🛑 is prose 🛑🛑 done", "one 🛑 is prose", "done"),
        ("🤔🤔🤔🤔\nnever closed 🛑", "never closed 🛑", ""),
        ("<thin", "", "<thin"),
        ("", "", ""),
    ],
)
def test_a_completion_is_thought_and_answer(text: str, thought: str, answer: str) -> None:
    assert split(EMOJI, [text]) == (thought, answer)
    assert split(EMOJI, list(text)) == (thought, answer)


def test_emojis_are_text_in_the_profile_of_think_tags() -> None:
    assert split(TAGS, ["🤔🤔🤔🤔\na\n🛑🛑\nb"]) == ("", "🤔🤔🤔🤔\na\n🛑🛑\nb")


@given(PIECES, st.data())
def test_however_it_is_cut_both_come_out_the_same(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    for profile in (EMOJI, TAGS):
        assert split(profile, pieces) == split(profile, [text])


@given(st.text("ab \n1", min_size=1).map(str.strip), st.text("ab \n1", min_size=1).map(str.strip))
def test_what_training_writes_is_read_back(thought: str, answer: str) -> None:
    if not thought or not answer:
        return
    for profile in (EMOJI, TAGS):
        written, _ = profile.completion(Message("assistant", answer, thought), "row", 1)
        assert split(profile, list(written)) == (thought, answer)
