"""S-expressions under their grammar, and fractions that the reader would refuse."""

from __future__ import annotations

import math
from itertools import pairwise
from math import gcd

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.engine.fractions import BEGIN, LowestTerms
from regime3.engine.guide import Guide
from regime3.engine.hf import HfEngine
from regime3.errors import LanguageError
from regime3.lang.problem import read_body, read_problem
from regime3.lang.terms import parse
from regime3.records.wire import Form, Generate, Prompt

PROBLEM = "(eval (div 6 4))"


class Writer:
    """A sample of the nano model that is made to write a text, as far as its guide lets it."""

    def __init__(self, engine: HfEngine) -> None:
        resident = engine._residents["nano"]
        self.ids = lambda text: resident.tokenizer(text, add_special_tokens=False)["input_ids"]
        self.vocabulary = resident.forward.vocabulary
        ask = Generate(1, "nano", Prompt(text="a"), form=Form(2, PROBLEM))
        guide = resident.guides.of(ask, 400)
        assert isinstance(guide, Guide)
        self.guide = guide
        self.text = lambda ids: resident.tokenizer.decode(ids)

    def allows(self, token: int) -> bool:
        logits = torch.zeros(self.vocabulary)
        self.guide.edit(logits)
        return logits[token].item() > -math.inf

    def refused(self, text: str) -> str:
        """What is left of the text from the first token on that the guide does not let through."""
        for place, token in enumerate(ids := self.ids(text)):
            if not self.allows(token):
                return str(self.text(ids[place:]))
            self.guide.take(token)
        return ""


@pytest.mark.parametrize(
    "fraction", ["3 2", "-3 2", "1 97", "1024 99", "12345678901234567 10", "-7 12"]
)
def test_fractions_in_lowest_terms_are_written(engine: HfEngine, fraction: str) -> None:
    text = f"(qed (frac {fraction}))"
    assert read_body(read_problem(PROBLEM), text)
    assert Writer(engine).refused(text) == ""


@pytest.mark.parametrize("fraction", ["6 4", "-2 4", "1024 98", "12345678901234560 10", "0 7"])
def test_others_are_stopped_before_they_end(engine: HfEngine, fraction: str) -> None:
    with pytest.raises(LanguageError):
        parse(f"(frac {fraction})")
    left = Writer(engine).refused(f"(qed (frac {fraction}))")
    assert left.startswith("0" if fraction.startswith("0") else ")")


def test_a_longer_denominator_may_still_fit(engine: HfEngine) -> None:
    assert Writer(engine).refused("(qed (frac 2 47))") == ""


@settings(max_examples=300, deadline=None)
@given(st.integers(-40, 40), st.integers(2, 40), st.lists(st.integers(6, 20), max_size=5))
def test_however_tokens_are_cut_the_one_that_ends_it_is_refused(
    over: int, under: int, cuts: list[int]
) -> None:
    text = f"(frac {over} {under})) (qed"
    places = sorted({0, len(BEGIN), *[each for each in cuts if each < len(text)], len(text)})
    pieces = [text[first:last] for first, last in pairwise(places)]
    fractions = LowestTerms(pieces.__getitem__)
    refused = []
    for token in range(len(pieces)):
        refused += fractions.refused([token])
        fractions.take(token)
    ending = next(n for n, last in enumerate(places[1:]) if last > text.index(")"))
    assert refused == ([] if gcd(over, under) == 1 else [ending])
