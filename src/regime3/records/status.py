"""`training_status.json`: what the supervisor says of a lab, for every viewer.

Each field's docstring says what writes it, or begins with "Null until" when nothing does yet;
a test holds every field to its word. Numbers are finite or null. Times are wall seconds since
the epoch. The file never says that training is alive: `heartbeat` is the time of the worker's
last report, and `status.liveness` judges its age.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from regime3.records.files import Lane

STATUS_SCHEMA = 1

State = Literal[
    "starting", "training", "waiting", "paused", "sealing", "stopped", "restarting", "fatal"
]
Level = Literal["INFO", "WARN", "ERROR"]
Trend = Literal["falling", "flat", "rising"]


class ActiveAlert(msgspec.Struct):
    """Something a person may want to act on. One per `code`; repeats raise `count`."""

    code: str
    level: Level
    message: str
    what_to_do: str
    since: float
    last: float
    count: int = 1


class AlertSummary(msgspec.Struct):
    """Active alerts by level."""

    errors: int = 0
    warnings: int = 0
    notes: int = 0


class QueueFile(msgspec.Struct):
    """An open file in the order of training. `position` counts rows consumed."""

    id: str
    name: str
    lane: Lane
    rows: int
    position: int = 0
    pass_number: int = 1
    passes: int = 1


class QueueState(msgspec.Struct):
    """The books of the queue, relative to the head checkpoint until the board moves them on.

    `files` may be cut to the first so many; the counts are of all. admitted = trained + buried
    + set aside + left.
    """

    files: list[QueueFile] = []
    files_open: int = 0
    files_ended: int = 0
    files_failed: int = 0
    inbox_waiting: int = 0
    rows_admitted: int = 0
    rows_trained: int = 0
    rows_buried: int = 0
    rows_set_aside: int = 0
    rows_left: int = 0


class ShownAnswer(msgspec.Struct):
    """One validation prompt answered greedily, as viewers show it. Text is never edited."""

    step: int
    time: float
    system_prompt: str
    prompt: str
    golden: str
    model: str
    matches: bool
    golden_tokens: int
    model_tokens: int


class Event(msgspec.Struct):
    """A line of `events.jsonl`. `number` grows by one for ever."""

    number: int
    time: float
    kind: str
    level: Level
    text: str
    step: int | None = None


class GpuReading(msgspec.Struct):
    """One card, read through NVML. Null fields: the card does not say."""

    index: int
    name: str
    busy_percent: float | None = None
    memory_used_bytes: int | None = None
    memory_total_bytes: int | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    power_limit_w: float | None = None


class SystemReading(msgspec.Struct):
    """The machine the supervisor runs on; the disk is the lab's."""

    time: float
    cpu_percent: float | None
    cpu_count: int
    memory_used_bytes: int
    memory_total_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int
    worker_memory_bytes: int | None = None


