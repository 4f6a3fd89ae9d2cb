"""Macros: applied lowest number first, and learned as the specification says, bit for bit."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.lang import codebook, codes, macros
from regime3.lang.codebook import Codebook, Macro
from regime3.lang.codes import CODE, FIRST_MACRO, names_text
from regime3.lang.macros import COUNT_MIN, SAVED_MIN, learn, merged
from regime3.lang.pack import Packer
from regime3.lang.prefix import FREE, INTEGER, flatten
from regime3.lang.problem import Body, Problem, read_body, read_problem
from regime3.lang.unpack import Unpacker
from tests.lang.generate import random_body, random_macros, random_problem

LOGIC = read_problem("(entails (given (or c0 c1) (not c1)) c0)")
M = FIRST_MACRO


def shape_of(text: str, problem: Problem = LOGIC) -> tuple[int, ...]:
    """The shape of a step."""
    shape: list[int] = []
    flatten(read_body(problem, f"{text} (qed yes)")[0], 9, shape, [])
    return tuple(shape)


def applied(text: str, *pairs: tuple[str | int, int, str | int]) -> str:
    """The step's shape with macros in it, by name; holes are blanks."""
    table = {
        (_code(outer), slot, _code(inner)): M + number
        for number, (outer, slot, inner) in enumerate(pairs)
    }
    found = merged(shape_of(text), table)
    return " ".join("_" if code < 0 else codes.name(code) for code in found)


def _code(part: str | int) -> int:
    return CODE[part] if isinstance(part, str) else part


# -------------------------------------------------------------------------------------- applying


def test_a_macro_takes_a_name_into_a_slot_and_keeps_reading_order() -> None:
    step = "(imp-i l1 l2 (imp (not c0) (or c1 (not c0))))"
    assert applied(step) == "imp-i _ _ imp not _ or not _ _"
    assert applied(step, ("imp", 0, "not")) == "imp-i _ _ M0 _ or not _ _"
    assert applied(step, ("imp", 1, "or")) == "imp-i _ _ M0 not _ not _ _"
    assert applied(step, ("imp-i", 2, "imp")) == "M0 _ _ not _ or not _ _"
    assert applied(step, ("imp", 1, "or"), (M, 0, "not"), ("imp-i", 2, M + 1)) == "M2 _ _ _ not _ _"


def test_the_lower_number_goes_first() -> None:
    step = "(assume (imp (not c0) c1))"
    assert applied(step, ("imp", 0, "not"), ("assume", 0, "imp")) == "assume M0 _ _"
    assert applied(step, ("assume", 0, "imp"), ("imp", 0, "not")) == "M0 not _ _"


def test_chains_merge_from_the_outside() -> None:
    negations = ("not", 0, "not")
    assert applied("(assume (not (not (not c0))))", negations) == "assume M0 not _"
    assert applied("(assume (not (not (not (not c0)))))", negations) == "assume M0 M0 _"
    assert applied("(assume (not (not (not (not c0)))))", negations, (M, 0, M)) == "assume M1 _"


def test_starred_slots_are_never_filled_but_may_be_taken_along() -> None:
    values = [("counter", 0, "true"), ("try", 0, "true")]
    assert applied("(try true false)", *values) == "try true false end"
    step = "(assume (not (and c0 c1 (or c0 c1))))"
    assert applied(step, ("not", 0, "and+")) == "assume M0 or _ _ _ _ end"
    assert applied(step, ("and+", 0, "or"), ("not", 0, M)) == "assume M1 _ _ _ _ end"


def test_two_and_three_arguments_are_different_names() -> None:
    assert applied("(assume (not (and c0 c1)))", ("not", 0, "and+")) == "assume not and _ _"


Tree = list[Any]
"""[code, *parts], as the specification tells it: a part is a Tree, a hole or a list of items."""


def _tree(term: Any) -> Tree:
    """The tree of a term, from the term itself."""
    if isinstance(term, int) or (term[0] in "cl" and term[1:].isdigit()):
        return [INTEGER if isinstance(term, int) else FREE]
    if isinstance(term, str):
        return [CODE[term]]
    name, *parts = term
    items = [_tree(part) for part in parts]
    if name in codes.PLUS and len(parts) > 2:
        return [codes.PLUS[name], *items[:3], ["items", *items[3:]]]
    if name in ("list", "try", "counter", "elem", "factors"):
        return [CODE[name], ["items", *items]]
    return [CODE[name], *items]


def _merge(tree: Tree, macro: Macro, code: int) -> None:
    """The macro wherever it fits, nodes in preorder, as often as it fits a node."""
    outer, slot, inner = macro
    while tree[0] == outer and tree[slot + 1][0] == inner:
        tree[:] = [code, *tree[1 : slot + 1], *tree[slot + 1][1:], *tree[slot + 2 :]]
    for part in tree[1:]:
        _merge(part, macro, code)


def _written(tree: Tree) -> list[int]:
    found = [code for part in tree[1:] for code in _written(part)]
    return [*found, CODE["end"]] if tree[0] == "items" else [tree[0], *found]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_lowest_number_first_is_one_macro_after_another(seed: int) -> None:
    rng = random.Random(seed)
    table = {macro: M + number for number, macro in enumerate(random_macros(rng, 40))}
    problem = random_problem(rng, rng.choice(["solve", "entails", "follows", "run"]))
    for step in random_body(rng, problem):
        tree, shape = _tree(step), []
        flatten(step, 40, shape, [])
        assert _written(tree) == shape
        for macro, code in table.items():
            _merge(tree, macro, code)
        assert _written(tree) == list(merged(tuple(shape), table))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_macros_change_codes_and_nothing_else(seed: int) -> None:
    rng = random.Random(seed)
    found = random_macros(rng, 40)
    plain = codebook.bare(2)
    book = plain.with_macros(found, "")
    packer, unpacker, without = Packer(book), Unpacker(book), Packer(plain)
    for _ in range(5):
        problem = random_problem(rng, rng.choice(["solve", "entails", "follows", "run"]))
        body = random_body(rng, problem)
        packed = packer.pack(problem, body)
        assert unpacker.unpack(problem, packed) == body
        assert len(packed) <= len(without.pack(problem, body))


