"""Fingerprints: equal just for problems that renaming constants and the laws make equal."""

from __future__ import annotations

import hashlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations_with_replacement, islice, permutations, product
from typing import Any

import pytest

from regime3.errors import LanguageError
from regime3.lang.canon import canonical, order_key
from regime3.lang.fingerprint import LEAVES_MAX, fingerprint
from regime3.lang.problem import Problem, problem_of, read_problem
from regime3.lang.terms import show
from tests.lang.generate import random_problem

REFUSED_S_MAX = 6.0
"""On a slow, shared core; about one second on a quiet one."""


def _of(text: str) -> str:
    return fingerprint(read_problem(text))


def _renamed(term: Any, names: Any) -> Any:
    if isinstance(term, tuple):
        return (term[0], *[_renamed(part, names) for part in term[1:]])
    return names.get(term, term) if isinstance(term, str) else term


def _shuffled(rng: random.Random, term: Any) -> Any:
    """The same problem under the laws: another order, other brackets, parts said twice."""
    if not isinstance(term, tuple):
        return term
    name, *parts = (term[0], *[_shuffled(rng, part) for part in term[1:]])
    if name in ("add", "mul", "and", "or", "iff", "eq", "no", "some", "given", "eqn", "gcd"):
        rng.shuffle(parts)
    if name in ("and", "or", "given") and parts and rng.random() < 0.3:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(parts))
    if name in ("and", "or", "add", "mul") and len(parts) > 2 and rng.random() < 0.5:
        return (name, (name, *parts[:2]), *parts[2:])
    return (name, *parts)


# ---------------------------------------------------------------------- what it is


def test_a_fingerprint_is_the_sha256_of_the_least_leaf() -> None:
    for text, leaf in [
        ("(gcd 462 147)", "(gcd 147 462)"),
        ("(eval (add 2 (mul 8 7)))", "(eval (add (mul 7 8) 2))"),
        ("(solve (eqn 7 (add x0 1)))", "(solve (eqn (add x0 1) 7))"),
        ("(entails (given) false)", "(entails (given) false)"),
        ("(entails (given c0) c0)", "(entails (given c0) c0)"),
    ]:
        assert _of(text) == hashlib.sha256(b"r3fp1\n" + leaf.encode()).hexdigest()


def _reference(term: Any, k: int) -> str:
    """The specification's algorithm word by word, with no thought for time."""

    def norm(names: list[int]) -> str:
        def of(t: Any) -> Any:
            if isinstance(t, tuple):
                parts = [of(part) for part in t[1:]]
                if t[0] == "given":
                    return ("given", *sorted(set(parts), key=order_key))
                if t[0] in ("eqn", "gcd"):
                    return (t[0], *sorted(parts, key=order_key))
                return canonical((t[0], *parts))
            return t

        return show(of(_renamed(term, {f"c{old}": f"c{new}" for old, new in enumerate(names)})))

    def refined(colours: list[int]) -> list[int]:
        while True:
            pairs = []
            for c in range(k):
                names = [1 + colour for colour in colours]
                names[c] = 0
                pairs.append((colours[c], norm(names).encode()))
            distinct = sorted(set(pairs))
            old, colours = len(set(colours)), [distinct.index(pair) for pair in pairs]
            if len(distinct) == old:
                return colours

    def leaves(colours: list[int]) -> Iterator[str]:
        colours = refined(colours)
        shared = [colour for colour, count in Counter(colours).items() if count > 1]
        if not shared:
            yield norm(colours)
        for member in range(k):
            if shared and colours[member] == min(shared):
                yield from leaves([2 * c + (i != member) for i, c in enumerate(colours)])

    found = list(islice(leaves([0] * k), LEAVES_MAX + 1))
    return hashlib.sha256(f"r3fp1\n{min(found, key=str.encode)}".encode()).hexdigest()


SYMMETRIC = [
    "(entails (given (or c0 c1) (or c1 c2) (or c2 c0)) (and c0 c1 c2))",
    "(entails (given (imp c0 c1) (imp c1 c2) (imp c2 c3) (imp c3 c0)) (iff c0 c2))",
    "(entails (given (imp c0 c1) (imp c1 c2) (imp c2 c3) (imp c3 c0)) false)",
    "(entails (given (or c0 c1) (or c2 c3)) (or (and c0 c2) (and c1 c3)))",
    "(follows (given (all c0 c1) (all c2 c3)) (no c4 c5))",
    "(follows (given (some c0 c1) (some c1 c2) (some c2 c3) (some c3 c4)) (some c4 c0))",
    "(follows (given (no c0 c1) (no c1 c2) (no c2 c3) (no c3 c4) (no c4 c5)) (all c0 c5))",
]
RINGS = ["01 12 20 34 45 53", "01 12 23 34 45 50", "01 12 20 34 45 53 03 14 25", "01 12 23 34"]
RINGS += ["01 02 03 04 05", "03 04 05 13 14 15 23 24 25", "01 12 23 34 45 56", "01 12 23 34 40"]


