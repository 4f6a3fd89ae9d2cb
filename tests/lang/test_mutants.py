"""The checker cannot be fooled: the short form of `python -m tests.lang.mutants`."""

from __future__ import annotations

from tests.lang.mutants import MUTATIONS, sweep


def test_no_mutant_that_a_second_judge_finds_wrong_is_accepted() -> None:
    tally = sweep(6_000, "tests", each=1, say=lambda _: None)
    assert tally.faults == []
    assert tally.oracles >= 60
    assert set(tally.wrong) == {mutation.__name__ for mutation in MUTATIONS}
