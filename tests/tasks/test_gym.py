"""Third-party tasks: drawn by key, split by what they ask, and the same problem in codes."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from regime3 import tasks
from regime3.errors import InputRefused, Unavailable
from regime3.lang.codebook import Codebook, shipped
from regime3.lang.fingerprint import fingerprint
from regime3.lang.problem import read_problem
from regime3.lang.terms import Term, show
from regime3.tasks import gym, gym_questions
from regime3.tasks.verdict import judge_row

COUNT = 20

each_mapped = pytest.mark.parametrize("task", gym_questions.TASKS)


@pytest.fixture(scope="module")
def book() -> Codebook:
    return shipped()


def asked(task: str, **parts: Any) -> str:
    """A question in the words of the package."""
    words = {
        "basic_arithmetic": "Calculate {e}.",
        "chain_sum": "State the final answer to the following arithmetic problem: {e} =",
        "gcd": "Find the Greatest Common Divisor (GCD) of these numbers: {e}. Give only the GCD as "
        "your final answer.",
        "simple_equations": "Determine the value of q that satisfies: {e}",
        "number_sorting": "Sort these numbers in descending order: {e}\nPlease follow …",
        "fraction_simplification": "Simplify the fraction {e} to its lowest terms. Give only the "
        "simplified fraction as your final answer.",
        "syllogism": "Consider these statements:\n1. {e}\n2. {f}\n\nDoes it logically follow that:"
        "\n{g}?\n(Answer Yes or No)",
    }
    return words[task].format(**parts)


def drawn(task: str, question: str, answer: str) -> gym.GymSample:
    return gym.GymSample(task, question, answer, {}, "train", 0)


# The questions, without the package ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "text", "term"),
    [
        ("chain_sum", "7 - 12 + 3", "(eval (add (sub 7 12) 3))"),
        ("basic_arithmetic", "-( 3 + 5 ) * -2", "(eval (mul (sub 0 (add 3 5)) -2))"),
        ("basic_arithmetic", "-5 - -3 * 2", "(eval (sub -5 (mul -3 2)))"),
        ("basic_arithmetic", "84 / ( 3 + 4 )", "(eval (div 84 (add 3 4)))"),
        ("gcd", "462, 147", "(gcd 462 147)"),
        ("simple_equations", "92 - 3*q = -1", "(solve (eqn (sub 92 (scale 3 x0)) -1))"),
        ("number_sorting", "3.0, -1.0, -0.0", "(run (pipe sort rev) (list 3 -1 0))"),
        ("fraction_simplification", "$\\frac{12}{18}$", "(eval (div 12 18))"),
        ("fraction_simplification", "12/18", "(eval (div 12 18))"),
    ],
)
def test_a_question_that_is_ours_is_read_word_for_word(task: str, text: str, term: str) -> None:
    assert gym_questions.read(task, asked(task, e=text)) == read_problem(term)


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("basic_arithmetic", "7 / 2"),  # the package floors: 3
        ("basic_arithmetic", "7 / 2 * 2"),
        ("basic_arithmetic", "7 / ( 3 - 3 )"),
        ("basic_arithmetic", "2 ** 3"),
        ("basic_arithmetic", "7 // 2"),
        ("basic_arithmetic", "( 7"),
        ("chain_sum", "9" * 65 + " + 1"),
        ("gcd", "12, 18, 24"),
        ("gcd", "0, 0"),
        ("simple_equations", "q*q = 4"),
        ("simple_equations", "3*z = 6"),
        ("number_sorting", "3.0, 1.5"),
        ("fraction_simplification", "-1/2"),
    ],
)
def test_a_question_that_is_only_near_ours_is_refused(task: str, text: str) -> None:
    assert gym_questions.read(task, asked(task, e=text)) is None


def test_classes_are_numbered_as_they_are_named() -> None:
    question = asked("syllogism", e="No ants are bees", f="Some cats are not bees",
                     g="All cats are ants")  # fmt: skip
    problem = gym_questions.read("syllogism", question)
    assert problem is not None
    assert show(problem.term) == "(follows (given (no c0 c1) (some-not c2 c1)) (all c2 c0))"


def test_other_tasks_and_other_words_are_none_of_ours() -> None:
    assert gym_questions.read("lcm", "Find the Least Common Multiple (LCM) of: 4, 6") is None
    assert gym_questions.read("gcd", "What is the gcd of 12 and 18?") is None


@pytest.mark.parametrize(
    ("task", "text", "right", "wrong"),
    [
        ("gcd", "21", 21, 7),
        ("chain_sum", "-2", -2, 2),
        ("prime_factorization", "2 × 2 × 3", ("factors", 2, 2, 3), ("factors", 2, 3)),
        ("fraction_simplification", "$\\dfrac{2}{3}$", ("frac", 2, 3), ("frac", 3, 2)),
        ("number_sorting", "['3.0', '-1.0']", ("list", 3, -1), ("list", -1, 3)),
        ("syllogism", "Yes", "yes", ("counter", ("elem", "c0"))),
        ("syllogism", "No", ("counter", ("elem", "c0")), "yes"),
    ],
)
def test_answers_agree_when_they_say_the_same(
    task: str, text: str, right: Term, wrong: Term
) -> None:
    assert gym_questions.agrees(task, text, right)
    assert not gym_questions.agrees(task, text, wrong)


def test_a_wrong_answer_of_the_package_is_not_translated(book: Codebook) -> None:
    question = asked("syllogism", e="All ants are bees", f="Some bees are cats",
                     g="Some ants are cats")  # fmt: skip
    assert gym.translated_rows(drawn("syllogism", question, "Yes"), book) is None
    assert gym.translated_rows(drawn("syllogism", question, "No"), book) is not None


def test_a_machine_without_the_package_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "reasoning_gym":
            raise ImportError("No module named 'reasoning_gym'")
        return imported(name, *rest, **more)

    gym._package.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(Unavailable, match=r"pip install 'regime3\[gym\]'"):
        gym.names()


# With the package ---------------------------------------------------------------------------------


def test_usable_tasks_leave_out_verifiers_that_run_the_answer() -> None:
    usable = set(gym.names())
    assert set(gym_questions.TASKS) <= usable
    assert not usable & set(gym.EVALUATES)
    assert gym._package().factory.DATASETS.keys() >= gym.UNUSABLE


def test_the_same_key_draws_the_same_question_and_neighbours_differ() -> None:
    first = [gym.sample("chain_sum", "train", index) for index in range(COUNT)]
    again = [gym.sample("chain_sum", "train", index) for index in range(COUNT)]
    assert first == again
    questions = {each.question for each in first}
    assert len(questions) > COUNT * 0.9
    other = {gym.sample("chain_sum", "heldout", index).question for index in range(COUNT)}
    assert not questions & other


@pytest.mark.parametrize("task", ["acre", "gsm_symbolic", "list_functions", "letter_counting"])
def test_any_task_gives_rows_that_its_own_verifier_accepts(task: str) -> None:
    found = gym.sample(task, "train", 1)
    assert found == gym.sample(task, "train", 1)
    assert gym.score(found, found.answer) == 1.0
    assert gym.score(found, "no such answer") < 1.0


@pytest.mark.parametrize(
    ("task", "answer"),
    [("prime_factorization", "two × three"), ("coin_flip", "1e999"), ("game_of_life", '{"a": 1}')],
)
def test_a_verifier_that_breaks_gives_nothing(task: str, answer: str) -> None:
    assert gym.score(gym.sample(task, "train", 0), answer) == 0.0


def test_a_row_is_question_and_answer_in_regime_1() -> None:
    found = gym.sample("gcd", "heldout", 3, level=2)
    row = gym.row(found)
    assert [each["content"] for each in row["messages"]] == [found.question, found.answer]
    assert {key: row[key] for key in row if key != "messages"} == {
        "task": "gcd", "family": "gym:gcd", "regime": 1, "split": "heldout", "index": 3, "level": 2,
    }  # fmt: skip


def test_a_problem_of_ours_is_held_out_here_as_it_is_there() -> None:
    for index in range(COUNT):
        problem = gym.mapped(gym.sample("gcd", "heldout", index))
        assert problem is not None
        assert tasks.split_of(fingerprint(problem)) == "heldout"


@each_mapped
def test_translations_are_right_in_both_regimes(task: str, book: Codebook) -> None:
    given = 0
    for index in range(COUNT):
        found = gym.sample(task, "train", index)
        for row in gym.translated_rows(found, book) or ():
            given += 1
            assert judge_row(row, book).valid
            assert row["messages"][1]["content"] == found.question
            assert row["family"] == f"gym:{task}" and row["split"] == "train"
    assert given >= COUNT or task == "number_sorting"  # whole numbers alone are rare there


def test_a_list_of_whole_numbers_is_sorted_in_both_regimes(book: Codebook) -> None:
    question = asked("number_sorting", e="3.0, -1.0, 12.0")
    found = gym.translated_rows(drawn("number_sorting", question, "['12.0', '3.0', '-1.0']"), book)
    assert found is not None
    assert [row["regime"] for row in found] == [2, 3]
    assert found[0]["messages"][2]["content"] == "(qed (list 12 3 -1))"


@pytest.mark.parametrize(
    ("task", "split", "index", "level", "reason"),
    [
        ("no_such", "train", 0, None, "does not exist"),
        ("countdown", "train", 0, None, "cannot be used"),
        ("gcd", "test", 0, None, "no split"),
        ("gcd", "train", -1, None, "numbered from 0"),
        ("gcd", "train", 0, 11, "levels 1 to 10"),
        ("acre", "train", 0, 1, "has no levels"),
        ("caesar_cipher", "train", 0, 10, "has no level 10"),
    ],
)
def test_what_does_not_exist_is_refused(
    task: str, split: Any, index: int, level: int | None, reason: str
) -> None:
    with pytest.raises(InputRefused, match=reason):
        gym.sample(task, split, index, level)
