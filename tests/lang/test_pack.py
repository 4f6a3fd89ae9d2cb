"""Packing and unpacking: the same body comes back, and any other codes are refused with a place."""

from __future__ import annotations

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.errors import LanguageError
from regime3.lang import codebook, codes, signature
from regime3.lang.codebook import Codebook
from regime3.lang.codes import CODE, CODES_MAX, read_tokens
from regime3.lang.pack import Packer
from regime3.lang.problem import Body, Problem, body_of, read_body, read_problem, show_body
from regime3.lang.signature import KINDS
from regime3.lang.unpack import Unpacker
from tests.lang.corpus import examples
from tests.lang.generate import random_body, random_macros, random_problem

SEEDS = st.integers(0, 2**32 - 1)
BOOKS: list[Codebook] = [
    codebook.bare(0),
    codebook.bare(1),
    codebook.bare(2),
    codebook.bare(2, atoms=False),
    codebook.bare(1, references=False),
    codebook.bare(0, atoms=False, references=False),
    codebook.bare(2).with_macros(random_macros(random.Random("macros a"), 50), ""),
    codebook.bare(0, atoms=False).with_macros(random_macros(random.Random("macros b"), 40), ""),
    codebook.bare(2, pairs=True),
    codebook.bare(0, references=False, pairs=True),
    codebook.bare(2, pairs=True).with_macros(random_macros(random.Random("macros c"), 56), ""),
    codebook.bare(2, negatives=True),
    codebook.bare(0, references=False, pairs=True, negatives=True),
    codebook.bare(2, pairs=True, negatives=True).with_macros(
        random_macros(random.Random("macros d"), 56), ""
    ),
]
PLAIN, SPELLED = BOOKS[1], BOOKS[0]
PAIRED = codebook.bare(0, pairs=True)
SIGNED = codebook.bare(0, pairs=True, negatives=True)
GCD = read_problem("(gcd 462 147)")
LOGIC = read_problem("(entails (given (or c0 c1) (not c1)) c0)")
CLASSES = read_problem("(follows (given (no c0 c1) (all c2 c0)) (some-not c2 c1))")
SOLVE = read_problem("(solve (eqn (add (scale 2 x0) 1) 7))")
LISTS = read_problem("(run (pipe sort rev) (list 3 1 2))")


@cache
def packer(book: Codebook) -> Packer:
    return Packer(book)


@cache
def unpacker(book: Codebook) -> Unpacker:
    return Unpacker(book)


def pack(problem: Problem, body: Body, book: Codebook = PLAIN) -> list[int]:
    return packer(book).pack(problem, body)


def unpack(problem: Problem, text: str | list[int], book: Codebook = PLAIN) -> Body:
    return unpacker(book).unpack(problem, read_tokens(text) if isinstance(text, str) else text)


def assert_survives(problem: Problem, body: Body, book: Codebook) -> list[int]:
    """The body comes back from its codes, as the very same steps."""
    packed = pack(problem, body, book)
    assert unpack(problem, packed, book) == body
    assert set(packed) <= book.assigned
    return packed


def assert_refused(problem: Problem, packed: list[int], book: Codebook) -> int:
    with pytest.raises(LanguageError) as refused:
        unpack(problem, packed, book)
    place = refused.value.position
    assert place is not None and 0 <= place <= len(packed)
    assert refused.value.reason.startswith(f"code {place}")
    return place


def assert_sound(problem: Problem, packed: list[int], book: Codebook) -> None:
    """Codes from anywhere are refused with a place, or are a typed canonical body."""
    try:
        body = unpack(problem, packed, book)
    except LanguageError as refused:
        assert refused.position is not None and 0 <= refused.position <= len(packed)
        return
    assert body_of(problem, body) == body
    assert_survives(problem, body, book)