# -------------------------------------------------------------------------------------- learning

NOT = "(assume (not c0)) (qed (counter))"
OTHER = "(assume c0) (qed (counter))"


def corpus(text: str, proposing: int, judging: int, size: int = 400) -> list[tuple[Problem, Body]]:
    """A corpus in which so many proposers and judges are `text`; all others are `OTHER`."""
    found = []
    for index in range(size):
        judges = index % 5 == 0
        wanted = judging > 0 if judges else proposing > 0
        judging, proposing = judging - judges, proposing - (not judges)
        found.append((LOGIC, read_body(LOGIC, text if wanted else OTHER)))
    return found


def learned(text: str, proposing: int, judging: int) -> list[str]:
    """The macros learned from such a corpus, but for the one that answers have in common."""
    book = codebook.bare(0)
    found = learn(corpus(text, proposing, judging), book)
    shown = _shown(book.with_macros(found, ""))
    assert shown.pop(0) == "(qed (counter _ …))"
    return shown


def _shown(book: Codebook) -> list[str]:
    return [book.expansion(M + number) for number in range(len(book.macros))]


def test_a_pair_is_learned_at_exactly_the_counts_of_the_specification() -> None:
    assert (COUNT_MIN, SAVED_MIN) == (50, 30)
    assert learned(NOT, 50, 30) == ["(assume (not _))"]
    assert learned(NOT, 49, 80) == []
    assert learned(NOT, 320, 29) == []


def test_of_equally_frequent_pairs_the_least_is_first() -> None:
    text = "(dn l1 (not (not c0))) (assume (imp (not c0) c1)) (qed (counter))"
    assert learned(text, 60, 40) == [
        "(not (not _))",
        "(imp (not _) _)",
        "(assume (imp (not _) _))",
        "(dn _ (not (not _)))",
    ]


def test_a_barred_pair_stays_barred_and_others_are_still_learned() -> None:
    rare_on_judges = corpus("(assume (not c0)) (qed (counter))", 300, 10)
    common = corpus("(assume (or c0 c1)) (qed (counter))", 60, 60)
    book = codebook.bare(0)
    shown = _shown(book.with_macros(learn(rare_on_judges + common, book), ""))
    assert shown == ["(qed (counter _ …))", "(assume (or _ _))"]


def test_a_chain_saves_what_can_be_merged_and_not_what_is_counted() -> None:
    """Three negations are two pairs, but only one of them can be merged."""
    chain = "(assume (not (not (not c0)))) (qed (counter))"
    assert learned(chain, 100, 29) == []
    assert learned(chain, 100, 30)[0] == "(not (not _))"


def test_what_prediction_leaves_out_is_not_learned_from() -> None:
    problem = read_problem("(gcd 462 147)")
    body = read_body(problem, "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 21)")
    problem_two = read_problem("(run (pipe sort) (list 2 1))")
    body_two = read_body(problem_two, "(l-sort (list 1 2)) (qed (list 1 2))")
    both = [(problem, body), (problem_two, body_two)] * 200
    assert learn(both, codebook.bare(1)) == ()
    spelled = codebook.bare(0)
    shown = _shown(spelled.with_macros(learn(both, spelled), ""))
    assert shown == ["(l-sort (list _ …))", "(qed (list _ …))"]


def test_integers_constants_and_lines_are_never_swallowed() -> None:
    rng = random.Random("protected")
    problems = [random_problem(rng) for _ in range(600)]
    bodies = [(problem, random_body(rng, problem)) for problem in problems]
    book = codebook.bare(0)
    found = learn(bodies * 3, book)
    assert len(found) > 5
    book = book.with_macros(found, "")
    assert all(codebook.is_part(g, book.forms) for _, _, g in found)
    packer, unpacker = Packer(book), Unpacker(book)
    assert all(unpacker.unpack(p, packer.pack(p, body)) == body for p, body in bodies)
    assert learn(iter(bodies * 3), codebook.bare(0)) == found


def test_some_codes_are_never_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(macros, "MACROS_MAX", macros.RESERVE + 2)
    text = "(dn l1 (not (not c0))) (assume (imp (not c0) c1)) (qed (counter))"
    assert len(learned(text, 60, 40)) == 1
    assert codes.MACROS_MAX - 16 == 40


def test_macros_shorten_the_worked_proof() -> None:
    book = codebook.bare(1)
    book = book.with_macros([(CODE["raa"], 2, CODE["not"]), (CODE["qed"], 0, CODE["yes"])], "")
    problem = read_problem("(entails (given (imp c0 c1) (not c1)) (not c0))")
    body = read_body(
        problem, "(assume c0) (mp l1 l3 c1) (bot l4 l2) (raa l3 l5 (not c0)) (qed yes)"
    )
    packed = Packer(book).pack(problem, body)
    assert names_text(packed, book) == "assume c0 mp B3 B1 c1 bot B1 B3 M0 B3 B1 c0 qed!"
