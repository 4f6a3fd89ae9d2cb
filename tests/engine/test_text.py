"""Text comes in whole characters, and stop strings never come at all."""

from __future__ import annotations

import random

import pytest

from regime3.engine.text import TextStream


def decode(ids: list[int]) -> str:
    """Tokens are bytes."""
    return bytes(ids).decode("utf-8", "replace")


def written(text: str, stops: list[str] | None = None, seed: int = 0) -> tuple[list[str], bool]:
    draw, stream = random.Random(seed), TextStream(decode, stops or [])
    left, pieces = list(text.encode()), []
    while left and not stream.stopped:
        count = draw.randint(1, 3)
        stream.add(left[:count])
        del left[:count]
        pieces.append(stream.take())
    stream.finish()
    return [*pieces, stream.take()], stream.stopped


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_whole_characters_and_add_up(seed: int) -> None:
    text = "aé🤔🛑 žlutý 漢字\n🤔🤔"
    pieces, _ = written(text, seed=seed)
    assert "".join(pieces) == text
    assert all("\ufffd" not in piece for piece in pieces)


@pytest.mark.parametrize("seed", range(20))
def test_a_stop_string_ends_the_text_before_it(seed: int) -> None:
    pieces, stopped = written("one two STOP three", ["STOP", "three"], seed)
    assert stopped and "".join(pieces) == "one two "


@pytest.mark.parametrize("seed", range(10))
def test_half_a_stop_string_is_held_back_and_shown_at_the_end(seed: int) -> None:
    pieces, stopped = written("one two ST", ["STOP"], seed)
    assert not stopped and "".join(pieces) == "one two ST"
    assert "ST" in pieces[-1]


def test_what_looked_like_a_stop_string_comes_when_it_is_none() -> None:
    pieces, stopped = written("aSTa STa", ["STOP"])
    assert not stopped and "".join(pieces) == "aSTa STa"


def test_bytes_that_make_no_character_are_shown_at_the_end() -> None:
    stream = TextStream(decode)
    stream.add([97, 0xF0, 0x9F])
    assert stream.take() == "a"
    stream.finish()
    assert stream.take().startswith("\ufffd")


def test_broken_bytes_are_not_held_for_ever() -> None:
    stream = TextStream(decode)
    for _ in range(40):
        stream.add([0x9F])
    assert len(stream.take()) >= 30
