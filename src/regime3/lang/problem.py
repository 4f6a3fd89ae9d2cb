"""Problems, and bodies of steps that answer them, read from text or from terms.

    problem = read_problem("(gcd 462 147)")
    body = read_body(problem, "(r-divmod 462 147 3 21) (r-divmod 147 21 7 0) (qed 21)")
    print(show_body(body))

A step is a tuple `(rule, *operands, *results)`; a body is a tuple of steps of which the last is
`("qed", answer)`. What is read is well typed and canonical, and may be wrong: `check` judges it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from regime3.errors import LanguageError
from regime3.lang import signature, terms
from regime3.lang.signature import Rule
from regime3.lang.terms import Term
from regime3.lang.typing import Scope, check_length, typed, typed_arguments

Step = tuple[Any, ...]
Body = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """A well-typed, canonical problem. Made by `problem_of` and `read_problem` only."""

    term: tuple[Any, ...]
    kind: str
    """The name at its head: eval, solve, gcd, mod, factor, entails, follows or run."""
    constants: int = 0
    """k: it uses exactly c0 .. c(k-1)."""
    premises: tuple[Term, ...] = ()
    """Of entails and follows: lines l1, l2, …"""
    goal: Term | None = None
    answer: str = "Num"
    """The type of its answer."""


def read_problem(text: str) -> Problem:
    """The problem that the text holds. Raises `LanguageError` with a caret."""
    term = terms.parse(text)
    try:
        return problem_of(term)
    except LanguageError as error:
        raise _placed(error, text, 0) from None


def problem_of(term: Term) -> Problem:
    """The problem that a term is; it need not be canonical yet."""
    if terms.size(term) > signature.PROBLEM_NODES_MAX:
        raise LanguageError(f"more than {signature.PROBLEM_NODES_MAX} nodes")
    found = typed(term, "Z", Scope())
    assert isinstance(found, tuple)
    kind = found[0]
    constants = _constants(found)
    if kind in ("entails", "follows"):
        premises = found[1][1:]
        if len(premises) >= signature.LINES_MAX:
            raise LanguageError(f"more than {signature.LINES_MAX - 1} premises", path=(0,))
        return Problem(found, kind, constants, premises, found[2], signature.answer_type(kind))
    return Problem(found, kind, answer=signature.answer_type(kind, folds(found)))


def folds(term: tuple[Any, ...]) -> bool:
    """Whether a problem is a pipeline that ends in a fold, so that its answer is an integer."""
    return bool(term[0] == "run" and isinstance(term[1][-1], tuple) and term[1][-1][0] == "fold")


def _constants(term: Term) -> int:
    """k, if the constants are exactly c0 .. c(k-1); else `LanguageError`."""
    found: set[int] = set()
    waiting: list[Term] = [term]
    while waiting:
        each = waiting.pop()
        if isinstance(each, tuple):
            waiting.extend(each[1:])
        elif isinstance(each, str) and each[0] == "c" and each[1:].isdigit():
            found.add(int(each[1:]))
    if found != set(range(len(found))):
        missing = min(set(range(len(found))) - found)
        raise LanguageError(f"constants are numbered from c0 without gaps: c{missing} is missing")
    if len(found) > signature.CONSTANTS_MAX:
        raise LanguageError(f"more than {signature.CONSTANTS_MAX} constants")
    return len(found)


def line_of(problem: Problem, index: int) -> int:
    """The line that the step at 0-based `index` is; premises are the lines before."""
    return len(problem.premises) + index + 1


def step_of_term(problem: Problem, term: Term, index: int) -> Step:
    """The step that `term` is, typed and canonical, at 0-based `index` of a body.

    Raises `LanguageError` with a path.
    """
    if not isinstance(term, tuple):
        raise LanguageError(f"a step is (rule …), not {str(term)[:32]}")
    if terms.size(term) > signature.PROBLEM_NODES_MAX:
        raise LanguageError(f"more than {signature.PROBLEM_NODES_MAX} nodes in a step")
    if index >= signature.STEPS_MAX:
        raise LanguageError(f"more than {signature.STEPS_MAX} steps")
    name = term[0]
    line = line_of(problem, index)
    scope = Scope(problem.constants, line)
    if name == "qed":
        return (name, *typed_arguments(term, (problem.answer,), scope, ()))
    rule = _rule(problem, name)
    if problem.kind in ("entails", "follows") and line > signature.LINES_MAX:
        raise LanguageError(f"more than {signature.LINES_MAX} lines")
    step = (name, *typed_arguments(term, rule.slots, scope, ()))
    if name == "try":
        check_length("try", len(step) - 1, ())
    return step


def _rule(problem: Problem, name: str) -> Rule:
    rule = signature.rule_slots(problem.kind, name)
    if rule is None:
        known = any(name in rules for rules in signature.RULES.values())
        what = f"no rule of {problem.kind}" if known else "no rule"
        raise LanguageError(f"{name} is {what}")
    return rule


def body_of(problem: Problem, steps: tuple[Term, ...] | list[Term]) -> Body:
    """A body from terms, typed and canonical; the last step, and only it, is the answer."""
    body = tuple(step_of_term(problem, step, index) for index, step in enumerate(steps))
    ends = [index for index, step in enumerate(body) if step[0] == "qed"]
    if ends != [len(body) - 1]:
        raise LanguageError("a body ends in one (qed …)")
    return body


def read_body(problem: Problem, text: str) -> Body:
    """The body that the text holds. Raises `LanguageError` with a caret."""
    terms.check_size(text)
    steps: list[Step] = []
    for start, end in cut_steps(text):
        if steps and steps[-1][0] == "qed":
            raise LanguageError("nothing may follow (qed …)", text, start)
        steps.append(read_step(problem, text, start, end, len(steps)))
    if not steps or steps[-1][0] != "qed":
        raise LanguageError("(qed …) is missing", text, len(text))
    return tuple(steps)


def read_step(problem: Problem, text: str, start: int, end: int, index: int) -> Step:
    """The step at 0-based `index` in `text[start:end]`, cut by `cut_steps`."""
    term, position = terms.parse_at(text, start)
    if position != end:
        raise LanguageError("nothing may stand between steps", text, position)
    try:
        return step_of_term(problem, term, index)
    except LanguageError as error:
        raise _placed(error, text, start) from None


def _placed(error: LanguageError, text: str, start: int) -> LanguageError:
    return LanguageError(error.reason, text, terms.place(text, error.path, start))


_BRACKET = re.compile(r"[()]")


def cut_steps(text: str) -> list[tuple[int, int]]:
    """Where each step begins and ends, by brackets alone; nothing is read.

    What stands between steps, and a last step that never closes, are pieces of their own.
    """
    pieces: list[tuple[int, int]] = []
    depth = start = end = 0
    for bracket in _BRACKET.finditer(text):
        position = bracket.start()
        if bracket[0] == "(":
            if depth == 0:
                _add_ink(pieces, text, end, position)
                start = position
            depth += 1
        elif depth > 0:
            depth -= 1
            end = position + 1
            if depth == 0:
                pieces.append((start, end))
    _add_ink(pieces, text, start if depth else end, len(text))
    return pieces


def _add_ink(pieces: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    """Whatever is not blank between two steps is a piece, so that somebody refuses it."""
    ink = terms.INK.search(text, start, end)
    if ink:
        pieces.append((ink.start(), start + len(text[start:end].rstrip())))


def show_step(step: Step) -> str:
    """One step as text."""
    return terms.show(step)


def show_body(body: Body) -> str:
    """The body as text, one step a line."""
    return "\n".join(terms.show(step) for step in body)
