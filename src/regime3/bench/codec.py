"""`r3 bench codec`: traces a second that one core packs, unpacks and checks.

Held-out oracle traces of every family and level in equal parts, as typed bodies, which is what a
forge holds, with the shipped codebook. Checking from text is timed beside it. All are interleaved
in each round; the median counts.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from regime3 import tasks
from regime3.bench.telling import rounds
from regime3.lang import codebook
from regime3.lang.check import check, check_text
from regime3.lang.pack import Packer
from regime3.lang.problem import show_body
from regime3.lang.terms import show
from regime3.lang.unpack import Unpacker

PER_LEVEL = 25


def run(quick: bool) -> dict[str, Any]:
    """Traces a second for each of the four."""
    count = 5 if quick else 15
    samples = [
        tasks.sample(family, level, "heldout", index)
        for family, made in tasks.FAMILIES.items()
        for level in range(1, made.levels + 1)
        for index in range(PER_LEVEL)
    ]
    pairs = [(sample.problem, sample.body) for sample in samples]
    texts = [(show(problem.term), show_body(body)) for problem, body in pairs]
    book = codebook.shipped()
    packer, unpacker = Packer(book), Unpacker(book)
    packed = [(problem, packer.pack(problem, body)) for problem, body in pairs]
    works: dict[str, tuple[Callable[..., Any], list[Any]]] = {
        "encode_per_s": (packer.pack, pairs),
        "decode_per_s": (unpacker.unpack, packed),
        "check_per_s": (check, pairs),
        "check_text_per_s": (check_text, texts),
    }
    measured: dict[str, list[float]] = {name: [] for name in works}
    with _one_core():
        for _ in rounds(count, "codec"):
            for name, (work, inputs) in works.items():
                measured[name].append(_per_second(work, inputs))
    steps = statistics.mean(len(body) for _, body in pairs)
    return {
        "figures": {name: statistics.median(values) for name, values in measured.items()}
        | {"steps_per_trace": steps},
        "spread": {name: (min(values), max(values)) for name, values in measured.items()},
        "runs": count,
        "notes": [f"{len(pairs)} traces, {steps:.1f} steps on average, one process on one core"],
        "meaning": {
            "encode_per_s": "typed bodies to codes, replay for prediction included",
            "decode_per_s": "codes to typed bodies, replay included",
            "check_per_s": "typed bodies to verdicts",
            "check_text_per_s": "problem and body as text to verdicts, reading included",
            "steps_per_trace": "mean, the answer included",
        },
    }


def _per_second(work: Callable[..., Any], inputs: list[Any]) -> float:
    began = time.perf_counter()
    for each in inputs:
        work(*each)
    return len(inputs) / (time.perf_counter() - began)


@contextmanager
def _one_core() -> Iterator[None]:
    """Pin this process to one core while it measures, where the system can."""
    before = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    if before:
        os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)
