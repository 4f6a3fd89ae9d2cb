"""Whatever is chosen under a mask decodes, types, ends in time; and masks exclude nothing else."""

from __future__ import annotations

import random
from math import gcd, prod

import numpy as np
import pytest

from regime3.errors import LanguageError
from regime3.lang.codebook import Codebook
from regime3.lang.codes import CODE, CODES_MAX, END, FIRST_MACRO, names_text, read_tokens
from regime3.lang.masks import BUDGET_MAX, Constrainer, Masks, fractions, rows
from regime3.lang.masks import constrainer as constrainer_module
from regime3.lang.pack import Packer
from regime3.lang.problem import Problem, body_of, read_body, read_problem
from regime3.lang.spelling import ATOMIC, PAIRED, Spelling
from regime3.lang.unpack import Unpacker
from tests.lang import corpus
from tests.lang.sampling import PROBLEMS, books, finish, randomly

BOOKS = books()
NEAR = (*range(2, 13), 20, 60)


@pytest.fixture(params=PROBLEMS)
def problem(request: pytest.FixtureRequest) -> Problem:
    return read_problem(PROBLEMS[request.param])


@pytest.fixture(params=BOOKS)
def book(request: pytest.FixtureRequest) -> Codebook:
    return BOOKS[request.param]


def test_every_choice_decodes_to_a_typed_body_within_any_budget(
    problem: Problem, book: Codebook
) -> None:
    unpacker = Unpacker(book)
    least = Constrainer(problem, book, 100).least
    for budget in (least + extra for extra in NEAR):
        codes = finish(Constrainer(problem, book, budget), randomly(budget))
        assert len(codes) <= budget
        body = unpacker.unpack(problem, codes)
        assert body_of(problem, body) == body


@pytest.mark.parametrize(
    "name", ["with macros", "pairs with macros", "negatives", "negatives, pairs, macros"]
)
def test_the_mask_allows_what_unpacking_reads_and_nothing_else(problem: Problem, name: str) -> None:
    """At places of random bodies each of the 512 codes is asked for."""
    book = BOOKS[name]
    unpacker = Unpacker(book)
    row, draw = Constrainer(problem, book, 1000), random.Random("places")
    codes: list[int] = []
    while not row.done and len(codes) < 40:
        allowed = row.mask()
        if draw.random() < 0.15 and not _in_fraction(codes):
            for code in range(CODES_MAX):
                reads = _reads(unpacker, problem, [*codes, code])
                assert allowed[code] == reads, (names_text(codes), code)
        codes.append(int(draw.choice(np.flatnonzero(allowed))))
        row.advance(codes[-1])


def _in_fraction(codes: list[int]) -> bool:
    """Whether the codes are after a numerator, where masks look farther ahead than unpacking."""
    fractions_begin = {CODE["frac"], FIRST_MACRO + 5, FIRST_MACRO + 10}
    return bool(fractions_begin & set(codes[-8:]))


def _reads(unpacker: Unpacker, problem: Problem, codes: list[int]) -> bool:
    """Whether the codes are a body or begin one."""
    try:
        unpacker.unpack(problem, codes)
    except LanguageError as error:
        return error.position == len(codes)
    return True


def test_every_packed_body_passes_its_own_mask(book: Codebook) -> None:
    for example in corpus.examples():
        problem = read_problem(example["problem"])
        codes = Packer(book).pack(problem, read_body(problem, example["body"]))
        row = Constrainer(problem, book, len(codes) + 6)
        for code in codes:
            row.advance(code)
        assert row.done


