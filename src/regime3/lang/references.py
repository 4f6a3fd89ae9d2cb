"""Integers seen lately, which packing can refer to by age instead of spelling them again.

    recent = from_problem(problem, book)
    touch(recent, 462)              # it is the latest now: R0

`recent` is a list of distinct integers, the latest last, at most `REFERENCES_MAX` of them. Only
integers of two codes or more enter: those that no atom, single digit or code of a negative is.
Whoever packs and whoever unpacks call `touch` for the same integers in the same order, or they
lose each other. SPEC.md, section 5, step 3.
"""

from __future__ import annotations

from regime3.lang.codebook import Codebook
from regime3.lang.codes import REFERENCES_MAX
from regime3.lang.problem import Problem
from regime3.lang.spelling import spelling_of
from regime3.lang.terms import Term


def from_problem(problem: Problem, book: Codebook) -> list[int]:
    """What is recent before the first step: the large integers of the problem in reading order."""
    recent: list[int] = []
    if problem.goal is not None or not book.options["references"]:
        return recent  # statements hold no integers
    alone = spelling_of(book).alone
    waiting: list[Term] = [problem.term]
    while waiting:
        each = waiting.pop()
        if isinstance(each, tuple):
            waiting += each[:0:-1]
        elif isinstance(each, int) and each not in alone:
            touch(recent, each)
    return recent


def touch(recent: list[int], number: int) -> None:
    """Make a large integer the latest; the oldest goes when there are too many."""
    if number in recent:
        recent.remove(number)
    elif len(recent) == REFERENCES_MAX:
        del recent[0]
    recent.append(number)
