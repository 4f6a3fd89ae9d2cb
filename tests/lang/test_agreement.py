"""Oracles agree with the outside world: the short form of `python -m tests.lang.agreement`."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from regime3 import tasks
from tests.lang import judge
from tests.lang.agreement import sweep


@pytest.mark.parametrize("family", list(tasks.FAMILIES))
def test_a_familys_oracle_is_right_and_accepted(family: str) -> None:
    assert sweep(family, 100, lambda _: None)["faults"] == []


def test_the_judge_of_syllogisms_agrees_with_every_set_model() -> None:
    """All 255 sets of kinds over three classes, for every pair of premises and every goal."""
    kinds = [frozenset(c for c in range(3) if bits >> c & 1) for bits in range(8)]
    models = [
        set(model)
        for size in range(1, 9)
        for model in combinations(kinds, size)
        if all(any(c in element for element in model) for c in range(3))
    ]
    names = ["c0", "c1", "c2"]
    statements = [
        (form, a, b)
        for form, a, b in product(("all", "no", "some", "some-not"), names, names)
        if a != b
    ]
    true = {
        s: {i for i, model in enumerate(models) if judge._true_of(s, model)} for s in statements
    }
    for first, second in product(statements, statements[::5]):
        both = true[first] & true[second]
        for goal in statements[::3]:
            wanted = both <= true[goal]
            assert judge.syllogism_follows((first, second), goal, 3) == wanted
