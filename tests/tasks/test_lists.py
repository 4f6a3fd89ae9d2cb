"""List programs: the oracle agrees with Python, and words say which program is meant."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from regime3.lang.check import check
from regime3.lang.problem import Problem, problem_of, read_problem
from regime3.lang.terms import Term
from regime3.tasks.draw import Draw
from regime3.tasks.families.lists import FAMILY, HARD_FOLDS, SHAPES, VALUE_MAX

COUNT = 60
LEVELS = range(1, 11)
OPERATORS = {"add": "+", "sub": "-", "mul": "*", "rem": "%", "lt": "<", "le": "<=", "eq": "=="}


def drawn(level: int, count: int = COUNT) -> list[Problem]:
    terms = [FAMILY.draw(level, Draw(f"lists {level} {i}")).term for i in range(count)]
    return [problem_of(term) for term in terms]


def python(term: Term) -> str:
    """A body or condition as a Python expression."""
    if not isinstance(term, tuple):
        return f"({term})"
    name, *parts = term
    written = [python(part) for part in parts]
    if name == "not":
        return f"(not {written[0]})"
    return f"({f' {OPERATORS.get(name, name)} '.join(written)})"


def run(pipe: Any, items: list[int]) -> Term:
    """The value of a pipeline, by Python's own arithmetic."""
    for stage in pipe[1:]:
        match stage:
            case "sort":
                items = sorted(items)
            case "rev":
                items = items[::-1]
            case ("take", n):
                items = items[:n]
            case ("drop", n):
                items = items[n:]
            case ("map", body):
                items = [eval(python(body), {"x0": x0}) for x0 in items]
            case ("filter", condition):
                items = [x0 for x0 in items if eval(python(condition), {"x0": x0})]
            case ("fold", body, total):
                for x1 in items:
                    total = eval(python(body), {"x0": total, "x1": x1})
                return int(total)
    return ("list", *items)


@pytest.mark.parametrize("level", LEVELS)
def test_the_answer_is_pythons(level: int) -> None:
    for problem in drawn(level):
        _, pipe, (_, *items) = problem.term
        body = FAMILY.solve(problem)
        assert body[-1] == ("qed", run(pipe, items)), problem.term
        assert check(problem, body).accepted


@pytest.mark.parametrize(
    "program, answer",
    [
        ("(pipe (filter (lt 9 x0))) (list 1 2)", ("list",)),
        ("(pipe (take 9) rev) (list 1 2)", ("list", 2, 1)),
        ("(pipe (drop 9) (fold (add x0 x1) 5)) (list 1 2)", 5),
        ("(pipe (map (rem x0 5))) (list -1 -7)", ("list", 4, 3)),
        ("(pipe sort (fold (sub x1 x0) 0)) (list 3 -1 2)", 3 - (2 - (-1 - 0))),
        ("(pipe (filter (not (eq (rem x0 2) 0)))) (list 1 2 3)", ("list", 1, 3)),
        ("(pipe (filter (or (lt x0 0) (lt 5 x0)))) (list -1 3 6)", ("list", -1, 6)),
    ],
)
def test_edges_are_as_python_has_them(program: str, answer: Term) -> None:
    problem = read_problem(f"(run {program})")
    body = FAMILY.solve(problem)
    assert body[-1] == ("qed", answer)
    assert check(problem, body).accepted


def test_one_step_a_stage_and_one_for_each_number_folded() -> None:
    problem = read_problem("(run (pipe sort (take 2) (fold (add x0 x1) 0)) (list 9 3 5 1))")
    rules = [step[0] for step in FAMILY.solve(problem)]
    assert rules == ["l-sort", "l-take", "l-fold", "l-fold", "qed"]


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_keeps_to_its_shape(level: int) -> None:
    shape = SHAPES[level - 1]
    for problem in drawn(level):
        _, pipe, (_, *items) = problem.term
        assert shape.stages[0] <= len(pipe) - 1 <= shape.stages[1]
        assert shape.length[0] <= len(items) <= shape.length[1]
        for step in FAMILY.solve(problem)[:-1]:
            result = step[-1]
            numbers = result[1:] if isinstance(result, tuple) else (result,)
            assert all(abs(number) <= VALUE_MAX for number in numbers)


def test_every_stage_comes_up_in_the_hardest_levels() -> None:
    pipes = [problem.term[1][1:] for level in (8, 9, 10) for problem in drawn(level)]
    found = Counter(
        stage if isinstance(stage, str) else stage[0] for pipe in pipes for stage in pipe
    )
    assert set(found) == {"sort", "rev", "take", "drop", "map", "filter", "fold"}
    assert min(found.values()) >= 10, found


def test_most_filters_keep_some_and_drop_some() -> None:
    split = idle = 0
    for problem in drawn(3, 300):
        _, (_, stage), (_, *items) = problem.term
        if isinstance(stage, tuple) and stage[0] == "filter":
            kept = len(FAMILY.solve(problem)[-1][1]) - 1
            split += 0 < kept < len(items)
            idle += kept in (0, len(items))
    assert split > 5 * idle > 0


def test_words_name_one_stage_only() -> None:
    menus = {each for shape in SHAPES for group in shape.plain for each in group} | set(HARD_FOLDS)
    meant: dict[str, Term] = {}
    for number in range(60):
        items = [3, 40, 17, -5, 60]
        for place, menu in enumerate(sorted(menus, key=lambda each: each.__name__)):
            stage, phrases = menu(Draw(f"words {number} {place}"), items)
            for phrase in phrases:
                assert meant.setdefault(phrase, stage) == stage, phrase
    assert len(meant) > 300
