"""Damaged texts and what must become of them: the hostile half of `fuzz`.

    text = damaged(rng, texts_of(problem, body, packed)["body"], texts)
    why = READERS["body"](text, problem, coder)

A reader raises `LanguageError` for what it refuses, and returns what is wrong with what it reads:
"" if that prints back to something that reads equal. Any other exception is a fault, which `fuzz`
counts; nothing is caught or timed here.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

from regime3.errors import LanguageError
from regime3.lang import codes
from regime3.lang.canon import canonical
from regime3.lang.check import check, check_text
from regime3.lang.english import plain, terse
from regime3.lang.problem import Body, Problem, problem_of, read_body, read_problem, show_body
from regime3.lang.terms import parse, show

FRAGMENTS = [
    *"()(() \t\n\r-0179xclpqrAB=+*/^|&<>,.;:'\"\\{}[]",
    *["))", "((((", "-0", "007", "1" * 64, "1" * 65, "-" + "9" * 5000, "(frac 2 4)", "(frac 1 0)"],
    *["x1", "c12", "c99", "l0", "l99", "(list)", "(qed yes)", "(qed", "true", "1e5", "0x1", "1_0"],
    *["<E", "<E512>", "<E000>", "<E195>", "M0", "M999", "qed!", "R15", "B39", "end", "neg", "T0"],
    *["\x00", "\x0b", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\ufeff", "²", "١", "１", "🙂"],
    *[
        "\ud800",
        " nothing",
        "\xa0nothing",
        "\x0b)",
        "\n\n",
        "\r\n",
        "3. ",
        "Yes.",
        " or",
        "--" * 99,
    ],
    *["(" * 70, "(not " * 70, "(and " * 70, "not " * 70, "-(" * 70, "(add x0 " * 70],
]
"""What is put into texts: syntax, limits and beyond, look-alikes, blanks of other alphabets."""


def damaged(rng: random.Random, text: str, others: dict[str, str]) -> str:
    """The text after one to three faults, at random places; one in thirty is all fragments."""
    if rng.random() < 1 / 30:
        return "".join(rng.choices(FRAGMENTS, k=rng.randint(0, 9)))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        place = rng.choice([rng.randrange(len(text) + 1)] * 8 + [0, len(text)])
        end = min(len(text), place + rng.choice([1, 1, 2, 5, 20]))
        kind = rng.randrange(8)
        if kind <= 1:
            text = text[:place] + text[end:]
        elif kind == 2:
            text = text[:place] + rng.choice(FRAGMENTS) + text[place:]
        elif kind == 3:
            text = text[:place] + rng.choice(FRAGMENTS) + text[end:]
        elif kind == 4:
            text = text[:place] + text[end : 2 * end - place] + text[place:end] + text[2 * end :]
        elif kind == 5:
            text = text[:place] + text[place:end] * rng.randint(2, 4) + text[end:]
        elif kind == 6:
            text = text[:place] if rng.random() < 0.5 else text[place:]
        else:
            other = rng.choice(list(others.values()))
            text = text[:place] + other[rng.randrange(len(other) + 1) :]
    return text


def texts_of(problem: Problem, body: Body, packed: list[int]) -> dict[str, str]:
    """A text for each reader."""
    return {
        "term": show(problem.term),
        "problem": show(problem.term),
        "body": show_body(body),
        "plain": plain.show(problem, body),
        "terse": terse.show(problem, body),
        "tokens": codes.tokens_text(packed),
        "names": codes.names_text(packed),
    }


# What the readers return is what is wrong with what they read; a refusal escapes.


def _read_term(text: str, problem: Problem, coder: Any) -> str:
    term = parse(text)
    if parse(show(term)) != term:
        return "printed, it reads as another term"
    if _words(show(term)) != _words(text):
        return "read although it says something else"
    form = canonical(term)
    return "" if canonical(form) == form else "canonical is not idempotent"


def _words(text: str) -> list[str]:
    """The text cut at its brackets and at blanks of the language."""
    return re.findall(r"[()]|[^() \t\r\n]+", text)


def _read_problem(text: str, problem: Problem, coder: Any) -> str:
    if check_text(text, "(qed yes)").steps > 1:
        return "the verdict has more steps than the body"
    found = read_problem(text)
    if read_problem(show(found.term)) != found:
        return "printed, it reads as another problem"
    return "" if problem_of(parse(text)) == found else "read_problem is not problem_of(parse)"


def _read_body(text: str, problem: Problem, coder: Any) -> str:
    verdict = check_text(problem, text)
    try:
        body = read_body(problem, text)
    except LanguageError:
        if verdict.accepted or verdict.index < 1:
            return f"refused, where check_text says {verdict}"
        raise
    if read_body(problem, show_body(body)) != body:
        return "printed, it reads as another body"
    if check(problem, body) != verdict:
        return f"{check(problem, body)}, where check_text says {verdict}"
    return _repacked(body, problem, coder)


def _repacked(body: Body, problem: Problem, coder: Any) -> str:
    _, packer, unpacker = coder
    same = unpacker.unpack(problem, packer.pack(problem, body)) == body
    return "" if same else "packed, it unpacks as another body"


def _read_english(english: Any) -> Callable[[str, Problem, Any], str]:
    def read(text: str, problem: Problem, coder: Any) -> str:
        body = english.read(problem, text)
        if english.read(problem, english.show(problem, body)) != body:
            return "printed, it reads as another body"
        if read_body(problem, show_body(body)) != body:
            return "its body is not typed"
        return _repacked(body, problem, coder)

    return read


def _read_codes(text: str, problem: Problem, coder: Any) -> str:
    numbers = codes.read_tokens(text)
    if codes.read_tokens(codes.tokens_text(numbers)) != numbers:
        return "printed, they read as other codes"
    return _repacked(coder[2].unpack(problem, numbers), problem, coder)


READERS: dict[str, Callable[[str, Problem, Any], str]] = {
    "term": _read_term,
    "problem": _read_problem,
    "body": _read_body,
    "plain": _read_english(plain),
    "terse": _read_english(terse),
    "tokens": _read_codes,
    "names": _read_codes,
}