# ------------------------------------------------------------------------- the worked examples


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["number"])
def test_the_worked_examples_have_the_codes_of_the_specification(example: dict[str, str]) -> None:
    problem = read_problem(example["problem"])
    body = read_body(problem, example["body"])
    for book in BOOKS:
        assert_survives(problem, body, book)
    if "codes" in example:
        assert codes.names_text(pack(problem, body)) == example["codes"]
        assert unpack(problem, example["codes"]) == body


def test_without_prediction_every_step_is_spelled() -> None:
    problem = read_problem("(gcd 462 147)")
    body = read_body(problem, "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 21)")
    found = codes.names_text(pack(problem, body, SPELLED))
    assert found == "r-divmod R1 R1 A3 A21 r-divmod R0 A21 A7 A0 qed A21"


# ------------------------------------------------------------------------------- the properties


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(seed=SEEDS)
def test_every_body_right_or_wrong_comes_back(kind: str, seed: int) -> None:
    rng = random.Random(seed)
    problem = random_problem(rng, kind)
    body = random_body(rng, problem)
    for book in BOOKS:
        assert_survives(problem, body, book)


@settings(max_examples=25, deadline=None)
@given(seed=SEEDS, book=st.sampled_from(BOOKS))
def test_codes_cut_anywhere_end_before_the_answer(seed: int, book: Codebook) -> None:
    rng = random.Random(seed)
    problem = random_problem(rng)
    packed = pack(problem, random_body(rng, problem, steps_max=3), book)
    for length in range(len(packed)):
        assert assert_refused(problem, packed[:length], book) == length


@settings(max_examples=50, deadline=None)
@given(seed=SEEDS, book=st.sampled_from(BOOKS))
def test_changed_codes_are_refused_or_another_typed_body(seed: int, book: Codebook) -> None:
    rng = random.Random(seed)
    problem = random_problem(rng)
    packed = pack(problem, random_body(rng, problem), book)
    for _ in range(8):
        changed = list(packed)
        place = rng.randrange(len(changed))
        changed[place] = rng.choice([rng.choice(packed), rng.randrange(CODES_MAX)])
        assert_sound(problem, changed, book)
        assert_sound(problem, changed[:place] + changed[place + 1 :], book)


@settings(max_examples=100, deadline=None)
@given(
    seed=SEEDS,
    book=st.sampled_from(BOOKS),
    packed=st.lists(st.integers(-3, CODES_MAX + 2), max_size=80),
)
def test_random_codes_never_crash(seed: int, book: Codebook, packed: list[int]) -> None:
    assert_sound(random_problem(random.Random(seed)), packed, book)


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, book=st.sampled_from(BOOKS))
def test_walks_through_the_grammar_are_typed_bodies(seed: int, book: Codebook) -> None:
    """Random codes rarely get far: here each code is one that is not refused where it stands."""
    rng = random.Random(seed)
    problem = random_problem(rng)
    walked: list[int] = []
    assigned = sorted(book.assigned)
    for _ in range(60):
        code = rng.choice(assigned)
        try:
            unpack(problem, [*walked, code], book)
        except LanguageError as refused:
            if refused.position == len(walked) + 1:
                walked.append(code)
        else:
            walked.append(code)
            break
    assert_sound(problem, walked, book)


# ------------------------------------------------------------------------------------- refusals