def test_masks_are_the_same_made_anew(problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """No mask that is looked up stands for a place that it was not made for."""
    book = BOOKS["strategy 2"]
    for seed in range(3):
        warm, codes = Constrainer(problem, book, 12), []
        choose = randomly(seed)
        while not warm.done:
            fresh = Masks(book)
            monkeypatch.setattr(constrainer_module, "masks_of", lambda book, fresh=fresh: fresh)
            cold = Constrainer(problem, book, 12)
            for code in codes:
                cold.advance(code)
            assert (cold.mask() == warm.mask()).all(), names_text(codes)
            codes.append(choose(np.flatnonzero(warm.mask())))
            warm.advance(codes[-1])


def test_the_budget_left_counts_down_by_one(problem: Problem, book: Codebook) -> None:
    row, choose = Constrainer(problem, book, 50), randomly("budget")
    for left in range(50, 0, -1):
        assert row.budget_left == left
        row.advance(choose(np.flatnonzero(row.mask())))
        if row.done:
            break


@pytest.mark.parametrize("name", BOOKS)
def test_the_most_expensive_choices_still_end_in_time(name: str, problem: Problem) -> None:
    book = BOOKS[name]
    for budget in (20, 21, 90):
        row = Constrainer(problem, book, budget)

        def expensive(allowed: np.ndarray, row: Constrainer = row) -> int:
            moves = row._state.moves
            return int(max(allowed, key=lambda code: (moves[int(code)].cost, -int(code))))

        codes = finish(row, expensive)
        assert budget - 3 <= len(codes) <= budget
        Unpacker(book).unpack(problem, codes)


def _follow(problem: str, wish: str, book: str = "strategy 2", budget: int = 2200) -> list[int]:
    """The codes, where the wished ones are taken as long as they may be, in that order."""
    wishes = read_tokens(wish)
    codes = finish(
        Constrainer(read_problem(problem), BOOKS[book], budget),
        lambda allowed: next((c for c in wishes if c in allowed), int(allowed[-1])),
    )
    Unpacker(BOOKS[book]).unpack(read_problem(problem), codes)
    return codes


def test_lists_depth_and_digits_stop_at_their_limits() -> None:
    items = _follow("(run (pipe sort) (list 1))", "qed list A7")
    assert items.count(CODE["A7"]) == 64
    deep = _follow("(entails (given) c0)", "not assume c0")
    assert deep.count(CODE["not"]) >= 63
    long = _follow("(gcd 462 147)", "qed D9 T9")
    assert long.count(CODE["D9"]) == 63
    paired = _follow("(gcd 462 147)", "qed P99 A99", "pairs alone")
    assert names_text(paired) == "qed " + "P99 " * 31 + "A99"


def test_a_step_stops_at_a_thousand_nodes() -> None:
    codes = _follow("(entails (given) c0)", "and+ assume c0", budget=1200)
    step = codes[: codes.index(CODE["assume"], 1)]
    assert 1000 < sum(code != END for code in step) <= 1024


def test_steps_and_lines_stop_at_their_limits() -> None:
    assert _follow("(gcd 462 147)", "long-div A1").count(CODE["long-div"]) == 511
    assert _follow("(entails (given c0 c1) c0)", "efq B1").count(CODE["efq"]) == 38
    assert _follow("(entails (given) c0)", "efq assume B1 c0").count(CODE["efq"]) == 39


def test_a_rule_that_names_a_line_waits_for_one() -> None:
    row = Constrainer(read_problem("(entails (given) c0)"), BOOKS["strategy 2"], 50)
    assert not row.mask()[CODE["efq"]] and row.mask()[CODE["assume"]]
    for code in read_tokens("assume c0"):
        row.advance(code)
    assert row.mask()[CODE["efq"]]


def test_a_macro_passes_only_where_its_expansion_types() -> None:
    book = BOOKS["with macros"]
    row = Constrainer(read_problem(PROBLEMS["solve"]), book, 50)
    sub_both, assume = FIRST_MACRO + 2, FIRST_MACRO
    assert row.mask()[sub_both] and not row.mask()[assume]


def test_bare_results_and_the_implied_answer_come_when_the_replay_has_them() -> None:
    row = Constrainer(read_problem("(gcd 462 147)"), BOOKS["strategy 2"], 50)
    assert row.mask()[CODE["A3"]] and not row.mask()[CODE["qed!"]]
    for code in read_tokens("A3 A21 A7 A0"):
        row.advance(code)
    assert row.mask()[CODE["qed!"]] and not row.mask()[CODE["A3"]]
    plain = Constrainer(read_problem("(gcd 462 147)"), BOOKS["strategy 0"], 50)
    assert not plain.mask()[CODE["A3"]] and not plain.mask()[CODE["qed!"]]


PRIMES = [p for p in range(2, 150) if all(p % q for q in range(2, p))]


def test_fractions_end_in_time_below_any_numerator() -> None:
    """Below a numerator that all primes under 100 divide, no atom will do."""
    hard = prod(p for p in PRIMES if p < 100)
    for name in (*list(BOOKS)[:1], *list(BOOKS)[3:]):
        for number in (hard, 210, 30, 2 * prod(PRIMES[10:])):
            problem = read_problem(f"(eval (div {number} 7))")
            for seed, budget in enumerate((6, 7, 8, 9, 12) * 4):
                codes = _fractional(problem, BOOKS[name], budget, seed)
                assert len(codes) <= budget
                Unpacker(BOOKS[name]).unpack(problem, codes)


def test_without_references_no_denominator_is_one() -> None:
    row = Constrainer(read_problem("(eval (div 9 6))"), BOOKS["without references"], 50)
    for code in read_tokens("r-add D1 D2 T3 frac A1"):
        row.advance(code)
    assert row.mask()[CODE["A2"]] and not row.mask()[CODE["R0"]]


def _fractional(problem: Problem, book: Codebook, budget: int, seed: int) -> list[int]:
    """Codes that answer with a fraction, over a number of H where they can."""
    draw = random.Random(seed)
    wishes = read_tokens("qed frac R0") if seed % 2 else read_tokens("r-add A1 T1 frac R0 R1 P0")

    def choose(allowed: np.ndarray) -> int:
        wished = [code for code in wishes if code in allowed and draw.random() < 0.9]
        return wished[0] if wished else int(draw.choice(allowed))

    return finish(Constrainer(problem, book, budget), choose)


@pytest.mark.parametrize("spelled", [ATOMIC, PAIRED])
def test_the_digits_that_a_denominator_still_needs_are_counted_right(spelled: Spelling) -> None:
    draw, base = random.Random("digits"), spelled.base
    for _ in range(300):
        above = draw.choice([draw.randrange(1, 10**6), 2 * 3 * 5 * 7 * 11 * 13 * 17])
        count = draw.randrange(4)
        low = draw.randrange(base**count)
        found = fractions.digits_left(above, low, count, spelled)
        tries = [
            more
            for more in range(max(1, spelled.digits_least - count), spelled.digits_least + 1)
            for top in range(base ** (more - 1), base**more)
            if gcd(low + top * base**count, above) == 1
        ]
        assert found == (tries[0] if tries else fractions.NEVER)


def test_no_denominator_of_pairs_has_more_than_64_digits() -> None:
    """31 pairs leave room for the highest alone, and it must not spoil the lowest terms."""
    row = Constrainer(read_problem("(eval (div 9 6))"), BOOKS["pairs"], 2000)
    for code in read_tokens("r-add A1 A1 frac A33 " + "P1 " * 31):
        assert row.mask()[code]
        row.advance(code)
    low = int("01" * 31)
    allowed = [CODE[f"A{top}"] for top in range(1, 100) if gcd(low + top * 10**62, 33) == 1]
    assert np.flatnonzero(row.mask()).tolist() == allowed


def test_pairs_spell_what_a_mask_must_know() -> None:
    """Numerators and denominators half written in pairs, and what H is after them."""
    row = Constrainer(read_problem("(eval (div 9 6))"), BOOKS["pairs"], 2000)
    for code in read_tokens("r-add neg P5 A1 A1 frac P5 A1"):
        row.advance(code)
    assert row._long == [-105, 105]
    mask = row.mask()
    assert not mask[CODE["A21"]] and mask[CODE["A22"]] and not mask[CODE["P5"]] and mask[CODE["P7"]]
    assert not mask[CODE["R0"]] and not mask[CODE["D1"]] and not mask[CODE["neg"]]
    row.advance(CODE["P7"])
    wrong = [top for top in range(1, 100) if gcd(105, 7 + 100 * top) > 1]
    assert wrong and not any(row.mask()[CODE[f"A{top}"]] for top in [0, *wrong])
    assert row.mask()[CODE["A1"]]


def _signs(row: Constrainer) -> set[str]:
    """What the mask allows of the codes that only negative integers need."""
    names = {names_text([int(code)]) for code in np.flatnonzero(row.mask())}
    return {name for name in names if name == "neg" or name[0] == "N"}


@pytest.mark.parametrize("name", ["negatives", "negatives alone", "negatives and pairs"])
def test_after_neg_comes_only_what_is_no_code_of_its_own(name: str) -> None:
    negatives = {f"N{number}" for number in range(1, 61)}
    row = Constrainer(read_problem("(eval (div 9 6))"), BOOKS[name], 2000)
    for code in read_tokens("r-add"):
        row.advance(code)
    assert _signs(row) == {"neg", *negatives}
    row.advance(CODE["neg"])
    digits = "P" if BOOKS[name].options["pairs"] else "D"
    count = 100 if digits == "P" else 10
    allowed = [CODE[f"A{number}"] for number in range(61, 100)]
    allowed += [CODE[f"{digits}{digit}"] for digit in range(count)]
    assert np.flatnonzero(row.mask()).tolist() == sorted(allowed)
    for code in read_tokens("A61 A1 frac"):
        row.advance(code)
    assert _signs(row) == {"neg", *negatives}, "a numerator may be negative"
    row.advance(CODE["N30"])
    mask = row.mask()
    assert not _signs(row), "no denominator is negative"
    assert [n for n in range(100) if mask[CODE[f"A{n}"]]] == [
        n for n in range(2, 100) if gcd(30, n) == 1
    ]


def test_negatives_of_one_code_enter_no_history() -> None:
    row = Constrainer(read_problem("(gcd 462 147)"), BOOKS["negatives and pairs"], 200)
    for code in read_tokens("long-div N5 N60 neg A61 qed"):
        row.advance(code)
    assert row._recent == [462, 147, -61]
    assert row.mask()[CODE["R2"]] and not row.mask()[CODE["R3"]]


def test_lists_of_negatives_are_told_without_being_read() -> None:
    """What a bare list says is known from its codes: the replay goes on with it."""
    problem = read_problem("(run (pipe (map (sub x0 50)) sort) (list 3 -70 700))")
    body = read_body(
        problem,
        "(l-map (list -47 -120 650)) (l-sort (list -120 -47 650)) (qed (list -120 -47 650))",
    )
    for name, book in BOOKS.items():
        codes = Packer(book).pack(problem, body)
        row = Constrainer(problem, book, len(codes) + 6)
        for code in codes:
            row.advance(code)
        assert row.done and Unpacker(book).unpack(problem, codes) == body, name


def test_a_numerator_of_one_negative_code_leaves_room_for_its_denominator() -> None:
    """-30 is prime to a number of one code; -2 to -60 all are, so nothing is excluded."""
    row = Constrainer(read_problem("(eval (div 9 6))"), BOOKS["negatives and pairs"], 4)
    for code in read_tokens("qed frac"):
        row.advance(code)
    assert row.budget_left == 2 and {f"N{number}" for number in range(1, 61)} == _signs(row)
    for code in read_tokens("N30 A7"):
        row.advance(code)
    assert row.done


def test_a_code_that_the_mask_excludes_is_refused() -> None:
    row = Constrainer(read_problem("(gcd 462 147)"), BOOKS["strategy 2"], 50)
    for code in (CODE["r-add"], 511, 512, -1):
        with pytest.raises(LanguageError, match="may not stand here"):
            row.advance(code)
    row.advance(CODE["A3"])


def test_a_budget_that_no_answer_fits_is_refused() -> None:
    problem = read_problem("(factor 12)")
    with pytest.raises(LanguageError, match="a budget of 2 codes"):
        Constrainer(problem, BOOKS["strategy 2"], 2)
    with pytest.raises(LanguageError, match="codes"):
        Constrainer(problem, BOOKS["strategy 2"], BUDGET_MAX + 1)


def test_rows_that_were_forgotten_are_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "ROWS_MAX", 4)
    problem, masks = read_problem(PROBLEMS["eval"]), Masks(BOOKS["strategy 2"])
    monkeypatch.setattr(constrainer_module, "masks_of", lambda book: masks)
    several = [Constrainer(problem, BOOKS["strategy 2"], 200) for _ in range(8)]
    choose = randomly("rows")
    for _ in range(20):
        for row in several:
            if not row.done:
                row.advance(choose(np.flatnonzero(row.mask())))
            place = row.row.place if row.row.place >= 0 else masks.rows.put(row.row)
            assert (masks.rows.matrix[place] == row.mask()).all()
    assert masks.rows.epoch > 0


def test_the_static_part_alone_lets_through_what_cannot_be_decoded(problem: Problem) -> None:
    book = BOOKS["strategy 2"]
    unpacker, lost = Unpacker(book), 0
    for seed in range(30):
        codes = finish(Constrainer(problem, book, 40, loose=True), randomly(seed))
        assert len(codes) <= 40
        lost += not _reads(unpacker, problem, codes)
    assert lost > 0
