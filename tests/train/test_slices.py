"""Cutting a window: everything once, within the budget, the cheapest way."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.records.rows import Example, RowRef
from regime3.train.slices import OPTIMAL_EXAMPLES_MAX, Slice, collate, cut

from .tiny import example, make_window


def rows_of(lengths: list[int]) -> list[RowRef]:
    draw = random.Random("rows")
    return [RowRef("f", i, i + 1, [example(n, 1, draw)]) for i, n in enumerate(lengths)]


def work(slices: list[Slice], price: int) -> int:
    return sum(part.padded_tokens + price for part in slices)


@given(st.lists(st.integers(3, 60), min_size=1, max_size=40), st.integers(3, 300))
def test_every_example_is_in_one_slice_and_no_slice_exceeds_the_budget(
    lengths: list[int], budget: int
) -> None:
    slices = cut(rows_of(lengths), budget)
    assert sorted(e.length for part in slices for e in part.examples) == sorted(lengths)
    for part in slices:
        assert part.padded_tokens <= budget or len(part.pieces) == 1


@given(
    st.lists(st.integers(3, 60), min_size=1, max_size=9), st.integers(20, 200), st.integers(0, 50)
)
def test_no_other_cut_is_cheaper(lengths: list[int], budget: int, price: int) -> None:
    found = work(cut(rows_of(lengths), budget, price_tokens=price), price)
    falling = sorted(lengths, reverse=True)
    for chosen in itertools.product([False, True], repeat=len(falling) - 1):
        runs, start = [], 0
        for stop, here in enumerate([*chosen, True], start=1):
            if here:
                runs.append(falling[start:stop])
                start = stop
        if all(len(run) * run[0] <= budget or len(run) == 1 for run in runs):
            assert found <= sum(len(run) * run[0] + price for run in runs)


def test_the_longest_come_first_so_that_trouble_comes_early() -> None:
    slices = cut(make_window(1).rows, 80)
    firsts = [part.examples[0].length for part in slices]
    assert len(slices) > 2 and firsts == sorted(firsts, reverse=True)


def test_equal_windows_are_cut_equally() -> None:
    assert cut(make_window(3).rows, 90) == cut(make_window(3).rows, 90)


def test_half_uses_half_the_budget() -> None:
    rows = make_window(2).rows
    assert cut(rows, 160, "half") == cut(rows, 80)


def test_single_never_mixes_two_rows() -> None:
    rows = make_window(2).rows
    slices = cut(rows, 1000, "single")
    assert [part.rows for part in slices if len(part.rows) != 1] == []
    assert [part.rows[0].position for part in slices] == [row.position for row in rows]


def test_a_window_of_very_many_examples_is_cut_too() -> None:
    slices = cut(rows_of([5] * (OPTIMAL_EXAMPLES_MAX + 1)), 100)
    assert sum(len(part.pieces) for part in slices) == OPTIMAL_EXAMPLES_MAX + 1
    assert all(part.padded_tokens <= 100 for part in slices)


def test_a_batch_is_padded_on_the_right_and_points_at_the_state_before_each_target() -> None:
    batch = collate([Example([5, 6, 7, 8], 2), Example([9, 10], 1)])
    assert batch.input_ids.tolist() == [[5, 6, 7, 8], [9, 10, 0, 0]]
    assert batch.attention_mask().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch.targets.tolist() == [7, 8, 10]
    before = batch.input_ids.reshape(-1)[batch.positions].tolist()
    assert before == [6, 7, 9]


@pytest.mark.parametrize("prompt", [0, 1])
def test_a_first_token_is_never_a_target(prompt: int) -> None:
    assert collate([Example([5, 6, 7], prompt)]).targets.tolist() == [6, 7]