REFUSED: list[tuple[Problem, str, int, str]] = [
    (GCD, "", 0, "the codes end before the answer"),
    (GCD, "A3 A21", 2, "the codes end before the answer"),
    (GCD, "A3 A21 A7", 3, "the codes end before the answer"),
    (GCD, "A3 A21 A7 A0", 4, "the codes end before the answer"),
    (GCD, "A3 <E400>", 1, "does not assign it"),
    (GCD, "M0", 0, "does not assign it"),
    (GCD, "P0", 0, "does not assign it"),
    (GCD, "qed P1 A1", 1, "does not assign it"),
    (GCD, "qed D1 P1 T1", 2, "does not assign it"),
    (GCD, "A3 x0", 1, "an integer must stand here"),
    (GCD, "A3 c0", 1, "the problem has 0 constants"),
    (GCD, "x0", 0, "a rule of gcd, an integer or an answer must stand here"),
    (GCD, "mp B1", 0, "a rule of gcd, an integer or an answer must stand here"),
    (GCD, "end", 0, "a rule of gcd, an integer or an answer must stand here"),
    (GCD, "A3 R2", 1, "only 2 large integers have been seen so far"),
    (GCD, "qed!", 0, "no answer is implied here"),
    (GCD, "A3 A21 A7 A0 qed! A0", 5, "nothing may follow the answer"),
    (GCD, "qed A21 A21", 2, "nothing may follow the answer"),
    (GCD, "qed frac A1 A2", 1, "an integer must stand here"),
    (GCD, "qed neg A0", 2, "zero has no sign"),
    (GCD, "qed neg R0", 2, "an atom or digits must follow neg"),
    (GCD, "qed neg neg A1", 2, "an atom or digits must follow neg"),
    (GCD, "qed neg T5", 2, "an atom or digits must follow neg"),
    (GCD, "qed T5", 1, "one code A"),
    (GCD, "qed D1 T5", 2, "one code A"),
    (GCD, "qed neg D1 T5", 3, "one code A"),
    (GCD, "qed D1 D5 T0", 3, "the highest digit of a number is never 0"),
    (GCD, "qed D1 D5 A3", 3, "a digit must stand here"),
    (GCD, "qed D1 D5 end", 3, "a digit must stand here"),
    (GCD, "qed " + "D1 " * 64 + "T1", 65, "more than 64 digits"),
    (GCD, "qed D1 D1", 3, "the codes end before the answer"),
    (LOGIC, "assume c2", 1, "the problem has 2 constants"),
    (LOGIC, "assume A1", 1, "a proposition must stand here"),
    (LOGIC, "c0", 0, "a rule of entails or an answer must stand here"),
    (LOGIC, "qed!", 0, "no answer is implied here"),
    (LOGIC, "mp B1 B3", 2, "there is no line 3 before line 3"),
    (LOGIC, "mp c0", 1, "a line (l1, l2, …) must stand here"),
    (LOGIC, "assume and+ c0 c1 end", 4, "a proposition must stand here"),
    (LOGIC, "assume and c0 end", 3, "a proposition must stand here"),
    (LOGIC, "try " + "true " * 13 + "end", 14, "more than 12 values"),
    (LOGIC, "qed counter " + "true " * 33 + "end", 35, "more than 32 elements"),
    (LOGIC, "try true c0", 2, "true or false must stand here"),
    (LOGIC, "qed counter true", 3, "the codes end before the answer"),
    (LOGIC, "qed none", 1, "yes or (counter …) must stand here"),
    (CLASSES, "celarent B2 B1 no c1 c1", 5, "one class twice in a statement"),
    (CLASSES, "sub-no B1 all not c1", 3, "a class (c0, c1, …) must stand here"),
    (CLASSES, "qed counter elem c0 c3", 4, "the problem has 3 constants"),
    (SOLVE, "frac A2 A4", 2, "the fraction is not in lowest terms"),
    (SOLVE, "frac A2 A1", 2, "the denominator must be 2 or more"),
    (SOLVE, "frac A2 A0", 2, "the denominator is zero"),
    (SOLVE, "x0", 0, "a rule of solve, a number or an answer must stand here"),
    (LISTS, "list " + "A1 " * 65 + "end", 66, "more than 64 items"),
    (LISTS, "l-sort list A1 x0", 3, "an integer must stand here"),
    (LISTS, "qed A1", 1, "(list …) must stand here"),
]


@pytest.mark.parametrize(("problem", "text", "place", "reason"), REFUSED)
def test_what_no_grammar_has_is_refused_at_its_place(
    problem: Problem, text: str, place: int, reason: str
) -> None:
    with pytest.raises(LanguageError) as refused:
        unpack(problem, text)
    assert refused.value.reason.endswith(reason) or reason in refused.value.reason
    assert refused.value.position == place


MOST = "P99 " * 31

