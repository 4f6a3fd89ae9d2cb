"""`r3 bench mask`: what masks cost a batch that generates, and what a grammar alone would miss.

A batch of 64 rows writes held-out oracle bodies of every family and level, code by code, under its
masks, as a trained model would; a row that is done begins the next problem. Everything that masks
need is timed: taking the codes, replay at the ends of steps, gathering masks, masking the logits,
and setting up new rows. Between rounds, decoding steps of the nano model of the same batch are
timed, alone. The same is done at Qwen3's vocabulary, without a model.

Beside it, bodies are drawn at random from the static part alone, with uniform choices: the share
that cannot be decoded is what the dynamic part is for.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from regime3 import tasks
from regime3.bench.telling import rounds
from regime3.errors import LanguageError
from regime3.lang import codebook
from regime3.lang.codebook import Codebook
from regime3.lang.codes import CODES_MAX
from regime3.lang.masks import Constrainer
from regime3.lang.pack import Packer
from regime3.lang.problem import Problem
from regime3.lang.signature import KINDS
from regime3.lang.unpack import Unpacker
from regime3.model import nano, nano_tokenizer
from regime3.model.constrain import Fence

BATCH = 64
CONTEXT = 256
"""Tokens before the first one that is decoded."""
QWEN3_VOCABULARY = 151_936 + CODES_MAX
PER_LEVEL = 8
STEPS = 40
"""Steps of the batch in one round."""
WARM_UP = 400
"""Steps before: every mask that the bodies need is there."""
RANDOM_BUDGET = 60

Trace = tuple[Problem, list[int]]


def run(quick: bool) -> dict[str, Any]:
    """Shares of a decoding step, microseconds, and shares that cannot be decoded."""
    count, draws = (7, 200) if quick else (25, 2000)
    book = codebook.shipped()
    written = traces(book, PER_LEVEL)
    decode = nano_decode()
    small = _Batch(book, written, nano_tokenizer.VOCABULARY)
    qwen3 = _Batch(book, written, QWEN3_VOCABULARY)
    for batch in (small, qwen3):
        batch.seconds_each(WARM_UP)
    found: dict[str, list[float]] = {
        "percent_of_decode_step": [],
        "us_per_sequence_qwen3": [],
        "us_per_sequence_nano": [],
        "nano_decode_step_ms": [],
    }
    for _ in rounds(count, "mask"):
        mask_s = small.seconds_each(STEPS)
        step_s = decode(STEPS)
        found["percent_of_decode_step"].append(100 * mask_s / step_s)
        found["us_per_sequence_qwen3"].append(1e6 * qwen3.seconds_each(STEPS) / BATCH)
        found["us_per_sequence_nano"].append(1e6 * mask_s / BATCH)
        found["nano_decode_step_ms"].append(1e3 * step_s)
    lost = {f"undecodable_percent_{kind}": share for kind, share in shares(book, draws).items()}
    return {
        "figures": {name: statistics.median(values) for name, values in found.items()} | lost,
        "spread": {name: (min(values), max(values)) for name, values in found.items()},
        "runs": count,
        "notes": [f"{BATCH} rows, {CONTEXT} tokens before, {torch.get_num_threads()} threads"],
        "meaning": _MEANING | dict.fromkeys(lost, "random bodies under the static part alone"),
    }


_MEANING = {
    "percent_of_decode_step": "all that masks cost, over the nano model's decoding step",
    "us_per_sequence_qwen3": "the same for a row and step at a vocabulary of 151,936 + 512",
    "us_per_sequence_nano": "the same at the nano model's, 1,536 + 512",
    "nano_decode_step_ms": "one token for each of 64 rows, with a cache",
}


def traces(book: Codebook, per_level: int) -> list[Trace]:
    """Held-out problems of all families and levels with their oracles' codes, shuffled."""
    packer = Packer(book)
    samples = [
        tasks.sample(family, level, "heldout", index)
        for family, made in tasks.FAMILIES.items()
        for level in range(1, made.levels + 1)
        for index in range(per_level)
    ]
    found = [(sample.problem, packer.pack(sample.problem, sample.body)) for sample in samples]
    random.Random("mask").shuffle(found)
    return found


class _Batch:
    """Rows that write given bodies under their masks; logits are whatever they are."""

    def __init__(self, book: Codebook, written: list[Trace], vocabulary: int) -> None:
        self.book = book
        self.first = vocabulary - CODES_MAX
        self.source = itertools.cycle(written)
        self.codes: list[Iterator[int]] = []
        rows = [self._fresh(number) for number in range(BATCH)]
        self.fence = Fence(rows, self.first, [self.first - 1])
        self.logits = torch.randn(BATCH, vocabulary, generator=torch.Generator().manual_seed(0))

    def _fresh(self, number: int) -> Constrainer:
        problem, codes = next(self.source)
        self.codes[number : number + 1] = [iter(codes)]
        return Constrainer(problem, self.book, 2 * len(codes) + 8)

    def seconds_each(self, steps: int) -> float:
        """Mean seconds that masks cost one step of the batch."""
        fence, everyone = self.fence, range(BATCH)
        began = time.perf_counter()
        for _ in range(steps):
            fence.masked(everyone, self.logits)
            for number, row in enumerate(fence.rows):
                if row.done:
                    fence.replace(number, self._fresh(number))
                fence.take(number, self.first + next(self.codes[number]))
        return (time.perf_counter() - began) / steps


def nano_decode() -> Callable[[int], float]:
    """A function that decodes so many tokens with the nano model: seconds for each, greedy."""
    model = nano.untrained().eval()
    nano.draw_weights(model)
    prompts = torch.zeros(BATCH, CONTEXT, dtype=torch.long)

    @torch.no_grad()
    def decode(tokens: int) -> float:
        out = model(input_ids=prompts, use_cache=True, logits_to_keep=1)
        began = time.perf_counter()
        for _ in range(tokens):
            chosen = out.logits[:, -1].argmax(-1, keepdim=True)
            out = model(input_ids=chosen, past_key_values=out.past_key_values, use_cache=True)
        return (time.perf_counter() - began) / tokens

    return decode


def shares(book: Codebook, draws: int) -> dict[str, float]:
    """Percent of random bodies of each kind that cannot be decoded, under the static part alone."""
    problems: dict[str, list[Problem]] = {kind: [] for kind in KINDS}
    for problem, _ in traces(book, 1):
        problems[problem.kind].append(problem)
    return {
        kind: 100 * undecodable(book, given, draws) / draws
        for kind, given in problems.items()
        if given
    }


def undecodable(book: Codebook, problems: list[Problem], draws: int, *, loose: bool = True) -> int:
    """How many of so many random bodies cannot be decoded; with `loose` off, none should be."""
    unpacker, lost = Unpacker(book), 0
    for number in range(draws):
        problem = problems[number % len(problems)]
        draw = random.Random(f"{problem.kind}|{number}")
        row = Constrainer(problem, book, RANDOM_BUDGET, loose=loose)
        codes: list[int] = []
        while not row.done:
            codes.append(int(draw.choice(np.flatnonzero(row.mask()))))
            row.advance(codes[-1])
        try:
            unpacker.unpack(problem, codes)
        except LanguageError:
            lost += 1
    return lost
