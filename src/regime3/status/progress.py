"""How far and how fast: the figures of progress in the status, from steps and the queue's books.

`total_steps` and the ETA are estimates and say so by being null when too little is known.
"""

from __future__ import annotations

import math

from regime3.records.messages import StepDone
from regime3.records.status import QueueFile, TrainingStatus
from regime3.status.rates import Baseline, RecentSteps, RowRate

GOING_ON = ("starting", "training", "sealing", "restarting")
"""States in which the recent rate says something about when the queue will be dry."""


class Progress:
    """Rates of one supervisor, begun with what the last one knew."""

    def __init__(self, status: TrainingStatus) -> None:
        self.recent = RecentSteps()
        self.baseline = Baseline(status.tokens_per_sec_baseline)
        prior = None
        if status.queue_velocity and status.queue_velocity_spread is not None:
            prior = (status.queue_velocity / 3600, status.queue_velocity_spread)
        self.rate = RowRate(prior)

    def interrupt(self) -> None:
        """A pause or a restart: the time until the next step is not training time."""
        self.rate.interrupt()

    def add(self, step: StepDone, monotonic: float) -> None:
        """Take a step."""
        self.rate.add(step.rows, step.seconds, step.wait_seconds, monotonic)
        if step.skipped is None and step.seconds > 0:
            self.recent.add(step)
            speed = self.recent.speed()
            if speed is not None:
                self.baseline.add(speed.tokens_per_s, step.seconds)

    def show(self, status: TrainingStatus) -> None:
        """Write the figures; what is not known again yet stays as it was."""
        self._show_speed(status)
        estimate = self.rate.estimate()
        if estimate is not None:
            status.queue_velocity = estimate[0] * 3600
            status.queue_velocity_spread = estimate[1]
        self._show_file(status)
        self._show_end(status)

    def _show_speed(self, status: TrainingStatus) -> None:
        speed = self.recent.speed()
        if speed is None:
            return
        status.tokens_per_sec = status.nonpad_tokens_per_sec = speed.tokens_per_s
        status.supervised_tokens_per_sec = speed.supervised_per_s
        status.padding_percent = speed.padding_percent
        status.step_seconds, status.rows_per_step = speed.step_s, speed.rows_per_step
        if status.train_seconds_total > 0:
            status.tokens_per_sec_avg = status.tokens_total / status.train_seconds_total
        status.tokens_per_sec_baseline = self.baseline.value
        status.throughput_trend = self.baseline.trend(speed.tokens_per_s)

    def _show_file(self, status: TrainingStatus) -> None:
        if status.queue is None:
            return
        status.batch_number = status.queue.files_ended + 1
        status.batch_queue_size = status.queue.files_open
        file = _file_of(status)
        if file is None:
            return
        status.current_file = file.name
        if file.rows:
            status.epoch = file.pass_number - 1 + file.position / file.rows
        if status.rows_per_step:
            status.batch_step = math.ceil(file.position / status.rows_per_step)
            status.batch_total_steps = max(
                status.batch_step, math.ceil(file.rows / status.rows_per_step)
            )

    def _show_end(self, status: TrainingStatus) -> None:
        status.total_steps = status.eta_seconds = status.eta_seconds_range = None
        if status.queue is None or status.current_step is None:
            return
        left = status.queue.rows_left
        if status.rows_per_step and status.queue.rows_admitted:
            status.total_steps = status.current_step + math.ceil(left / status.rows_per_step)
        eta = self.rate.eta(left) if status.state in GOING_ON else None
        if eta is not None:
            status.eta_seconds, status.eta_seconds_range = eta[0], (eta[1], eta[2])


def _file_of(status: TrainingStatus) -> QueueFile | None:
    """The current file's entry; None once it has ended."""
    files = status.queue.files if status.queue is not None else []
    return next((file for file in files if file.id == status.current_file_id), None)
