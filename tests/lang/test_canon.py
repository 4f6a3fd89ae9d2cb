"""Canonical form: the corpus of pairs, idempotence, and equality under the laws."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.lang import signature
from regime3.lang.canon import canonical, make
from regime3.lang.terms import Term, parse, show
from tests.lang.corpus import lines

PAIRS = [tuple(line.split(" -> ")) for line in lines("canonical.txt")]
leaves = st.sampled_from(["c0", "c1", "c2", 0, 1, -1, 2, ("frac", 1, 2), "x0", "true"])
terms = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["add", "mul", "and", "or"]), st.lists(inner, min_size=2)),
        st.tuples(st.sampled_from(["eq", "iff", "sub", "imp"]), st.lists(inner, min_size=2)),
    ).map(lambda pair: (pair[0], *(pair[1][:2] if pair[0] in TWO else pair[1][:5]))),
    max_leaves=25,
)
TWO = {"eq", "iff", "sub", "imp"}


@pytest.mark.parametrize(("before", "after"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_the_corpus_of_pairs_holds(before: str, after: str) -> None:
    assert show(canonical(parse(before))) == after


@given(terms)
def test_canonical_form_is_idempotent(term: Any) -> None:
    once = canonical(term)
    assert canonical(once) == once


@given(terms, st.randoms(use_true_random=False))
def test_terms_that_the_laws_make_equal_have_one_form(term: Any, rng: random.Random) -> None:
    assert canonical(_respelt(term, rng)) == canonical(term)


@given(terms, terms)
def test_one_form_means_equal_under_the_laws(left: Any, right: Any) -> None:
    """`_classes` decides equality by multisets and sets, without order or splicing by hand."""
    assert (canonical(left) == canonical(right)) == (_classes(left) == _classes(right))


def _respelt(term: Term, rng: random.Random) -> Term:
    """The same term after random uses of the laws: swaps, regroupings, repetitions."""
    if not isinstance(term, tuple):
        return term
    name, arguments = term[0], [_respelt(each, rng) for each in term[1:]]
    if name in signature.IDEMPOTENT and rng.random() < 0.3:
        arguments.append(rng.choice(arguments))
    if name in signature.COMMUTATIVE:
        rng.shuffle(arguments)
    if name in signature.ASSOCIATIVE and len(arguments) > 2:
        cut = rng.randrange(len(arguments) - 1)
        group = (name, *arguments[cut : cut + 2])
        arguments[cut : cut + 2] = [group]
    return (name, *arguments)


def _classes(term: Term) -> Any:
    """An equality class as nested frozensets (of counts where repetition matters)."""
    if not isinstance(term, tuple) or term[0] == "frac":
        return term
    name = term[0]
    if name not in signature.COMMUTATIVE:
        return (name, *[_classes(each) for each in term[1:]])
    parts: list[Any] = []
    for each in map(_classes, term[1:]):
        same = name in signature.ASSOCIATIVE and isinstance(each, tuple) and each[0] == name
        parts.extend(_unpacked(each[1]) if same else [each])
    if name in signature.IDEMPOTENT:
        if len(set(parts)) == 1:
            return parts[0]
        return (name, frozenset((part, 1) for part in parts))
    return (name, frozenset((part, parts.count(part)) for part in parts))


def _unpacked(counts: frozenset[tuple[Any, int]]) -> list[Any]:
    return [part for part, count in counts for _ in range(count)]


def test_nothing_is_computed() -> None:
    assert make("add", 0, 54) == ("add", 0, 54)
    assert make("mul", 1, 1) == ("mul", 1, 1)
    assert make("and", "false", "true") == ("and", "true", "false")