REFUSED_IN_PAIRS = [
    ("qed P1 A0", 2, "the highest pair of a number is never 0"),
    ("qed P1 P0 A0", 3, "the highest pair of a number is never 0"),
    ("qed neg P1 A0", 3, "the highest pair of a number is never 0"),
    ("qed neg A0", 2, "zero has no sign"),
    ("qed D1 D2 T3", 1, "digits go in pairs here"),
    ("qed T5", 1, "digits go in pairs here"),
    ("qed P1 D1", 2, "a pair must stand here"),
    ("qed P1 T1", 2, "a pair must stand here"),
    ("qed P1 R0", 2, "a pair must stand here"),
    ("qed P1 neg", 2, "a pair must stand here"),
    ("qed P1 end", 2, "a pair must stand here"),
    ("qed P1 <E411>", 2, "does not assign it"),
    ("qed N5", 1, "does not assign it"),
    ("qed neg D1 D2 T3", 2, "an atom or pairs must follow neg"),
    ("qed neg T5", 2, "an atom or pairs must follow neg"),
    ("qed neg neg P1 A1", 2, "an atom or pairs must follow neg"),
    ("qed neg R0", 2, "an atom or pairs must follow neg"),
    ("qed " + MOST + "P99 A1", 33, "more than 64 digits"),
    ("qed neg " + MOST + "P99 A1", 34, "more than 64 digits"),
    ("qed " + "P1 " * 1000 + "A1", 33, "more than 64 digits"),
    ("qed P1", 2, "the codes end before the answer"),
    ("qed neg P1 P1", 4, "the codes end before the answer"),
    ("qed " + MOST, 32, "the codes end before the answer"),
    ("qed frac P1 A1 A2", 1, "an integer must stand here"),
    ("P1 A1", 0, "a rule of gcd or an answer must stand here"),
    ("<E411>", 0, "does not assign it"),
]


@pytest.mark.parametrize(("text", "place", "reason"), REFUSED_IN_PAIRS)
def test_pairs_have_one_spelling_and_others_are_refused_at_their_place(
    text: str, place: int, reason: str
) -> None:
    with pytest.raises(LanguageError, match=reason) as refused:
        unpack(GCD, text, PAIRED)
    assert refused.value.position == place


REFUSED_WITH_NEGATIVES = [
    ("qed neg A1", 2, "-1 is one code N1"),
    ("qed neg A5", 2, "-5 is one code N5"),
    ("qed neg A60", 2, "-60 is one code N60"),
    ("qed frac neg A5 A7", 3, "-5 is one code N5"),
    ("qed neg A0", 2, "zero has no sign"),
    ("qed neg N5", 2, "an atom or pairs must follow neg"),
    ("qed neg neg A61", 2, "an atom or pairs must follow neg"),
    ("qed neg P1 A0", 3, "the highest pair of a number is never 0"),
    ("qed P1 N1", 2, "a pair must stand here"),
    ("qed neg P1 N1", 3, "a pair must stand here"),
    ("qed D1 D2 T3", 1, "digits go in pairs here"),
    ("qed <E351>", 1, "does not assign it"),
    ("N5", 0, "a rule of gcd or an answer must stand here"),
]


@pytest.mark.parametrize(("text", "place", "reason"), REFUSED_WITH_NEGATIVES)
def test_negatives_have_one_spelling_and_others_are_refused_at_their_place(
    text: str, place: int, reason: str
) -> None:
    problem = read_problem("(eval (div 9 7))") if "frac" in text else GCD
    with pytest.raises(LanguageError, match=reason) as refused:
        unpack(problem, text, SIGNED)
    assert refused.value.position == place


def test_negatives_are_one_code_in_every_spelling_that_has_atoms() -> None:
    digits = codebook.bare(1, negatives=True)
    assert unpack(GCD, "qed neg D1 D2 T3", digits) == (("qed", -321),)
    assert assert_refused(GCD, read_tokens("qed neg A5"), digits) == 2
    assert assert_refused(GCD, read_tokens("qed P1 A1"), digits) == 1
    assert unpack(GCD, "qed neg A61", digits) == unpack(GCD, "qed neg A61", SIGNED)
    for number in range(1, 61):
        assert unpack(GCD, f"qed N{number}", SIGNED) == (("qed", -number),)