def _linked(links: str, name: str = "or") -> Problem:
    """Premises that link constants in pairs, and a goal that says nothing of them."""
    pairs = [(name, f"c{a}", f"c{b}") for a, b in links.split()]
    return problem_of(("entails", ("given", *pairs), "false"))


@pytest.mark.parametrize("name", ["or", "imp"])
@pytest.mark.parametrize("links", RINGS)
def test_linked_constants_have_the_fingerprint_of_the_specification(links: str, name: str) -> None:
    problem = _linked(links, name)
    assert fingerprint(problem) == _reference(problem.term, problem.constants)


@pytest.mark.parametrize("text", SYMMETRIC)
def test_symmetric_problems_have_the_fingerprint_of_the_specification(text: str) -> None:
    problem = read_problem(text)
    assert fingerprint(problem) == _reference(problem.term, problem.constants)


def test_random_problems_have_the_fingerprint_of_the_specification() -> None:
    rng = random.Random("reference")
    for _ in range(60):
        problem = random_problem(rng, rng.choice(["entails", "follows", "solve", "gcd"]))
        if problem.constants <= 5:
            assert fingerprint(problem) == _reference(problem.term, problem.constants)


# ---------------------------------------------------------------------- what it does not see


def test_renaming_order_brackets_and_repetition_change_nothing() -> None:
    rng = random.Random("same")
    changed = 0
    for number in range(150):
        problem = random_problem(
            rng, ["entails", "follows", "entails", "solve", "eval"][number % 5]
        )
        names = [f"c{i}" for i in range(problem.constants)]
        other = rng.sample(names, len(names))
        same = problem_of(
            _shuffled(rng, _renamed(problem.term, dict(zip(names, other, strict=True))))
        )
        changed += same.term != problem.term
        try:
            assert fingerprint(same) == fingerprint(problem)
        except LanguageError:
            assert problem.constants >= 8
    assert changed > 60


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("(gcd 462 147)", "(gcd 147 462)"),
        ("(solve (eqn (add x0 1) 7))", "(solve (eqn 7 (add 1 x0)))"),
        ("(entails (given c0 (not c1)) c0)", "(entails (given (not c0) c1) c1)"),
        ("(entails (given c0 c1) c0)", "(entails (given c0 c1 c0) c1)"),
        ("(entails (given false (not false)) false)", "(entails (given (not false) false) false)"),
        ("(entails (given false) false)", "(entails (given false false) false)"),
        ("(follows (given (no c0 c1)) (all c0 c2))", "(follows (given (no c2 c1)) (all c2 c0))"),
    ],
)
def test_the_same_problem_twice(one: str, two: str) -> None:
    assert _of(one) == _of(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("(gcd 462 147)", "(gcd 462 148)"),
        ("(eval (sub 5 3))", "(eval (sub 3 5))"),
        ("(eval (add 0 54))", "(eval 54)"),
        ("(eval (add 1 (mul 2 3)))", "(eval (mul 1 (add 2 3)))"),
        ("(solve (eqn x0 7))", "(solve (eqn x0 8))"),
        ("(solve (eqn (sub x0 1) 7))", "(solve (eqn (sub 1 x0) 7))"),
        ("(mod 9 7)", "(mod 7 9)"),
        ("(entails (given c0) c1)", "(entails (given c0) c0)"),
        ("(entails (given (imp c0 c1)) c0)", "(entails (given (imp c0 c1)) c1)"),
        ("(entails (given (and c0 c1)) c0)", "(entails (given c0 c1) c0)"),
        ("(entails (given (iff c0 c0)) c0)", "(entails (given (iff c0 c1)) c0)"),
        ("(follows (given (all c0 c1)) (all c1 c0))", "(follows (given (all c0 c1)) (all c0 c1))"),
        ("(run (pipe rev sort) (list 1))", "(run (pipe sort rev) (list 1))"),
        ("(run (pipe sort) (list 1 2))", "(run (pipe sort) (list 2 1))"),
    ],
)
def test_different_problems_differ(one: str, two: str) -> None:
    assert _of(one) != _of(two)


def test_two_rings_of_three_are_not_one_of_six_though_each_constant_sees_the_same() -> None:
    threes, six = _linked("01 12 20 34 45 53"), _linked("01 12 23 34 45 50")
    assert fingerprint(threes) != fingerprint(six)
    assert fingerprint(threes) == fingerprint(_linked("03 34 40 12 25 51"))
    assert fingerprint(six) == fingerprint(_linked("05 52 24 41 13 30"))


# ---------------------------------------------------------------------- judged by all permutations


