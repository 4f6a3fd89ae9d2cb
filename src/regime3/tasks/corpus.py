"""The corpus that codebooks are learned from: oracle bodies of every family and level.

    book = learn(PER_LEVEL, strategy=2)     # the shipped codebook, bit for bit

It draws from the training split alone, so that no held-out problem shapes a code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from regime3.lang import codebook, macros
from regime3.lang.codebook import Codebook
from regime3.lang.problem import Body, Problem, show_body
from regime3.lang.terms import show

PER_LEVEL = 600
"""Problems of each family and level in the shipped codebook's corpus."""


def bodies(per_level: int, tell: Callable[[str], None]) -> Iterator[tuple[Problem, Body]]:
    """Problems and oracle bodies, families interleaved, so that every fifth judges all of them."""
    from regime3 import tasks

    levels = [
        (family, level)
        for family in tasks.FAMILIES
        for level in range(1, tasks.FAMILIES[family].levels + 1)
    ]
    for index in range(per_level):
        # Turned by one each round: else the same few levels would be the judges every time.
        turn = index % len(levels)
        for family, level in levels[turn:] + levels[:turn]:
            sample = tasks.sample(family, level, "train", index)
            yield sample.problem, sample.body
        if (index + 1) % 25 == 0:
            tell(f"drew {index + 1} of {per_level} problems of each family and level")


def digest(corpus: list[tuple[Problem, Body]]) -> str:
    """sha256 of the corpus as text."""
    found = hashlib.sha256()
    for problem, body in corpus:
        found.update(f"{show(problem.term)}\n{show_body(body)}\n\n".encode())
    return found.hexdigest()


def learn(per_level: int, strategy: int, tell: Callable[[str], None]) -> Codebook:
    """A codebook of the corpus; the same arguments give the same bytes."""
    corpus = list(bodies(per_level, tell))
    bare = codebook.bare(strategy, pairs=True, negatives=True)
    tell(f"learning macros from {len(corpus):,} bodies")
    return bare.with_macros(macros.learn(corpus, bare), digest(corpus))