def test_codes_that_are_no_codes_are_refused() -> None:
    for bad in (-1, 512, 10**20):
        assert assert_refused(GCD, [CODE["A3"], bad], PLAIN) == 1


def test_a_codebook_without_prediction_has_no_bare_results() -> None:
    assert assert_refused(GCD, read_tokens("A3 A21"), SPELLED) == 0
    assert assert_refused(GCD, read_tokens("r-divmod A9 A9 A1 A0 qed!"), SPELLED) == 5


def test_options_that_are_off_have_no_codes() -> None:
    assert assert_refused(GCD, read_tokens("qed A5"), codebook.bare(1, atoms=False)) == 1
    assert assert_refused(GCD, read_tokens("qed R0"), codebook.bare(1, references=False)) == 1
    without = codebook.bare(1, atoms=False)
    assert assert_refused(GCD, read_tokens("qed neg T0"), without) == 2
    assert assert_refused(GCD, read_tokens("qed D5 T0"), without) == 2
    assert unpack(GCD, "qed neg D5 T1", without) == (("qed", -15),)


# ---------------------------------------------------------------------------------------- limits


def test_a_body_has_512_steps_and_no_more() -> None:
    step = ("r-divmod", 1, 2, 3, 4)
    longest = (*[step] * 511, ("qed", 1))
    for book in BOOKS:
        packed = assert_survives(GCD, longest, book)
    packed = pack(GCD, (*[step] * 512, ("qed", 1)))
    with pytest.raises(LanguageError, match="only 511 steps"):
        unpack(GCD, packed)


def test_a_proof_has_40_lines_and_no_more() -> None:
    def body(steps: int) -> Body:
        return (*[("or-i", "l1", "c0")] * steps, ("qed", "yes"))

    for book in BOOKS:
        assert_survives(LOGIC, body(38), book)
    assert_survives(LOGIC, (*body(37)[:-1], ("mp", "l1", "l39", "c0"), ("qed", "yes")), PLAIN)
    with pytest.raises(LanguageError, match="only 38 steps"):
        unpack(LOGIC, "assume c0 " * 39 + "qed yes")


def _negated(times: int) -> str:
    return "assume " + "not " * times + "c0 qed yes"


def test_a_step_is_64_deep_and_no_deeper() -> None:
    for book in BOOKS:
        body = unpack(LOGIC, _negated(63), book)
        assert read_body(LOGIC, show_body(body)) == body
        assert body_of(LOGIC, body) == body
        assert_survives(LOGIC, body, book)
        with pytest.raises(LanguageError, match="deeper than 64"):
            unpack(LOGIC, _negated(64), book)
    assert assert_refused(LOGIC, read_tokens("assume " + "not " * 100_000), PLAIN) == 64


def test_macros_count_as_deep_as_what_they_stand_for() -> None:
    double = codebook.bare(1).with_macros([(CODE["not"], 0, CODE["not"])], "")
    assert len(unpack(LOGIC, "assume " + "M0 " * 31 + "c0 qed yes", double)) == 2
    with pytest.raises(LanguageError, match="deeper than 64"):
        unpack(LOGIC, "assume " + "M0 " * 32 + "c0 qed yes", double)


def test_a_step_has_1024_nodes_and_no_more() -> None:
    def full(levels: int) -> str:
        return "c0" if levels == 0 else f"imp {full(levels - 1)} {full(levels - 1)}"

    text = f"assume {full(9)} qed yes"
    for book in BOOKS:
        body = unpack(LOGIC, text, book)
        assert body_of(LOGIC, body) == body
        assert_survives(LOGIC, body, book)
    larger = text.replace("c0 qed", "not c0 qed")
    assert assert_refused(LOGIC, read_tokens(larger), PLAIN) == 1024
    sums = "expand eqn add+ " + "A1 " * 1100 + "end A1 qed none"
    with pytest.raises(LanguageError, match="more than 1024 nodes"):
        unpack(SOLVE, sums)