def _meaning(term: Any) -> Any:
    """A term up to the laws, by sets and bags instead of an order."""
    if not isinstance(term, tuple):
        return term
    name, *parts = term
    if name in ("and", "or"):
        flat: set[Any] = set()
        for part in map(_meaning, parts):
            flat |= part[1] if isinstance(part, tuple) and part[0] == name else {part}
        return (name, frozenset(flat)) if len(flat) > 1 else next(iter(flat))
    if name in ("iff", "no", "some"):
        return (name, frozenset(Counter(map(_meaning, parts)).items()))
    if name == "given":
        return (name, frozenset(map(_meaning, parts)))
    return (name, *map(_meaning, parts))


def _orbit(problem: Problem) -> Any:
    """What it means under every renaming: two problems are equal just if this is."""
    names = [f"c{i}" for i in range(problem.constants)]
    return frozenset(
        _meaning(_renamed(problem.term, dict(zip(names, other, strict=True))))
        for other in permutations(names)
    )


def _confused(terms: Iterator[Any]) -> tuple[int, int, list[Any]]:
    """How many problems, how many kinds of them, and where fingerprint and judge disagree."""
    kinds: dict[str, set[Any]] = defaultdict(set)
    prints: dict[Any, set[str]] = defaultdict(set)
    count = 0
    for term in terms:
        try:
            problem = problem_of(term)
        except LanguageError:
            continue  # not all constants are used
        count += 1
        orbit, found = _orbit(problem), fingerprint(problem)
        kinds[found].add(orbit)
        prints[orbit].add(found)
    confused = [*[each for each in kinds.values() if len(each) > 1]]
    confused += [each for each in prints.values() if len(each) > 1]
    return count, len(kinds), confused


def _propositions(constants: int) -> list[Any]:
    """All of one connective, and some of two: 1 + 2k + 4kk and 3k more of k constants."""
    atoms = [f"c{i}" for i in range(constants)]
    pairs = list(product(atoms, repeat=2))
    found: list[Any] = ["false", *atoms, *[("not", a) for a in atoms]]
    found += [(name, a, b) for name in ("and", "or", "imp", "iff") for a, b in pairs]
    found += [(name, ("not", a), atoms[0]) for name in ("and", "imp", "iff") for a in atoms]
    return list(dict.fromkeys(map(canonical, found)))


def small_entailments(constants: int, premises: int) -> Iterator[Any]:
    """All problems of so many premises and a goal from these propositions, in every order."""
    pool = _propositions(constants)
    for given in product(pool, repeat=premises):
        for goal in pool:
            yield ("entails", ("given", *given), goal)


def small_syllogisms(premises: int) -> Iterator[Any]:
    """All problems of so many premises and a goal about three classes."""
    statements = [
        (form, *pair)
        for form in ("all", "no", "some", "some-not")
        for pair in permutations(("c0", "c1", "c2"), 2)
    ]
    for given in combinations_with_replacement(statements, premises):
        for goal in statements:
            yield ("follows", ("given", *given), goal)


@pytest.mark.parametrize(
    ("problems", "every"),
    [
        (small_entailments(2, 1), 1),
        (small_entailments(3, 1), 1),
        (small_entailments(2, 2), 4),
        (small_entailments(3, 2), 59),
        (small_syllogisms(1), 1),
        (small_syllogisms(2), 5),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_small_problems_are_told_apart_just_as_all_permutations_tell(
    problems: Iterator[Any], every: int
) -> None:
    count, kinds, confused = _confused(islice(problems, 0, None, every))
    assert confused == []
    assert count > 100 and kinds < count, "some are equal, or nothing was tested"


# ---------------------------------------------------------------------- limits


@pytest.mark.parametrize("constants", [6, 7])
def test_seven_constants_that_may_all_change_places_still_have_a_fingerprint(
    constants: int,
) -> None:
    names = [f"c{i}" for i in range(constants)]
    one = problem_of(("entails", ("given", *names), "false"))
    two = problem_of(("entails", ("given", *names[::-1]), "false"))
    assert fingerprint(one) == fingerprint(two)


@pytest.mark.parametrize("constants", [9])
def test_more_than_5040_leaves_are_refused_and_soon(constants: int) -> None:
    names = " ".join(f"c{i}" for i in range(constants))
    problem = read_problem(f"(entails (given (or {names})) false)")
    began = time.process_time()
    with pytest.raises(LanguageError, match="too symmetric: more than 5,040"):
        fingerprint(problem)
    assert time.process_time() - began < REFUSED_S_MAX


def test_twelve_constants_that_differ_have_a_fingerprint() -> None:
    chain = [("imp", f"c{i}", f"c{i + 1}") for i in range(11)]
    one = problem_of(("entails", ("given", *chain), ("imp", "c0", "c11")))
    names = {f"c{i}": f"c{11 - i}" for i in range(12)}
    two = problem_of(_renamed(one.term, names))
    assert one.term != two.term
    assert fingerprint(one) == fingerprint(two)
