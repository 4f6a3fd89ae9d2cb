"""The keyed order: a bijection for every size, the same everywhere, different for each pass."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.stream.shuffle import order_of

FIXED = [6, 3, 0, 4, 5, 7, 2, 9, 1, 8]
"""Recorded once: a changed order would make every ledger ever sealed lie."""


@given(st.integers(1, 3000), st.text(max_size=8), st.integers(1, 5))
def test_every_row_comes_exactly_once(rows: int, content: str, pass_number: int) -> None:
    order = order_of(rows, content, pass_number, True)
    assert sorted(order(position) for position in range(rows)) == list(range(rows))


def test_an_enormous_file_costs_nothing_to_shuffle() -> None:
    order = order_of(10**15, "hash", 1, True)
    drawn = {order(position) for position in range(1000)}
    assert len(drawn) == 1000 and max(drawn) < 10**15


def test_the_order_is_fixed_for_ever() -> None:
    order = order_of(10, "content", 1, True)
    assert [order(position) for position in range(10)] == FIXED


def test_passes_and_contents_are_shuffled_differently() -> None:
    orders = [order_of(50, content, number, True) for content in "ab" for number in (1, 2)]
    assert len({tuple(order(position) for position in range(50)) for order in orders}) == 4


def test_neighbours_are_torn_apart() -> None:
    order = order_of(10_000, "content", 1, True)
    drawn = [order(position) for position in range(10_000)]
    kept = sum(1 for a, b in itertools.pairwise(drawn) if b == a + 1)
    assert kept < 10


def test_without_shuffle_rows_come_as_they_stand() -> None:
    order = order_of(5, "content", 1, False)
    assert [order(position) for position in range(5)] == list(range(5))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("position", [-1, 5])
def test_there_is_nothing_beyond_the_end(shuffle: bool, position: int) -> None:
    with pytest.raises(IndexError):
        order_of(5, "content", 1, shuffle)(position)
