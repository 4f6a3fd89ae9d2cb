"""Validation: the same rows, never in the way of training, never beyond its share of time."""

from __future__ import annotations

import contextlib
import math
import random
from typing import Any

import pytest
import torch

from regime3.clock import FakeClock
from regime3.model.generate import greedy
from regime3.records.messages import Alert, Validated
from regime3.records.rows import Example
from regime3.train.faults import cuda_oom
from regime3.train.loss import TokenLoss
from regime3.train.slices import collate
from regime3.train.validate import ValidationRow, Validator, choose_rows

from .tiny import (
    VOCABULARY,
    everything_hash,
    example,
    make_window,
    settings_with,
    tiny_model,
    trainer_for,
)

DRAW = random.Random("validation")
ROWS = [ValidationRow(example(n, n // 2, DRAW), prompt=f"p{n}") for n in range(8, 20)]


class Letters:
    """A tokenizer for tests: a token is a word."""

    eos_token_id = 2

    def decode(self, ids: list[int], skip_special_tokens: bool = False) -> str:
        return " ".join(str(i) for i in ids if not (skip_special_tokens and i == 2))


def validator_for(clock: FakeClock | None = None, **flags: Any) -> Validator:
    defaults = {"validation__every_steps": 2, "validation__preview_rows": 2,
                "validation__time_share_max": 1.0}  # fmt: skip
    settings = settings_with(**{**defaults, **flags})
    # On a clock that stands still nothing costs anything, so that no test depends on speed.
    return Validator(settings, ROWS, Letters(), clock=clock or FakeClock())


def run(validator: Validator | None, windows: int = 6, **extra: Any) -> tuple[Any, Any]:
    made = [make_window(n) for n in range(windows)]
    trainer, driver = trainer_for(made, tiny_model(dropout=0.2), after_step=validator, **extra)
    trainer.run()
    return trainer, driver


def test_the_bits_of_training_are_the_same_with_and_without_it() -> None:
    plain, _ = run(None)
    watched, driver = run(validator_for())
    assert len(driver.of(Validated)) >= 2
    assert everything_hash(plain) == everything_hash(watched)
    assert watched.model.training


def test_its_loss_is_the_mean_over_all_supervised_tokens_without_dropout() -> None:
    trainer, driver = run(validator_for(validation__every_steps=6))
    (report,) = driver.of(Validated)
    trainer.model.eval()
    with torch.no_grad():
        batch = collate([row.example for row in ROWS])
        wanted = TokenLoss(trainer.model, 512).sum(batch).item() / len(batch.targets)
    assert report.loss == pytest.approx(wanted, rel=1e-5)
    assert (report.step, report.rows) == (6, len(ROWS))


def test_the_chosen_rows_do_not_depend_on_their_order() -> None:
    chosen = choose_rows(ROWS, 5, seed=1)
    assert choose_rows(ROWS[::-1], 5, seed=1) == chosen
    assert choose_rows(ROWS, 5, seed=2) != chosen
    assert choose_rows(ROWS, 3, seed=1) == chosen[:3], "fewer rows are a part of the same"


def test_answers_are_compared_with_the_golden_ones() -> None:
    validator = validator_for(validation__preview_rows=3)
    right = {tuple(r.example.input_ids[: r.example.prompt_length]): r.example for r in ROWS}

    def preview(prompts: list[list[int]]) -> list[list[int]]:
        answers = [right[tuple(p)].input_ids[len(p) :] for p in prompts]
        return [answers[0], answers[1][:-1], answers[2]]

    validator.preview = preview
    _, driver = run(validator, windows=2)
    answers = driver.of(Validated)[0].answers
    assert [answer.matches for answer in answers] == [True, False, True]
    assert answers[0].prompt == validator.rows[0].prompt
    assert answers[1].model_tokens == answers[1].golden_tokens - 1


def test_time_is_bounded_by_the_share_and_what_waits_is_still_due() -> None:
    """Steps of 10 s at a share of a tenth earn a second each; a loss costs three."""
    clock = FakeClock()
    validator = validator_for(
        clock, validation__every_steps=1, validation__preview_rows=0, validation__time_share_max=0.1
    )
    costs = 3.0

    def slow_loss(_trainer: object) -> float:
        clock.advance(costs)
        return 1.5

    validator._loss = slow_loss  # type: ignore[method-assign, assignment]
    steps, spent = 30, []
    driver = _Reports()
    for step in range(1, steps + 1):
        validator(driver, _Result(step, seconds=10.0))  # type: ignore[arg-type]
        spent.append(costs * len(driver.reports_of(Validated)))
        # At most the share, and once the price of the very first, which nobody could know.
        assert spent[-1] <= 0.1 * 10.0 * step + costs
    assert spent[-1] == 30.0, "all that was earned is used"


class _Result:
    def __init__(self, step: int, seconds: float) -> None:
        self.step, self.seconds = step, seconds


class _Reports:
    def __init__(self) -> None:
        self.reports: list[Any] = []
        self.hooks = self
        self.model = tiny_model()

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def report(self, report: Any) -> None:
        self.reports.append(report)

    def reports_of(self, kind: type) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]


def test_slow_answers_never_cost_the_loss() -> None:
    clock = FakeClock()
    validator = validator_for(clock, validation__every_steps=1, validation__time_share_max=0.1)

    def slow_answers(_trainer: object) -> list[Any]:
        clock.advance(50.0)
        return []

    validator._answers = slow_answers  # type: ignore[method-assign, assignment]
    validator._loss = lambda _trainer: 1.5  # type: ignore[method-assign, assignment]
    driver = _Reports()
    for step in range(1, 100):
        validator(driver, _Result(step, seconds=10.0))  # type: ignore[arg-type]
    losses = driver.reports_of(Validated)
    assert len(losses) >= 49
    assert {report.loss for report in losses} == {1.5}


def test_out_of_memory_in_validation_is_left_out_and_said() -> None:
    validator = validator_for(validation__every_steps=2)
    fails = [True]

    def preview(prompts: list[list[int]]) -> list[list[int]]:
        if fails.pop() if fails else False:
            raise cuda_oom("validating")
        return [[5] for _ in prompts]

    validator.preview = preview
    trainer, driver = run(validator, windows=4)
    assert trainer.state.global_step == 4
    assert [alert.code for alert in driver.of(Alert)] == ["validation-oom"]
    reports = driver.of(Validated)
    assert reports[0].answers == [] and reports[0].loss is not None
    assert len(reports[-1].answers) == 2


def test_a_loss_says_how_sure_the_model_was() -> None:
    _, driver = run(validator_for(validation__every_steps=2), windows=4)
    reports = driver.of(Validated)
    for report in reports:
        assert report.sureness is not None
        assert 0 < report.sureness.entropy <= math.log(VOCABULARY) + 1e-4
        assert 0 <= report.sureness.calibration_error <= 1
    assert reports[0].sureness != reports[-1].sureness


def test_no_validation_rows_no_report() -> None:
    settings = settings_with(validation__every_steps=1)
    _, driver = run(Validator(settings, [], Letters()), windows=2)
    assert driver.reports == []


def test_a_loss_that_is_not_finite_is_no_loss() -> None:
    validator = validator_for(validation__preview_rows=0)
    trainer, _ = run(None, windows=1)
    with torch.no_grad():
        trainer.model.model.norm.weight.fill_(float("nan"))
    assert validator._loss(trainer) is None


def test_greedy_answers_equal_the_models_own_generate() -> None:
    model = tiny_model(seed=4).eval()
    prompts = [[5, 6, 7, 8, 9], [11, 12], [20, 21, 22, 23]]
    model.config.eos_token_id = model.generation_config.eos_token_id = 2
    found = greedy(model, Letters(), prompts, 12)
    for prompt, ids in zip(prompts, found, strict=True):
        out = model.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=12, do_sample=False, pad_token_id=0,
        )[0, len(prompt) :].tolist()  # fmt: skip
        assert ids == (out[: out.index(2)] if 2 in out else out)


def test_a_completion_ends_before_its_end_token() -> None:
    model = tiny_model(seed=4).eval()
    free = greedy(model, Letters(), [[5, 6, 7, 8, 9]], 8)[0]
    end = free[-1]
    model.generation_config.eos_token_id = [2, end]
    assert greedy(model, Letters(), [[5, 6, 7, 8, 9]], 8) == [free[: free.index(end)]]


def test_a_row_with_a_judge_is_not_compared_as_text() -> None:
    validator = validator_for()
    heard: list[str] = []

    def judge(text: str) -> bool:
        heard.append(text)
        return text == "11 12"

    row = ValidationRow(Example([7, 8, 9, 2], 2), golden="9", judge=judge)
    assert validator._answer(row, [11, 12]).matches, "right, in other words"
    assert not validator._answer(row, [9]).matches, "the golden text, yet wrong here"
    assert heard == ["11 12", "9"]


def test_a_row_without_words_is_decoded() -> None:
    validator = validator_for()
    row = ValidationRow(Example([7, 8, 9, 2], 2))
    assert validator._answer(row, [9]).matches
