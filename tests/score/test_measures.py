"""Exact match, cross-entropy, calibration: against cases worked out by hand."""

from __future__ import annotations

import math
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.score.measures import (
    Marked,
    calibration,
    confidence,
    cross_entropy,
    interval,
    normalised,
    same_answer,
    summary,
)
from regime3.score.paired import paired, sign_test

shares = st.floats(0, 1)


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [
        ("42", "42", True),
        (" 42.\n", "42", True),
        ("Forty  two", "forty two", True),
        ("４２", "42", True),
        ("42.5", "42", False),
        ("", "42", False),
        (".", "", False),
        ("x - 1", "x-1", False),
    ],
)
def test_answers_are_compared_without_spacing_case_and_full_stop(
    found: str, wanted: str, same: bool
) -> None:
    assert same_answer(found, wanted) is same


@given(st.text())
def test_normalising_twice_changes_little(text: str) -> None:
    assert same_answer(text, text)
    assert "  " not in normalised(text)


def test_cross_entropy_is_the_mean_of_the_nats() -> None:
    assert cross_entropy([-1.0, -3.0]) == 2.0
    with pytest.raises(ValueError, match="no tokens"):
        cross_entropy([])


def test_confidence_is_the_product_which_sure_tokens_leave_alone() -> None:
    assert confidence([math.log(0.25), math.log(0.5)]) == pytest.approx(0.125)
    assert confidence([math.log(0.25), *[0.0] * 50]) == pytest.approx(0.25)
    assert confidence([1e-9]) == 1.0  # noise of floating point
    assert confidence([]) is None


def test_a_model_that_is_as_right_as_it_is_sure_is_calibrated() -> None:
    found = calibration([0.75] * 4, [True, True, True, False])
    assert found is not None and found.error == 0.0
    assert [(each.answers, each.right) for each in found.bins] == [(4, 0.75)]


def test_a_sure_model_that_is_wrong_is_off_by_its_sureness() -> None:
    found = calibration([0.9, 0.9, 0.1], [False, False, False])
    assert found is not None and found.error == pytest.approx((0.9 * 2 + 0.1) / 3)
    assert calibration([], []) is None


@given(st.lists(st.tuples(shares, st.booleans()), min_size=1, max_size=60))
def test_calibration_error_is_a_share_and_no_answer_falls_out_of_its_bin(
    answers: list[tuple[float, bool]],
) -> None:
    found = calibration([one for one, _ in answers], [right for _, right in answers])
    assert found is not None and 0 <= found.error <= 1
    assert sum(each.answers for each in found.bins) == len(answers)
    for each in found.bins:
        assert each.low - 1e-12 <= each.confidence <= each.high + 1e-12


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_interval_holds_the_share(right: int, wrong: int) -> None:
    low, high = interval(right, right + wrong)
    assert 0 <= low <= high <= 1
    if right + wrong:
        assert low <= right / (right + wrong) <= high


def test_wilsons_interval_is_as_published() -> None:
    assert interval(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-4)


def test_what_was_not_measured_is_null_and_not_zero() -> None:
    found = summary([Marked(), Marked()])
    assert found["answers"] == 2
    names = ("exact_match", "solved", "cross_entropy", "calibration_error", "tokens")
    assert [found[name] for name in names] == [None] * 5


def test_cross_entropy_of_many_weighs_tokens_and_not_examples() -> None:
    marks = [
        Marked(reference_nats=1.0, reference_tokens=1),
        Marked(reference_nats=9.0, reference_tokens=9),
    ]
    assert summary(marks)["cross_entropy"] == 1.0


def test_the_sign_test_is_exact() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 0) == pytest.approx(2 / 32)
    assert sign_test(8, 2) == pytest.approx(2 * (1 + 10 + 45) / 1024)
    assert sign_test(3, 3) == 1.0
    assert sign_test(2000, 1000) < 1e-60


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=50))
def test_a_comparison_turned_round_has_the_same_p(pairs: list[tuple[bool, bool]]) -> None:
    one, other = paired(pairs), paired([(b, a) for a, b in pairs])
    assert (one.wins, one.losses, one.p) == (other.losses, other.wins, other.p)
    assert one.wins + one.losses + one.ties == one.pairs == len(pairs)


def test_under_the_null_the_test_says_better_no_more_often_than_it_promises() -> None:
    draw = random.Random(0)
    flips = [[draw.random() < 0.5 for _ in range(40)] for _ in range(2000)]
    seen = [sign_test(sum(each), len(each) - sum(each)) <= 0.05 for each in flips]
    assert sum(seen) / len(seen) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(seen))


def test_measuring_loads_no_torch() -> None:
    code = (
        "import sys, regime3.score.measures, regime3.score.paired, regime3.jobs.office, "
        "regime3.serve.routes.jobs; "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
