"""The exported grammars say what the static part of the masks says."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from regime3.lang.codes import CODE, CODES_MAX, END, token
from regime3.lang.lark import lark
from regime3.lang.masks import Constrainer
from regime3.lang.problem import read_problem
from tests.lang.sampling import PROBLEMS, books

BOOKS = books()
PIECE = re.compile(r"<E(\d{3})>|([a-z][a-z0-9_]*)|([*|()])")

Stack = tuple["Symbol", ...]
Symbol = int | str | tuple[str, "Symbol"]
"""A code, the name of a rule, or ("*", symbol)."""


class Grammar:
    """Reads the little of Lark that the export uses: rules, tokens, `|`, `*` and brackets.

    Its grammars are LL(1), so a text's place in them is one stack, and every token that may come
    leads to one stack more.
    """

    def __init__(self, text: str) -> None:
        header, comment, *lines = text.splitlines()
        assert header == "%llguidance {}" and comment.startswith("//")
        self.rules: dict[str, list[list[Symbol]]] = {}
        for rule in re.sub(r"\n +\|", " |", "\n".join(lines)).splitlines():
            name, _, right = rule.partition(": ")
            assert name not in self.rules, f"{name} is there twice"
            self.rules[name] = self._alternatives(right)

    def _alternatives(self, text: str) -> list[list[Symbol]]:
        """Each alternative as symbols; a bracket holds tokens and names to choose from."""
        pieces = [match.group() for match in PIECE.finditer(text)]
        assert "".join(pieces) == text.replace(" ", ""), text
        found: list[list[Symbol]] = [[]]
        chosen: list[list[Symbol]] | None = None
        for piece in pieces:
            if piece == "(":
                chosen = [[]]
            elif piece == ")":
                assert chosen is not None
                name = f"choice_{len(self.rules)}_{len(found)}"
                self.rules[name] = chosen
                found[-1].append(name)
                chosen = None
            elif piece == "|":
                (found if chosen is None else chosen).append([])
            elif piece == "*":
                found[-1][-1] = ("*", found[-1][-1])
            else:
                symbol = int(piece[2:5]) if piece[0] == "<" else piece
                (found if chosen is None else chosen)[-1].append(symbol)
        return found

    def next(self, stack: Stack) -> dict[int, Stack]:
        """The tokens that may come, and where each leads."""
        found: dict[int, Stack] = {}
        waiting = [stack]
        while waiting:
            first, *rest = waiting.pop() or (None,)
            if first is None:
                continue
            if isinstance(first, int):
                assert found.setdefault(first, tuple(rest)) == tuple(rest), "not LL(1)"
            elif isinstance(first, tuple):
                waiting += [tuple(rest), (first[1], first, *rest)]
            else:
                waiting += [(*each, *rest) for each in self.rules[first]]
        return found


@pytest.mark.parametrize("name", BOOKS)
@pytest.mark.parametrize("which", PROBLEMS)
def test_a_grammar_allows_what_the_static_mask_allows(which: str, name: str) -> None:
    """At every place of random strings; only what no grammar counts is left out."""
    problem, book = read_problem(PROBLEMS[which]), BOOKS[name]
    grammar = Grammar(lark(book, problem.kind, folds=problem.answer == "Int" and which == "fold"))
    draw = random.Random(f"{which} {name}")
    for _ in range(4):
        row = Constrainer(problem, book, 10_000, loose=True)
        stack: Stack = ("start",)
        for _ in range(40):
            allowed = np.flatnonzero(row.mask()).tolist()
            found = grammar.next(stack)
            # A mask also counts the items of a list, and then leaves nothing but its end.
            assert sorted(found) == allowed or (allowed == [END] and END in found)
            if row.done:
                break
            code = draw.choice(allowed)
            stack = found[code]
            row.advance(code)


def test_a_grammar_can_be_written_in_token_ids() -> None:
    book, code = BOOKS["strategy 2"], CODE["r-divmod"]
    by_name, by_id = lark(book, "gcd"), lark(book, "gcd", first_id=1000)
    assert token(code) in by_name and f"<[{1000 + code}]>" in by_id
    assert "atoms: <[1196-1295]>" in by_id
    ids = [int(each) for each in re.findall(r"\[(\d+)", by_id)]
    assert all(1000 <= each < 1000 + CODES_MAX for each in ids)


def test_fewer_constants_make_a_smaller_grammar() -> None:
    book = BOOKS["strategy 2"]
    assert "<E109>" not in lark(book, "entails", constants=2)
    assert "<E109>" in lark(book, "entails")