# ------------------------------------------------------------------- what readers are free to take


@pytest.mark.parametrize(
    ("problem", "text", "same"),
    [
        (GCD, "r-divmod R1 R1 A3 A21 A7 A0 qed!", "A3 A21 A7 A0 qed!"),
        (GCD, "A3 A21 A7 A0 qed A21", "A3 A21 A7 A0 qed!"),
        (GCD, "r-divmod D2 D6 T4 R1 A3 A21 A7 A0 qed!", "A3 A21 A7 A0 qed!"),
        (LOGIC, "assume or c1 c0 qed yes", "assume or c0 c1 qed yes"),
        (LOGIC, "assume or c0 or c1 c1 qed yes", "assume or c0 c1 qed yes"),
        (LOGIC, "assume or c0 c0 qed yes", "assume c0 qed yes"),
        (CLASSES, "celarent B2 B1 no c2 c1 qed yes", "celarent B2 B1 no c1 c2 qed yes"),
        (SOLVE, "expand eqn add A1 x0 A7 qed A3", "expand eqn add x0 A1 A7 qed A3"),
    ],
)
def test_readers_take_what_writers_never_write(problem: Problem, text: str, same: str) -> None:
    body = unpack(problem, text)
    assert body == unpack(problem, same)
    assert codes.names_text(pack(problem, body)) == same


# ------------------------------------------------------------------------------------- references


def _integers(numbers: list[int], problem: Problem = GCD, book: Codebook = SPELLED) -> str:
    """How a list of integers is spelled, pairwise in steps nobody foresees."""
    steps = [("r-divmod", 1, 2, a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=True)]
    body = (*steps, ("qed", 0))
    text = codes.names_text(assert_survives(problem, body, book))
    return text.replace("r-divmod A1 A2 ", "").removesuffix(" qed A0")


def test_a_large_integer_is_spelled_once() -> None:
    assert _integers([500, 500]) == "D0 D0 T5 R0"
    assert _integers([-7, -7]) == "neg A7 R0"
    assert _integers([500, -500, 500, -500]) == "D0 D0 T5 neg D0 D0 T5 R1 R1"
    assert _integers([99, 99]) == "A99 A99"
    assert _integers([462, 147]) == "R1 R1"
    assert _integers([147, 462]) == "R0 R1"


def test_a_use_moves_a_reference_to_the_front() -> None:
    assert _integers([500, 501, 500, 501, 501, 500]) == "D0 D0 T5 D1 D0 T5 R1 R1 R0 R1"


def test_the_seventeenth_reference_is_forgotten() -> None:
    numbers = list(range(200, 216))
    spelled = _integers([*numbers, 200, 200])
    assert spelled.endswith("R15 R0")
    assert _integers([*numbers, 216, 200]).endswith("D6 D1 T2 D0 D0 T2")
    assert _integers([*numbers, 462, 147]).endswith("D2 D6 T4 D7 D4 T1")


def test_problems_are_read_in_reading_order() -> None:
    problem = read_problem("(run (pipe (map (add 900 (mul 500 x0))) sort) (list 700 800))")
    body = body_of(problem, [("l-rev", ("list", 500, 900, 700, 800)), ("qed", ("list",))])
    assert problem.term[1][1][1] == ("add", ("mul", "x0", 500), 900)
    found = codes.names_text(pack(problem, body, SPELLED))
    assert found == "l-rev list R3 R3 R3 R3 end qed list end"


def test_fractions_feed_references_too() -> None:
    problem = read_problem("(eval (add (frac 1 128) 5))")
    body = body_of(problem, [("qed", ("frac", 500, 127)), ("qed", 0)][:1])
    assert codes.names_text(pack(problem, body, SPELLED)) == "qed frac D0 D0 T5 D7 D2 T1"
    body = body_of(problem, [("qed", ("frac", -3, 128))])
    assert codes.names_text(pack(problem, body, SPELLED)) == "qed frac neg A3 R1"
    assert codes.names_text(pack(problem, body, SIGNED)) == "qed frac N3 R0"


