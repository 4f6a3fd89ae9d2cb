"""Validation while training: token loss on fixed rows and greedy answers, within its share of time.

    validator = Validator(trainer_settings, rows, tokenizer, clock=clock)
    build_trainer(..., after_step=validator)

Every `validation.every_steps` it is due. A credit account decides whether it may run: training
earns `time_share_max` of its seconds, a validation pays what it took, and one that cannot be paid
waits, still due. Loss and answers are paid apart, so slow answers never cost the loss.

Training's bits are the same with or without it: evaluation mode, no gradients, RNG put back. It
never reports a loss it did not measure, and never trains.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from regime3.clock import Clock, SystemClock
from regime3.config import Settings
from regime3.model import oom
from regime3.model.generate import greedy
from regime3.records.messages import (
    Alert,
    Answer,
    Beat,
    LayerReading,
    SurenessReading,
    Validated,
)
from regime3.records.rows import Example, RowRef
from regime3.train.layers import LayerWatch
from regime3.train.metrics import WindowResult
from regime3.train.rng import TorchRng
from regime3.train.slices import collate, cut, supervised_count
from regime3.train.sureness import Sureness

if TYPE_CHECKING:
    from regime3.train.trainer import WindowTrainer

Preview = Callable[[list[list[int]]], list[list[int]]]
"""Prompts as token ids to greedy completions, without the end of turn. The node may serve it."""
AnswerOf = Callable[[str], str]
"""What of a completion counts for exact match, for example the text after the thinking."""
Judge = Callable[[str], bool]
"""Whether a completion of one row is right: for answers that text equality cannot compare."""


@dataclass(frozen=True)
class ValidationRow:
    """One row of validation/: its last turn as tokens, and its words for viewers."""

    example: Example
    prompt: str = ""
    golden: str = ""
    """The completion's text; empty: decoded from the example."""
    system_prompt: str = ""
    judge: Judge | None = None
    """None: a completion is right if its answer has the golden one's text."""


def choose_rows(rows: Sequence[ValidationRow], rows_max: int, seed: int) -> list[ValidationRow]:
    """At most `rows_max`, the same ones each time whatever their order: least keyed hash first."""

    def key(row: ValidationRow) -> bytes:
        return hashlib.sha256(f"validation|{seed}|{row.example.input_ids}".encode()).digest()

    return sorted(rows, key=key)[:rows_max]


@dataclass
class Account:
    """Seconds of validation that training has earned. May go below zero once, then waits."""

    share: float
    seconds: float = 0.0

    def earn(self, training_seconds: float) -> None:
        self.seconds += self.share * training_seconds

    def affords(self, price_s: float) -> bool:
        return self.seconds >= price_s

    def pay(self, price_s: float) -> None:
        self.seconds -= price_s


