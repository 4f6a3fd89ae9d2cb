"""One arm of `r3 bench regimes`: a nano model trained from scratch on one form, and its marks.

The clock runs over training only and counts this process' own seconds on its one thread, so that
a busy machine favours no arm; marks are measured aside. FLOPs are counted from shapes: six per
weight and token for the body, six per weight and supervised token for the head, and twelve per
layer, hidden unit and pair of positions for attention.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from regime3 import tasks
from regime3.bench.forms.form import Form, text_ids, tokenizer
from regime3.errors import LanguageError
from regime3.model import nano, nano_tokenizer
from regime3.model.generate import greedy
from regime3.tasks.family import Sample
from regime3.tasks.verdict import Judged, judge_body

PROBLEMS_PER_STEP = 64
SLICES = 4
"""A step's problems are sorted by length and cut, so that little padding is computed."""
LEARNING_RATE, WARMUP_STEPS = 2e-3, 50
CAP = 2
"""An answer may be so many times as long as the longest oracle's."""
EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Levels:
    """Which problems all arms train on and are measured on."""

    first: int = 1
    last: int = 3
    heldout: int = 20
    """Held-out problems of each family and level."""

    def pairs(self) -> list[tuple[str, int]]:
        return [(name, n) for name in tasks.FAMILIES for n in range(self.first, self.last + 1)]

    def train(self, number: int) -> Sample:
        """Training problem `number`: the same for every arm and seed."""
        pairs = self.pairs()
        name, level = pairs[number % len(pairs)]
        return tasks.sample(name, level, "train", number // len(pairs))

    def held_out(self) -> list[Sample]:
        return [
            tasks.sample(name, level, "heldout", index)
            for name, level in self.pairs()
            for index in range(self.heldout)
        ]


@dataclass
class Mark:
    """What was measured at one moment of one arm."""

    em: float
    """Share of problems whose answer is right."""
    accepted: float | None
    """Share of bodies whose every step and answer the checker accepts."""
    step_validity: float | None
    """Mean share of a body's steps before its first bad one; 0 for what cannot be read."""
    tokens: float
    """Mean tokens written, steps and answer."""
    problems: int
    flops: float
    seconds: float
    per_family: dict[str, float] = field(default_factory=dict)


class Arm:
    """A model in training on one form."""

    def __init__(self, form: Form, seed: int, levels: Levels, longest: int) -> None:
        self.form, self.levels, self.cap = form, levels, CAP * longest
        self.model: Any = nano.untrained()
        nano.draw_weights(self.model, seed)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0
        )
        self.problems, self.steps, self.flops, self.seconds = 0, 0, 0.0, 0.0
        self.loss = float("nan")
        """Nats a supervised token of the last step."""
        self._body = sum(w.numel() for n, w in self.model.named_parameters() if "embed" not in n)
        self._end = tokenizer().convert_tokens_to_ids(nano_tokenizer.TURN_END)
        self.seed = seed

    def train(self, enough: Callable[[Arm], bool]) -> None:
        """Step after step until `enough`."""
        self.model.train()
        while not enough(self):
            batch = self._next_batch()
            began = time.process_time()
            self._step(batch)
            self.seconds += time.process_time() - began

    def _next_batch(self) -> list[tuple[list[int], int]]:
        """Prompt and target of the next problems; seeds see them in another order of steps."""
        first = self.problems + self.seed * (1 << 20)
        self.problems += PROBLEMS_PER_STEP
        return [
            self._example(self.levels.train(n)) for n in range(first, first + PROBLEMS_PER_STEP)
        ]

    def prompt(self, sample: Sample) -> list[int]:
        """The English prompt, and where the answer begins."""
        ids = text_ids(sample.prompt)
        return [*ids, tokenizer().convert_tokens_to_ids(nano_tokenizer.TURN_START)]

    def _example(self, sample: Sample) -> tuple[list[int], int]:
        prompt = self.prompt(sample)
        return [*prompt, *self.form.encode(sample), self._end], len(prompt)

    def _step(self, batch: list[tuple[list[int], int]]) -> None:
        self.steps += 1
        for group in self.optimizer.param_groups:
            group["lr"] = LEARNING_RATE * min(1.0, self.steps / WARMUP_STEPS)
        batch.sort(key=lambda example: len(example[0]))
        count = sum(len(ids) - prompt for ids, prompt in batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.loss = 0.0
        size = len(batch) // SLICES
        for cut in range(0, len(batch), size):
            self._backward(batch[cut : cut + size], count)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def _backward(self, part: list[tuple[list[int], int]], count: int) -> None:
        longest = max(len(ids) for ids, _ in part)
        ids = torch.zeros(len(part), longest, dtype=torch.long)
        labels = torch.full((len(part), longest), -100)
        for row, (tokens, prompt) in enumerate(part):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            labels[row, prompt : len(tokens)] = torch.tensor(tokens[prompt:])
        hidden = self.model.model(input_ids=ids).last_hidden_state[:, :-1]
        wanted = labels[:, 1:]
        chosen = wanted != -100
        logits = self.model.lm_head(hidden[chosen])
        loss = torch.nn.functional.cross_entropy(logits, wanted[chosen], reduction="sum")
        self.loss += loss.item() / count
        (loss / count).backward()  # type: ignore[no-untyped-call]
        self._count_flops(len(part), longest, int(chosen.sum()))

    def _count_flops(self, rows: int, length: int, supervised: int) -> None:
        config = self.model.config
        head = config.vocab_size * config.hidden_size
        pairs = rows * length * length / 2
        attention = 12 * config.num_hidden_layers * config.hidden_size * pairs
        self.flops += 6 * self._body * rows * length + 6 * head * supervised + attention

    # ------------------------------------------------------------------ marks

    def mark(self, samples: list[Sample], **more: Any) -> Mark:
        """Greedy answers to held-out problems, judged by the checker."""
        self.model.eval()
        written = self.answers(samples, **more)
        self.model.train()
        judged = [judge(self.form, s, ids) for s, ids in zip(samples, written, strict=True)]
        readable = self.form.readable
        return Mark(
            em=_mean([each.right for each in judged]),
            accepted=_mean([each.valid for each in judged]) if readable else None,
            step_validity=_mean([each.share for each in judged]) if readable else None,
            tokens=_mean([len(ids) for ids in written]),
            problems=self.problems,
            flops=self.flops,
            seconds=round(self.seconds, 1),
            per_family={
                name: _mean(
                    [j.right for s, j in zip(samples, judged, strict=True) if s.family == name]
                )
                for name in tasks.FAMILIES
            },
        )

    def answers(self, samples: list[Sample], **more: Any) -> list[list[int]]:
        """What the model writes for each."""
        order = sorted(range(len(samples)), key=lambda n: len(samples[n].prompt))
        found: list[list[int]] = [[] for _ in samples]
        for group in _groups(order, EVALUATION_BATCH):
            prompts = [self.prompt(samples[n]) for n in group]
            for n, ids in zip(
                group, greedy(self.model, tokenizer(), prompts, self.cap, **more), strict=True
            ):
                found[n] = ids
        return found


def judge(form: Form, sample: Sample, tokens: list[int]) -> Judged:
    """The checker's view of what was written."""
    if not form.readable:
        golden = form.answer(form.encode(sample))  # type: ignore[attr-defined]
        right = form.answer(tokens) == golden  # type: ignore[attr-defined]
        return Judged(False, right, 0)
    try:
        body = form.decode(sample.problem, tokens)
    except LanguageError:
        return Judged(False, False, 1)
    return judge_body(sample.problem, body, lambda _: sample.body[-1][1])


def _mean(values: list[Any]) -> float:
    return sum(values) / len(values) if values else 0.0


def _groups(order: list[int], size: int) -> Iterator[list[int]]:
    for cut in range(0, len(order), size):
        yield order[cut : cut + size]
