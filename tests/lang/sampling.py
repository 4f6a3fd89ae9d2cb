"""Random bodies under masks: the problems, the codebooks and the choosing that tests share."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from regime3.lang import codebook
from regime3.lang.codebook import Codebook
from regime3.lang.codes import CODE, FIRST_MACRO
from regime3.lang.masks import Constrainer

PROBLEMS = {
    "eval": "(eval (div (add 7000 (mul 12 -345)) (frac 346 7)))",
    "solve": "(solve (eqn (add (scale 5 x0) 200) (add (scale (frac -3 4) x0) 9)))",
    "gcd": "(gcd 46200 1470)",
    "mod": "(mod (mul (pow 3 500) (sub 4 1000)) 7)",
    "factor": "(factor 3960)",
    "entails": "(entails (given (imp c0 c1) (not c1) (or c2 c0)) (iff c2 (not c0)))",
    "follows": "(follows (given (no c0 c1) (all c2 c0)) (some-not c2 c1))",
    "run": "(run (pipe (filter (lt 3 x0)) (map (mul x0 1000)) sort) (list 3 40 100))",
    "fold": "(run (pipe (filter (lt 3 x0)) (fold (add x0 x1) 0)) (list 3 40 -100))",
    "entails without lines": "(entails (given) (or c0 (not c0)))",
}

Choose = Callable[[NDArray[np.intp]], int]
"""Picks one of the codes that a mask allows."""


def books() -> dict[str, Codebook]:
    """Codebooks that differ in every way that masks have to know."""
    macros = (
        (CODE["assume"], 0, CODE["not"]),
        (FIRST_MACRO, 0, CODE["imp"]),
        (CODE["sub-both"], 1, CODE["eqn"]),
        (FIRST_MACRO + 2, 1, CODE["scale"]),
        (FIRST_MACRO + 3, 2, CODE["x0"]),
        (CODE["scale"], 0, CODE["frac"]),
        (CODE["and+"], 1, CODE["or"]),
        (CODE["celarent"], 2, CODE["no"]),
        (CODE["l-sort"], 0, CODE["list"]),
        (CODE["qed"], 0, CODE["yes"]),
        (CODE["r-add"], 2, CODE["frac"]),
    )
    return {
        "strategy 2": codebook.bare(2),
        "strategy 1": codebook.bare(1),
        "strategy 0": codebook.bare(0),
        "without atoms": codebook.bare(2, atoms=False),
        "without references": codebook.bare(2, references=False),
        "with macros": codebook.bare(2).with_macros(macros, ""),
        "pairs": codebook.bare(2, pairs=True),
        "pairs alone": codebook.bare(0, references=False, pairs=True),
        "pairs with macros": codebook.bare(2, pairs=True).with_macros(macros, ""),
        "negatives": codebook.bare(2, negatives=True),
        "negatives alone": codebook.bare(0, references=False, negatives=True),
        "negatives and pairs": codebook.bare(2, pairs=True, negatives=True),
        "negatives, pairs, macros": codebook.bare(2, pairs=True, negatives=True).with_macros(
            macros, ""
        ),
    }


def randomly(seed: object) -> Choose:
    """Any allowed code, as an untrained model would pick it."""
    draw = random.Random(str(seed))
    return lambda allowed: int(draw.choice(allowed))


def finish(row: Constrainer, choose: Choose) -> list[int]:
    """Choose until the body is done; the codes. There is always one to choose."""
    found: list[int] = []
    while not row.done:
        allowed = np.flatnonzero(row.mask())
        assert len(allowed), f"nothing may follow {found}"
        found.append(choose(allowed))
        row.advance(found[-1])
    return found
