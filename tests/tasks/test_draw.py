"""Keyed randomness: the bytes of SPEC.md, section 7, uniform and without neighbours."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from regime3.tasks.draw import Draw, key_of


def words_by_hand(key: str, count: int) -> list[int]:
    """The stream, written again from the specification."""
    digest = hashlib.sha256(key.encode("utf-8")).digest()
    stream = b"".join(
        hashlib.sha256(digest + bytes(7) + bytes([j])).digest() for j in range(count // 4 + 1)
    )
    return [int.from_bytes(stream[8 * i : 8 * i + 8], "big") for i in range(count)]


def test_a_key_names_family_split_level_index_and_attempt() -> None:
    assert key_of("lists", "heldout", 3, 17, 2) == "r3/2|lists|heldout|3|17|2"


def test_the_stream_is_that_of_the_specification() -> None:
    draw = Draw("r3/2|lists|heldout|3|17|2")
    found = [draw.below(1 << 64) for _ in range(11)]
    assert found == words_by_hand("r3/2|lists|heldout|3|17|2", 11)


def test_a_key_always_draws_the_same() -> None:
    # Written down once, so that no later change deals new problems unnoticed.
    draw = Draw(key_of("arithmetic", "train", 1, 0, 0))
    assert [draw.below(1000) for _ in range(6)] == [267, 477, 790, 94, 57, 102]


def test_neighbouring_keys_share_nothing() -> None:
    firsts = {
        Draw(key_of("arithmetic", "train", level, index, attempt)).below(1 << 64)
        for level in range(1, 4)
        for index in range(50)
        for attempt in range(4)
    }
    assert len(firsts) == 600


def test_words_that_would_favour_small_numbers_are_rejected() -> None:
    # With n just above half of all words nearly every second word has to go.
    n = (1 << 63) + 1
    kept = [word for word in words_by_hand("rejection", 400) if word < n]
    draw = Draw("rejection")
    assert [draw.below(n) for _ in range(len(kept) - 1)] == kept[:-1]
    assert 120 < len(kept) < 280


@pytest.mark.parametrize("n", [2, 3, 7, 10])
def test_numbers_come_equally_often(n: int) -> None:
    draw = Draw(f"uniform {n}")
    found = Counter(draw.below(n) for _ in range(6000))
    expected = 6000 / n
    # Chi-squared; one key in some thousands passes the bound by chance, and keys are fixed.
    assert sum((found[i] - expected) ** 2 / expected for i in range(n)) < 15 + 2 * n


def test_between_includes_both_ends() -> None:
    draw = Draw("between")
    assert {draw.between(-2, 2) for _ in range(200)} == {-2, -1, 0, 1, 2}
    assert draw.between(5, 5) == 5


def test_a_shuffle_reaches_every_order() -> None:
    draw = Draw("shuffle")
    orders: Counter[tuple[str, ...]] = Counter()
    for _ in range(1200):
        items = ["a", "b", "c"]
        draw.shuffle(items)
        orders[tuple(items)] += 1
    assert len(orders) == 6
    assert min(orders.values()) > 140


def test_several_come_from_different_places() -> None:
    draw = Draw("several")
    for count in range(6):
        found = draw.several(range(5), count) if count <= 5 else []
        assert len(set(found)) == len(found) == count


def test_chance_is_as_often_as_it_says() -> None:
    draw = Draw("chance")
    assert 900 < sum(draw.chance(1, 3) for _ in range(3000)) < 1100
    assert not any(draw.chance(0, 5) for _ in range(50))
    assert all(draw.chance(5, 5) for _ in range(50))
