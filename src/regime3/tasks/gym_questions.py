"""Questions of reasoning-gym that are problems of ours word for word, read by exact patterns.

    read("gcd", "Find the Greatest Common Divisor (GCD) of these numbers: 462, 147. Give …")
    # (gcd 462 147)
    agrees("gcd", "21", 21)      # is their answer the one that a body of ours ends in?

A question that asks for anything else, however near, is None: three numbers for `gcd`, a division
that only floors to a whole number, a list with fractions in it. The package itself is not needed
here, and its metadata is not looked at: the question is what a person gets to see.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from regime3.errors import LanguageError
from regime3.lang.problem import Problem, problem_of
from regime3.lang.terms import Term, literal

_FRACTION = re.compile(r"\$?(?:\\d?frac\{)?(\d+)(?:/|\}\{)(\d+)\}?\$?")
_NUMBER = re.compile(r"(-?\d+)\.0+")
_STATEMENT = re.compile(r"(All|No|Some) (\w+) are (not )?(\w+)")
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div",
}  # fmt: skip


class _NotOurs(Exception):
    """The question is near a problem of ours, and is none."""


def read(task: str, question: str) -> Problem | None:
    """The problem that the question of a task poses, if it is exactly one of ours."""
    if task not in _READERS:
        return None
    pattern, term_of = _READERS[task]
    found = pattern.fullmatch(question.strip())
    if found is None:
        return None
    try:
        return problem_of(term_of(*found.groups()))
    except (_NotOurs, LanguageError):
        return None


def agrees(task: str, text: str, answer: Term) -> bool:
    """Whether the answer that the package gives says the same as a body's answer.

    Any counter-model is a "No".
    """
    if task == "syllogism":
        return text == ("Yes" if answer == "yes" else "No")
    return _answer(task, text) == answer


def _answer(task: str, text: str) -> Term | None:
    """Their answer as a term of ours."""
    if task == "prime_factorization":
        return ("factors", *sorted(int(each) for each in text.split("×")))
    if task == "number_sorting":
        return _list(text.strip("[]").replace("'", ""))
    if task == "fraction_simplification":
        found = _FRACTION.fullmatch(text)
        return found and literal(Fraction(int(found[1]), int(found[2])))
    return int(text) if re.fullmatch(r"-?\d+", text) else None


def _expression(text: str) -> Term:
    """`(eval …)` of an infix expression in which every division is exact."""
    return ("eval", _valued(_parsed(text))[0])


def _parsed(text: str) -> ast.expr:
    """The tree of an infix expression; Python's grammar has the package's precedences."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise _NotOurs from None


def _valued(node: ast.expr) -> tuple[Term, int]:
    """A term of integers and its value."""
    match node:
        case ast.Constant(value=int(value)):
            return value, value
        case ast.UnaryOp(ast.USub(), operand):
            term, value = _valued(operand)
            return (-value if isinstance(term, int) else ("sub", 0, term)), -value
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
            name = _OPERATORS[type(operator)]
            (one, a), (other, b) = _valued(left), _valued(right)
            return (name, one, other), _applied(name, a, b)
    raise _NotOurs


def _applied(name: str, a: int, b: int) -> int:
    if name == "div":
        if b == 0 or a % b:
            raise _NotOurs  # the package floors, and we do not
        return a // b
    return a + b if name == "add" else a - b if name == "sub" else a * b


def _equation(unknown: str, left: str, right: str) -> Term:
    sides = (_linear(_parsed(each), unknown) for each in (left, right))
    return ("solve", ("eqn", *sides))


def _linear(node: ast.expr, unknown: str) -> Term:
    """One side of an equation; products have a number in front."""
    match node:
        case ast.Constant(value=int(value)):
            return value
        case ast.Name(name) if name == unknown:
            return "x0"
        case ast.UnaryOp(ast.USub(), operand):
            term = _linear(operand, unknown)
            return -term if isinstance(term, int) else ("scale", -1, term)
        case ast.BinOp(left, ast.Add() | ast.Sub() as operator, right):
            return (_OPERATORS[type(operator)], _linear(left, unknown), _linear(right, unknown))
        case ast.BinOp(left, ast.Mult(), right):
            factor = _linear(left, unknown)
            if isinstance(factor, int):
                return ("scale", factor, _linear(right, unknown))
    raise _NotOurs


def _list(text: str) -> tuple[Any, ...]:
    """Whole numbers, written `12.0` by the package."""
    found = [_NUMBER.fullmatch(each.strip()) for each in text.split(",")]
    if not all(found):
        raise _NotOurs
    return ("list", *(int(each[1]) for each in found if each))


def _sorting(direction: str, numbers: str) -> Term:
    stages = ("sort",) if direction == "ascending" else ("sort", "rev")
    return ("run", ("pipe", *stages), _list(numbers))


def _fraction(text: str) -> Term:
    found = _FRACTION.fullmatch(text)
    if found is None:
        raise _NotOurs
    return ("eval", ("div", int(found[1]), int(found[2])))


def _syllogism(first: str, second: str, goal: str) -> Term:
    classes: dict[str, str] = {}
    lines = [_statement(each, classes) for each in (first, second, goal)]
    return ("follows", ("given", *lines[:2]), lines[2])


def _statement(text: str, classes: dict[str, str]) -> Term:
    """A statement about two classes, which get their constants as they are named."""
    found = _STATEMENT.fullmatch(text)
    if found is None or (found[3] and found[1] != "Some"):
        raise _NotOurs
    one, other = (classes.setdefault(each, f"c{len(classes)}") for each in (found[2], found[4]))
    return ("some-not" if found[3] else found[1].lower(), one, other)


def _reader(pattern: str, term_of: Callable[..., Term]) -> tuple[re.Pattern[str], Any]:
    return re.compile(pattern, re.DOTALL), term_of


_READERS: dict[str, tuple[re.Pattern[str], Callable[..., Term]]] = {
    "basic_arithmetic": _reader(r"Calculate ([-+*/() \d]+)\.", _expression),
    "chain_sum": _reader(
        r"State the final answer to the following arithmetic problem: ([-+ \d]+) =", _expression
    ),
    "products": _reader(
        r"Solve the following multiplication: ([-* \d]+)\. Give only the result as your final "
        r"answer\.",
        _expression,
    ),
    "fraction_simplification": _reader(
        r"Simplify the fraction (\S+) to its lowest terms\. Give only the simplified fraction as "
        r"your final answer\.",
        _fraction,
    ),
    "gcd": _reader(
        r"Find the Greatest Common Divisor \(GCD\) of these numbers: (\d+), (\d+)\. Give only the "
        r"GCD as your final answer\.",
        lambda a, b: ("gcd", int(a), int(b)),
    ),
    "prime_factorization": _reader(
        r"Find the prime factorization of (\d+)\. Write the factors separated by × .*",
        lambda number: ("factor", int(number)),
    ),
    "simple_equations": _reader(
        r"(?:Find the value of|Solve for|Determine the value of) ([a-z])"
        r"(?: in the equation| that satisfies)?: ([^=]+) = ([^=]+)",
        _equation,
    ),
    "number_sorting": _reader(
        r"Sort these numbers in (ascending|descending) order: ([-., \d]+)\n.*", _sorting
    ),
    "syllogism": _reader(
        r"Consider these statements:\n1\. ([^\n]+)\n2\. ([^\n]+)\n\n"
        r"Does it logically follow that:\n([^\n]+)\?\n\(Answer Yes or No\)",
        _syllogism,
    ),
}
TASKS = tuple(_READERS)
"""The tasks some of whose questions are ours."""