def test_integers_that_prediction_leaves_out_do_not_feed_references() -> None:
    """What a reader of codes has not read, it cannot refer to."""
    problem = read_problem("(eval (add (mul 20 30) (mul 2 3)))")
    body = body_of(
        problem, [("r-mul", 2, 3, 6), ("r-mul", 20, 30, 600), ("r-add", 6, 600, 606), ("qed", 606)]
    )
    assert codes.names_text(pack(problem, body)) == "A6 D0 D0 T6 D6 D0 T6 qed!"
    wrong = body_of(problem, [*body[:2], ("r-add", 6, 600, 600), ("qed", 600)])
    assert codes.names_text(pack(problem, wrong)) == "A6 D0 D0 T6 R0 qed!"


def test_digits_come_least_first() -> None:
    assert _integers([1234567, 0]) == "D7 D6 D5 D4 D3 D2 T1 A0"
    largest = signature.INTEGER_MAX
    assert _integers([largest, -largest]).count("D9") == 126
    assert _integers([10, 9], book=codebook.bare(0, atoms=False)).startswith(
        "r-divmod T1 T2 D0 T1 T9"
    )


def test_pairs_come_least_first_and_the_highest_is_an_atom() -> None:
    assert _integers([99, 100], book=PAIRED) == "A99 P0 A1"
    assert _integers([9999, 10_000], book=PAIRED) == "P99 A99 P0 P0 A1"
    assert _integers([1234567, -705], book=PAIRED) == "P67 P45 P23 A1 neg P5 A7"
    assert _integers([-7, -7], book=PAIRED) == "neg A7 R0"
    assert _integers([500, 500, 500, 501], book=PAIRED) == "P0 A5 R0 R0 P1 A5"
    assert _integers([462, 147], book=PAIRED) == "R1 R1"
    largest = signature.INTEGER_MAX
    most = "P99 " * 31 + "A99"
    assert _integers([largest, -largest], book=PAIRED) == f"{most} neg {most}"
    assert unpack(GCD, "r-divmod P62 A4 A1 A2 A3 qed A0", PAIRED)[0][1] == 462


def test_integers_a_little_below_zero_are_one_code_and_no_references() -> None:
    assert _integers([-1, -60], book=SIGNED) == "N1 N60"
    assert _integers([-7, -7], book=SIGNED) == "N7 N7"
    assert _integers([-61, -99, -100, -61], book=SIGNED) == "neg A61 neg A99 neg P0 A1 R2"
    assert _integers([-5, 500, -5, 500], book=SIGNED) == "N5 P0 A5 N5 R0"
    digits = codebook.bare(0, negatives=True)
    assert _integers([-60, -61, -100, -61], book=digits) == "N60 neg A61 neg D0 D0 T1 R1"
    lists = read_problem("(run (pipe sort) (list -5 300 -61 -60 -61))")
    body = body_of(lists, [("qed", ("list", -61, -60, -5, 300))])
    assert codes.names_text(assert_survives(lists, body, SIGNED)) == "qed list R0 N60 N5 R1 end"


@settings(max_examples=200, deadline=None)
@given(number=st.integers(-signature.INTEGER_MAX, signature.INTEGER_MAX), size=st.integers(1, 64))
def test_every_integer_comes_back_from_pairs(number: int, size: int) -> None:
    number = number % 10**size * (-1 if number < 0 else 1)
    packed = assert_survives(GCD, (("qed", number),), BOOKS[9])
    digits = len(str(abs(number)))
    assert len(packed) == 1 + (number < 0) + max(1, -(-digits // 2))
    signed = assert_survives(GCD, (("qed", number),), BOOKS[12])
    assert len(signed) == len(packed) - (-60 <= number < 0)