class Validator:
    """Called after every step as `after_step`. `preview` None: greedy decoding in this process."""

    def __init__(
        self,
        settings: Settings,
        rows: Sequence[ValidationRow],
        tokenizer: Any,
        *,
        clock: Clock | None = None,
        preview: Preview | None = None,
        answer_of: AnswerOf = str.strip,
    ) -> None:
        own = settings.validation
        self.every_steps = own.every_steps
        self.rows = choose_rows(rows, own.rows_max, settings.train.seed)
        self.previews = self.rows[: own.preview_rows]
        self.tokens_max = own.preview_tokens_max
        self.tokenizer, self.clock = tokenizer, clock or SystemClock()
        self.preview, self.answer_of = preview, answer_of
        self.account = Account(own.time_share_max)
        self.loss_price_s = self.answers_price_s = 0.0
        """What they last cost; nothing is known before the first time."""
        self.loss_due = self.answers_due = False
        self._layers: LayerWatch | None = None
        self._sureness = Sureness()

    def __call__(self, trainer: WindowTrainer, result: WindowResult) -> None:
        """Earn, and validate what is due and affordable."""
        self.account.earn(result.seconds)
        if not self.rows:
            return
        if result.step % self.every_steps == 0:
            self.loss_due = True
            self.answers_due = bool(self.previews)
        wanted = self.loss_due and self.account.affords(self.loss_price_s)
        if wanted or (self.answers_due and self.account.affords(self.answers_price_s)):
            self._validate(trainer, result.step)

    def _validate(self, trainer: WindowTrainer, step: int) -> None:
        trainer.hooks.report(Beat("evaluating"))
        started = self.clock.monotonic()
        loss: float | None = None
        answers: list[Answer] = []
        layers: LayerReading | None = None
        sure: SurenessReading | None = None
        with _aside(trainer.model), trainer.averaged():
            if self.loss_due and self.account.affords(self.loss_price_s):
                loss, self.loss_price_s = self._timed(lambda: self._loss(trainer))
                measured = None if self._layers is None else self._layers.reading()
                layers = None if loss is None else measured
                sure = None if loss is None else self._sureness.reading()
                self.loss_due = False
            if self.answers_due and self.account.affords(self.answers_price_s):
                answers, self.answers_price_s = self._timed(lambda: self._answers(trainer))
                self.answers_due = False
        seconds = self.clock.monotonic() - started
        if loss is not None or answers:
            rows = len(self.rows) if loss is not None else 0
            trainer.hooks.report(Validated(step, loss, rows, seconds, answers or [], layers, sure))

    def _timed(self, work: Callable[[], Any]) -> tuple[Any, float]:
        """The work's result and its seconds, paid. Out of memory gives None and an alert."""
        started = self.clock.monotonic()
        result = work()
        seconds = self.clock.monotonic() - started
        self.account.pay(seconds)
        return result, seconds

    def _loss(self, trainer: WindowTrainer) -> float | None:
        """Nats a supervised token over all rows; None when memory or numbers do not allow."""
        step = trainer.step
        rows = [RowRef("validation", i, i, [row.example]) for i, row in enumerate(self.rows)]
        count = sum(supervised_count(row.example) for row in self.rows)
        total = 0.0
        if self._layers is None:
            self._layers = LayerWatch(trainer.model)
        self._sureness = Sureness()
        try:
            for part in cut(rows, step.budget.tokens, "whole", step.price_tokens):
                batch = collate(part.examples, step.device)
                with step.autocast(), self._layers.over(batch.positions):
                    total += step.loss.sum(batch, self._sureness.add).item()
        except (RuntimeError, MemoryError) as error:
            _say_oom(trainer, error)
            return None
        mean = total / count if count else float("nan")
        return mean if torch.isfinite(torch.tensor(mean)) else None

    def _answers(self, trainer: WindowTrainer) -> list[Answer]:
        prompts = [row.example.input_ids[: row.example.prompt_length] for row in self.previews]
        try:
            if self.preview is not None:
                found = self.preview(prompts)
            else:
                with trainer.step.autocast():
                    found = greedy(trainer.model, self.tokenizer, prompts, self.tokens_max)
        except (RuntimeError, MemoryError) as error:
            _say_oom(trainer, error)
            return []
        return [self._answer(row, ids) for row, ids in zip(self.previews, found, strict=True)]

    def _answer(self, row: ValidationRow, ids: list[int]) -> Answer:
        golden_ids = row.example.input_ids[row.example.prompt_length :]
        golden = row.golden or self._text(golden_ids)
        model = self._text(ids)
        same = row.judge or (lambda text: self.answer_of(text) == self.answer_of(golden))
        return Answer(
            prompt=row.prompt,
            golden=golden,
            model=model,
            matches=same(model),
            system_prompt=row.system_prompt,
            golden_tokens=len(golden_ids),
            model_tokens=len(ids),
        )

    def _text(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))


def _say_oom(trainer: WindowTrainer, error: BaseException) -> None:
    """Validation is worth no restart: say so and go on training. Other errors pass through."""
    if not oom.is_oom(error):
        raise error
    oom.reclaim()
    text = f"validation ran out of memory and was left out: {oom.message_of(error)}"
    trainer.hooks.report(Alert("WARN", "validation-oom", text))


@contextlib.contextmanager
def _aside(model: Any) -> Iterator[None]:
    """Evaluation mode without gradients; mode, cache setting and RNG are put back."""
    rng, was_training = TorchRng.capture(), model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)
        rng.restore()
