"""Validation in the status: loss on rows never trained, and greedy answers to their prompts.

Accuracy counts these answers only, never a training row, and an answer is shown as the model
wrote it.
"""

from __future__ import annotations

import math

from regime3.records.messages import Answer, Validated
from regime3.records.status import ShownAnswer, TrainingStatus
from regime3.status.learning import accuracy_trend, loss_trend, share_right

EVALUATIONS_KEPT = 200
MATCHES_KEPT = 50


def take(status: TrainingStatus, report: Validated, now: float, shown_max: int) -> dict[str, float]:
    """Write an evaluation into the status; returns its figures for the history."""
    figures: dict[str, float] = {}
    if report.loss is not None and math.isfinite(report.loss):
        _take_loss(status, report.step, report.loss)
        figures["validation_loss"] = report.loss
    if report.answers:
        figures["accuracy_percent"] = _count(status, report.step, report.answers)
        shown = [_shown(answer, report.step, now) for answer in reversed(report.answers)]
        status.recent_examples = [*shown, *status.recent_examples][:shown_max]
        _show_newest(status, report.answers)
    return figures


def _take_loss(status: TrainingStatus, step: int, loss: float) -> None:
    status.validation_loss = status.fixed_eval_ce = loss
    status.validation_step = step
    history = [*status.validation_loss_history, (step, loss)][-EVALUATIONS_KEPT:]
    status.validation_loss_history = history
    status.fixed_eval_trend = loss_trend([item for _, item in history])
    if status.streaming_ce is not None:
        status.val_train_gap = loss - status.streaming_ce


def _count(status: TrainingStatus, step: int, answers: list[Answer]) -> float:
    """Count right and wrong; returns the percent right of this evaluation."""
    right = "".join("1" if answer.matches else "0" for answer in answers)
    status.total_evals += len(right)
    status.total_correct += right.count("1")
    status.accuracy_percent = 100 * status.total_correct / status.total_evals
    status.recent_matches = (status.recent_matches + right)[-MATCHES_KEPT:]
    status.accuracy_last_20 = share_right(status.recent_matches, 20)
    status.accuracy_last_50 = share_right(status.recent_matches, 50)
    percent = 100 * right.count("1") / len(right)
    status.fixed_eval_em = percent
    status.accuracy_history = [*status.accuracy_history, (step, percent)][-EVALUATIONS_KEPT:]
    status.accuracy_trend = accuracy_trend([item for _, item in status.accuracy_history])
    return percent


def _show_newest(status: TrainingStatus, answers: list[Answer]) -> None:
    golden = max(answer.golden_tokens for answer in answers)
    model = max(answer.model_tokens for answer in answers)
    status.max_golden_output_length = max(golden, status.max_golden_output_length or 0)
    status.max_model_output_length = max(model, status.max_model_output_length or 0)
    newest = answers[-1]
    status.current_system_prompt, status.current_prompt = newest.system_prompt, newest.prompt
    status.golden_answer, status.model_answer = newest.golden, newest.model
    status.answer_matches = newest.matches
    status.current_golden_output_length = newest.golden_tokens
    status.current_model_output_length = newest.model_tokens


def _shown(answer: Answer, step: int, now: float) -> ShownAnswer:
    return ShownAnswer(
        step,
        now,
        answer.system_prompt,
        answer.prompt,
        answer.golden,
        answer.model,
        answer.matches,
        answer.golden_tokens,
        answer.model_tokens,
    )
