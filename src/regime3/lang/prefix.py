"""What packing has to spell, and its typed prefix: codes in reading order, without parentheses.

    for line, root in roots(problem, body, strategy=2): ...
    flatten(("add", ("scale", 4, "x0"), 2), 1, shape, holes)    # add scale # x0 #, and [4, 2]

A step that prediction foresees leaves its bare results, any other stands whole, and an implied
answer leaves nothing. A *shape* is the prefix with holes for integers, constants and lines: terms
that differ in nothing else share it, so what depends on the shape alone is worked out once
(`macros`, `pack`). SPEC.md, section 5, steps 1 and 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from regime3.lang import replay, signature
from regime3.lang.codes import BACK, BASE, CODE, CONSTANT, END, FORMS, PLUS
from regime3.lang.problem import Body, Problem
from regime3.lang.signature import RANK
from regime3.lang.terms import Term

INTEGER: Final = -1
"""Stands in a shape for an integer."""
FREE: Final = -2
"""Stands in a shape for a constant or a line, whose code is the hole's."""

_HEADS: Final = {
    name: (code, PLUS.get(name), any(s and s[-1].endswith("*") for s in FORMS[code].values()))
    for name, code in RANK.items()
}
"""By name: its code, its code for three arguments or more, and whether it ends in `end`."""
_ATOMS: Final = {
    BASE[code]: code for code in [*RANK.values(), END, *range(CODE["x0"], BACK + 1)]
} | {f"l{line}": -line for line in range(signature.LINES_MAX + 1)}
"""Codes of strings; a line as its negative number. `l0` is the goal, where it may be cited."""


def roots(problem: Problem, body: Body, strategy: int) -> Iterator[tuple[int, Term | None]]:
    """What is spelled of a body, with the 1-based line of its step.

    Whole steps, what tells a step, term by term, or None for an answer that the state implies.
    """
    line = len(problem.premises)
    if strategy == 0:
        yield from enumerate(body, start=line + 1)
        return
    state = replay.start(problem, strategy)
    for step in body:
        line += 1
        if step[0] == "qed" and state.implied() == step[1]:
            yield line, None
            return
        told = state.bare(step)
        if told is None:
            yield line, step
        else:
            for term in told:
                yield line, term
        if step[0] != "qed":
            state.follow(step)


def atom(name: str, line: int) -> int:
    """The code of a constant, a line, a variable or a bare name, in the step of that line."""
    code: int = _ATOMS[name]
    return code if code > 0 else BACK + line + code


def flatten(term: tuple[Any, ...], line: int, shape: list[int], holes: list[int]) -> None:
    """Append the term's prefix to `shape` and what is in its holes to `holes`.

    A hole `INTEGER` holds the integer, a hole `FREE` the code. `line` is that of the term's step.
    """
    code, more, ends = _HEADS[term[0]]
    if more is not None and len(term) > 3:
        code, ends = more, True
    shape.append(code)
    for part in term[1:]:
        if part.__class__ is int:
            shape.append(INTEGER)
            holes.append(part)
        elif part.__class__ is tuple:
            flatten(part, line, shape, holes)
        else:
            code = _ATOMS[part]
            if 0 <= code < CONSTANT:
                shape.append(code)
            else:
                shape.append(FREE)
                holes.append(code if code > 0 else BACK + line + code)
    if ends:
        shape.append(END)
