"""Nothing random breaks the language: the short form of `python -m tests.lang.fuzz`."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.errors import LanguageError
from regime3.lang import codebook
from regime3.lang.terms import show
from tests.lang import fuzz, hostile
from tests.lang.fuzz import sweep

SEED = "h"
SEEN = {
    "equal under the laws",
    "unequal under the laws",
    "fingerprint of a disguise",
    "fingerprint of the same",
    "fingerprint of another",
    "plain.read(show)",
    "terse.read(show)",
    "unpack(pack)",
    "unpack(pack(unpack))",
}


def test_random_terms_bodies_and_damaged_texts_find_no_fault() -> None:
    tally = sweep(600, "tests")
    assert tally.smallest == {}
    assert set(tally.checks) >= SEEN
    for reader in hostile.READERS:
        assert tally.refused[reader] > 0
        assert tally.read[reader] > 0
    assert 0 < tally.slowest_small_refusal.ms <= tally.slowest_refusal.ms


@pytest.mark.parametrize(
    ("name", "value", "check"),
    [
        ("canonical", lambda term: term, "equal under the laws"),
        ("canonical", lambda term: 0, "unequal under the laws"),
        ("parse", lambda text: 0, "parse(show)"),
        ("fingerprint", lambda problem: show(problem.term), "fingerprint of a disguise"),
        ("fingerprint", lambda problem: "", "fingerprint of another"),
        ("check_text", lambda problem, body: None, "check_text is check"),
    ],
)
def test_a_broken_part_is_a_fault(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any, check: str
) -> None:
    monkeypatch.setattr(fuzz, name, value)
    _small(monkeypatch)
    assert sweep(150, SEED).faults[check]


def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """No storms, and two codebooks: a fault shows all the same."""
    monkeypatch.setattr(fuzz, "STORM_EVERY", 10**9)
    monkeypatch.setattr(fuzz, "_books", lambda rng: [codebook.bare(1), codebook.bare(2)])


def _crash(text: str, problem: Any, coder: Any) -> str:
    raise ValueError("a crash")


def _refuse(text: str, problem: Any, coder: Any) -> str:
    raise LanguageError("a refusal")


def _misread(text: str, problem: Any, coder: Any) -> str:
    return "it reads as another"


@pytest.mark.parametrize(
    ("reader", "seconds", "why"),
    [(_crash, 2.0, "ValueError"), (_misread, 2.0, "as another"), (_refuse, -1.0, " s; ")],
)
def test_a_crash_a_misreading_and_a_slow_refusal_are_faults(
    monkeypatch: pytest.MonkeyPatch, reader: Any, seconds: float, why: str
) -> None:
    monkeypatch.setitem(hostile.READERS, "terse", reader)
    monkeypatch.setattr(fuzz, "SECONDS_MAX", seconds)
    _small(monkeypatch)
    found = sweep(40, SEED).smallest
    assert any(why in each for check, each in found.items() if check.startswith("hostile terse"))