class TrainingStatus(msgspec.Struct):
    """The whole contract. Older readers skip fields they do not know."""

    # ------------------------------------------------------------ the file itself
    schema_version: int = STATUS_SCHEMA
    """Constant: grows when a field changes its meaning."""
    sequence: int = 0
    """StatusBoard.write_if_due: one more with every write, across restarts."""
    timestamp: float | None = None
    """StatusBoard.write_if_due: when this file was written; the supervisor's own sign of life."""
    heartbeat: float | None = None
    """StatusBoard.take: when the worker last reported anything."""
    started_at: float | None = None
    """StatusBoard.begin: when this supervisor first took the lab."""
    stall_after_s: float | None = None
    """StatusBoard.take: silence of the worker after which viewers say stalled."""
    dead_after_s: float | None = None
    """Settings supervisor: silence after which the worker is killed; longer while it loads."""

    # ------------------------------------------------------------ state
    state: State = "starting"
    """Supervisor facts, or the worker's Beat and StepDone between them."""
    status: str = "starting"
    """The same word as `state`, under its historical name."""
    state_reason: str | None = None
    """Supervisor facts: why paused, restarting, stopped or fatal; null otherwise."""
    activity: str | None = None
    """Beat.state: what the worker is doing this moment."""
    supervisor_pid: int | None = None
    """Supervisor facts."""
    worker_pid: int | None = None
    """Ready.pid, or supervisor facts; null while there is no worker."""
    worker_started_at: float | None = None
    """Supervisor facts: when this worker was started; it may be silent while it loads."""
    worker_restarts: int = 0
    """StatusBoard.worker_died: since the lab was made."""
    head_seal: int | None = None
    """Ready.seal and Sealed.number: the head checkpoint."""
    head_step: int | None = None
    """Ready.step and Sealed.step: the step it holds."""
    head_sealed_at: float | None = None
    """Sealed, or supervisor facts: when it was written."""
    head_size_bytes: int | None = None
    """Sealed.size_bytes."""

    # ------------------------------------------------------------ model and machine
    model_name: str | None = None
    """Ready.model_name."""
    parameters: int | None = None
    """Ready.parameters: numbers in the model."""
    device: str | None = None
    """Ready.device."""
    context_window: int | None = None
    """Ready.context_window: longest example, tokens."""
    max_output_tokens: int | None = None
    """Settings validation.preview_tokens_max: longest answer written in an evaluation."""
    token_budget: int | None = None
    """Ready, StepDone and OutOfMemory: padded tokens of a micro-batch."""
    memory_bytes: int | None = None
    """StepDone.memory_bytes: peak device memory of the last step; null on a CPU."""
    system: SystemReading | None = None
    """status.machine: this machine's processor, memory and disk."""
    gpu: list[GpuReading] | None = None
    """status.machine through NVML; null without a card, never simulated."""
    energy_kwh: float | None = None
    """status.machine: drawn by the cards since the lab was made; null without a card."""
    tokens_per_joule: float | None = None
    """status.machine and StepDone: tokens trained over joules drawn meanwhile; null with no card"""

    # ------------------------------------------------------------ progress
    current_step: int | None = None
    """StepDone.step; after a restart or rollback the head's step."""
    total_steps: int | None = None
    """Estimated: current_step + rows left over rows a window; null when nothing is admitted."""
    epoch: float | None = None
    """Passes over the current file: whole passes before, plus the share of this one."""
    batch_step: int | None = None
    """Estimated windows done in the current file: its position over rows a window."""
    batch_total_steps: int | None = None
    """Estimated windows in the current file: its rows over rows a window."""
    batch_number: int | None = None
    """Files ended so far, plus one."""
    batch_queue_size: int | None = None
    """Open files, the current one included: supervisor facts less FileOver."""
    current_file: str | None = None
    """Name of the file of the last window's last row: StepDone.file_id."""
    current_file_id: str | None = None
    """Its id: StepDone.file_id."""
    eta_seconds: float | None = None
    """Training time until the queue is dry at the recent rate; null when that is not known."""
    eta_seconds_range: tuple[float, float] | None = None
    """The same at the fast and at the slow end of the recent rates."""
    queue_velocity: float | None = None
    """Rows trained an hour, of late; waiting, pauses and restarts left out."""
    queue_velocity_spread: float | None = None
    """Relative spread of that rate between blocks of time."""
    rows_per_step: float | None = None
    """StepDone.rows: mean of late."""
    queue: QueueState | None = None
    """Supervisor facts, moved on by StepDone between them."""

    # ------------------------------------------------------------ learning
    loss: float | None = None
    """StepDone.loss: mean over the window's supervised tokens; a refused window leaves it."""
    streaming_ce: float | None = None
    """Smoothed loss: s <- s + (loss - s) * max(1 / n, 0.02), n steps so far."""
    loss_variance: float | None = None
    """Variance of the last 200 losses."""
    loss_trend: Trend | None = None
    """Last 100 losses against the 100 before, beyond two standard errors; null under 20 each."""
    loss_change: float | None = None
    """Mean of those last losses less the mean of those before."""
    learning_rate: float | None = None
    """StepDone.learning_rate."""
    grad_norm: float | None = None
    """StepDone.grad_norm, before clipping."""
    train_loss_history: list[tuple[int, float]] = []
    """(step, loss) of the last 200 steps."""
    validation_loss: float | None = None
    """Validated.loss: over validation rows, never trained."""
    validation_step: int | None = None
    """Validated.step: when that was."""
    validation_loss_history: list[tuple[int, float]] = []
    """(step, Validated.loss) of the last 200 evaluations."""
    val_train_gap: float | None = None
    """validation_loss less streaming_ce at that time."""
    token_entropy: float | None = None
    """Validated.sureness: nats a supervised token of validation rows, over the whole vocabulary."""
    think_tag_count: int = 0
    """StepDone.think_examples: examples with thinking markers trained so far."""
    think_tag_percent: float | None = None
    """The same as a share of all examples trained."""

    # ------------------------------------------------------------ answers
    current_system_prompt: str | None = None
    """Validated.answers: of the last answer, as the model saw it."""
    current_prompt: str | None = None
    """Validated.answers: of the last answer."""
    golden_answer: str | None = None
    """Validated.answers: of the last answer."""
    model_answer: str | None = None
    """Validated.answers: of the last answer, unedited."""
    answer_matches: bool | None = None
    """Validated.answers: whether the last answer is right."""
    current_golden_output_length: int | None = None
    """Validated.answers: tokens of the last golden answer."""
    current_model_output_length: int | None = None
    """Validated.answers: tokens of the last model answer."""
    max_golden_output_length: int | None = None
    """Validated.answers: longest golden answer so far, tokens."""
    max_model_output_length: int | None = None
    """Validated.answers: longest model answer so far, tokens."""
    recent_examples: list[ShownAnswer] = []
    """Validated.answers: the latest, newest first, at most status.recent_examples."""
    total_evals: int = 0
    """Validated.answers: validation answers written so far. Training rows never count."""
    total_correct: int = 0
    """Validated.answers: right ones among them."""
    accuracy_percent: float | None = None
    """total_correct over total_evals."""
    accuracy_last_20: float | None = None
    """Percent right of the last 20 answers; null before there are 20."""
    accuracy_last_50: float | None = None
    """Percent right of the last 50 answers; null before there are 50."""
    accuracy_trend: Trend | None = None
    """Last 5 evaluations against the 5 before, beyond two points; null before there are 10."""
    accuracy_history: list[tuple[int, float]] = []
    """(step, percent right) of the last 200 evaluations."""
    recent_matches: str = ""
    """The last 50 answers, oldest first: 1 right, 0 wrong."""
    fixed_eval_em: float | None = None
    """Percent right of the last evaluation's answers: the same prompts every time."""
    fixed_eval_ce: float | None = None
    """Validated.loss of the last evaluation."""
    fixed_eval_ece: float | None = None
    """Validated.sureness: expected calibration error of the next token there, 0 to 1."""
    fixed_eval_trend: Trend | None = None
    """Last 5 validation losses against the 5 before, beyond two standard errors."""

    # ------------------------------------------------------------ speed
    tokens_per_sec: float | None = None
    """Non-pad tokens over step time, last 60 s of steps."""
    nonpad_tokens_per_sec: float | None = None
    """The same figure under its exact name."""
    supervised_tokens_per_sec: float | None = None
    """StepDone.supervised_tokens over the same time."""
    padding_percent: float | None = None
    """Share of computed positions that were padding, over the same steps."""
    tokens_per_sec_avg: float | None = None
    """tokens_total over train_seconds_total."""
    tokens_per_sec_baseline: float | None = None
    """Slow mean of tokens_per_sec: half-life 30 minutes of training, 6 hours while below 60 %."""
    throughput_trend: Trend | None = None
    """tokens_per_sec against the baseline, beyond 10 %."""
    throughput_vram_samples: list[tuple[int, float, int]] | None = None
    """(step, tokens_per_sec, memory_bytes), one every 10 s, last 60; null on a CPU."""
    step_seconds: float | None = None
    """StepDone.seconds: mean over the last 60 s of steps."""
    tokens_total: int = 0
    """StepDone.tokens: non-pad tokens trained since the lab was made, replays included."""
    supervised_tokens_total: int = 0
    """StepDone.supervised_tokens, likewise."""
    examples_total: int = 0
    """StepDone.examples, likewise."""
    train_seconds_total: float = 0.0
    """StepDone.seconds, likewise."""
    windows_refused: int = 0
    """StepDone.skipped: windows that did not reach the weights."""
    out_of_memory_total: int = 0
    """OutOfMemory: windows replayed in smaller slices."""
    rows_given_up: int = 0
    """RowGivenUp: rows buried while training."""

    # ------------------------------------------------------------ trouble
    active_alerts: list[ActiveAlert] = []
    """status.alerts: gravest first."""
    alert_summary: AlertSummary = msgspec.field(default_factory=AlertSummary)
    """status.alerts: counts by level."""
    error_message: str | None = None
    """Supervisor facts, or the gravest active ERROR; null when there is none."""
    error_type: str | None = None
    """Its class or code."""
    recent_events: list[Event] = []
    """status.events: the last 12, newest last."""

    # ------------------------------------------------------------ rooms to come
    pattern_heatmap: Any = None
    """Null until the tasks room labels rows by pattern and the judge scores them."""
    pattern_loss_trend: Any = None
    """Null until the tasks room labels rows by pattern."""
    pattern_layer_correlation: Any = None
    """Null until the train room measures layers."""
    length_bin_staleness: Any = None
    """Null until the stream room reports when each length bin was last trained."""
    layer_activity_summary: Any = None
    """Validated.layers: step, and of each layer what it adds over what it is given."""
    layer_stability_summary: Any = None
    """Validated.layers: step, and of each layer the cosine with the reading before."""
    lora_stats: Any = None
    """Null until never: training is full, without adapters; kept so that readers find the name."""
    lora_summary: Any = None
    """Null until never: training is full, without adapters; kept so that readers find the name."""
    logit_penalty_stats: Any = None
    """Null until the engine room decodes with penalties."""
    penalty_heatmap: Any = None
    """Null until the engine room decodes with penalties."""
