"""The status board: worker reports and supervisor facts in, the status file and history out.

    board = StatusBoard(lab, settings, clock)
    board.begin(head_step)              # after every start of the supervisor, and every rollback
    board.take(report)                  # everything the worker says
    board.update(queue=spool.counts(ledger), paused_reason=None, ...)
    board.write_if_due(clock.now())     # in every round

The supervisor is its only owner, so the file has one writer. A new supervisor takes over what
the last one wrote: counters go on, and no field flickers to null. The board never says that
training lives; it dates what it heard. It decides nothing about training, and a figure that is
not finite is shown as unknown, with an alert.
"""

from __future__ import annotations

import math

from regime3 import disk
from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.status import Event, Level, QueueState, State, TrainingStatus
from regime3.status import answers, conditions
from regime3.status.alerts import AlertBook
from regime3.status.encoding import encode
from regime3.status.events import EventLog, read_events
from regime3.status.history import History
from regime3.status.layers import LayerLog
from regime3.status.learning import Losses
from regime3.status.machine import Cards, Machine
from regime3.status.machine_log import MachineLog, figures_of
from regime3.status.progress import Progress
from regime3.status.queue_state import LiveQueue
from regime3.status.reading import read_status

EVENTS_SHOWN = 12
MEMORY_SAMPLES = 60
MEMORY_SAMPLE_S = 10.0
IDLE_WRITE_S = 5.0
STALL_S_MIN = 30.0
STALL_STEPS = 6
SLOW_ACTIVITIES = ("loading", "rehearsing", "sealing", "leaving")
EVENT_LEVELS: dict[str, Level] = {
    "fatal": "ERROR",
    "row-condemned": "WARN",
    "stop-timeout": "WARN",
    "rollback": "WARN",
    "head-damaged": "ERROR",
}
TOLD_ELSEWHERE = ("row-given-up", "out-of-memory", "worker-restarted", "fatal")
"""Alerts whose event is written where they are noticed."""
STATE_OF: dict[str, State] = {
    "loading": "starting",
    "rehearsing": "starting",
    "training": "training",
    "evaluating": "training",
    "waiting": "waiting",
    "paused": "paused",
    "sealing": "sealing",
    "leaving": "sealing",
}


class StatusBoard:
    """Owner of `training_status.json`, the metric history and the event log of one lab."""

    def __init__(
        self, lab: Lab, settings: Settings, clock: Clock, *, cards: Cards | None = None
    ) -> None:
        self.lab, self.settings, self.clock = lab, settings, clock
        self.status = self._taken_over()
        status = self.status
        self.alerts = AlertBook(status.active_alerts)
        self.losses = Losses(status.train_loss_history, status.streaming_ce)
        self.live_queue = LiveQueue(status.queue)
        self.progress = Progress(status)
        self.machine = Machine(lab, cards)
        self.machine_log = MachineLog(lab)
        self._energy_j_before = (status.energy_kwh or 0.0) * 3.6e6
        self._tokens_at_begin = status.tokens_total
        self._history: History | None = None
        self._events: EventLog | None = None
        self._layer_log: LayerLog | None = None
        self._paused_reason: str | None = None
        self._error: tuple[str, str] | None = None
        self._written_at = -math.inf
        self._memory_sampled_at = -math.inf
        self._changed = True

    def _taken_over(self) -> TrainingStatus:
        """What the last supervisor knew, less what only it could say."""
        try:
            status = read_status(self.lab)
        except Unavailable:
            status = TrainingStatus()
        status.state = status.status = "starting"
        status.state_reason = status.activity = None
        status.worker_pid = status.supervisor_pid = None
        status.started_at = status.worker_started_at = None
        status.error_message = status.error_type = None
        status.active_alerts = [a for a in status.active_alerts if a.code not in ("fatal", "stall")]
        supervisor = self.settings.supervisor
        status.dead_after_s = supervisor.start_timeout_s
        status.stall_after_s = supervisor.start_timeout_s / 3
        status.max_output_tokens = self.settings.validation.preview_tokens_max
        return status

    # ------------------------------------------------------------ what the supervisor calls

    @property
    def history(self) -> History:
        """The metric history; opened by the first use, so that a look costs nothing."""
        if self._history is None:
            self._history = History(self.lab, self.settings.status.fine_steps_max)
        return self._history

    @property
    def events(self) -> EventLog:
        """The event log; opened by the first use."""
        if self._events is None:
            self._events = EventLog(self.lab, self.settings.status.log_mb_max)
            self.status.recent_events = read_events(self.lab, limit=EVENTS_SHOWN)
        return self._events

    @property
    def layer_log(self) -> LayerLog:
        """What layers did; opened by the first use."""
        if self._layer_log is None:
            self._layer_log = LayerLog(self.lab, self.settings.status.log_mb_max)
        return self._layer_log

    def begin(self, head_step: int) -> None:
        """Take the lab, or start again from a head: figures continue at its step."""
        if self.status.started_at is None:
            self.status.started_at = self.clock.now()
            self.event("started", f"The supervisor took the lab at step {head_step:,}")
        self._rebase(head_step)

    def _rebase(self, step: int) -> None:
        self.status.current_step = step
        if self.history.branch(step, self.clock.now()):
            self.event("branched", f"Training goes on from step {step:,}", step=step)
        self.losses.forget_after(step)
        self.live_queue.rebase()
        self.progress.interrupt()
        self._changed = True

    def update(
        self,
        *,
        state: State | None = None,
        queue: QueueState | None = None,
        head_seal: int | None = None,
        supervisor_pid: int | None = None,
        worker_pid: int | None = None,
        disk_free_bytes: int | None = None,
        error_message: str | None = None,
        error_type: str | None = None,
        **reason: str | None,
    ) -> None:
        """Supervisor facts; what is left out, or None, stays as it was.

        `paused_reason` alone may be given as None: training is not paused.
        """
        status = self.status
        if "paused_reason" in reason:
            self._paused_reason = reason.pop("paused_reason")
        if reason:
            raise TypeError(f"no such fact: {', '.join(reason)}")
        if queue is not None:
            self.live_queue.set_head(queue)
        status.head_seal = head_seal if head_seal is not None else status.head_seal
        status.supervisor_pid = supervisor_pid or status.supervisor_pid
        if worker_pid is not None and worker_pid != status.worker_pid:
            self._new_worker(worker_pid)
        if error_message is not None:
            self._error = (error_message, error_type or "error")
        if disk_free_bytes is not None:
            limit = self.settings.checkpoint.free_gb_min * 1e9
            conditions.disk_room(self.alerts, status, disk_free_bytes, limit, self.clock.now())
        if state is not None:
            self._set_state(state)

    def _new_worker(self, pid: int) -> None:
        """A worker was started; it may be silent while it loads."""
        self.status.worker_pid, self.status.worker_started_at = pid, self.clock.now()
        self.status.activity = "loading"
        self._set_state("starting")
        self._set_patience()

    def worker_died(self, how: str, wait_s: float) -> None:
        """The worker ended unasked; the next one starts in `wait_s` seconds."""
        self.status.worker_restarts += 1
        self.status.worker_pid = None
        self.progress.interrupt()
        self._set_state("restarting")
        self.status.state_reason = f"the worker {how}; next start in {wait_s:.0f} s"
        self._alert("worker-restarted", f"The worker {how}")
        self.event("worker-died", f"The worker {how}", level="WARN")

    def event(
        self, kind: str, text: str = "", *, level: Level | None = None, step: int | None = None
    ) -> Event:
        """Put an event into the log and into view.

        A text that is no sentence is told with its kind before it; `level` None: the kind's own.
        """
        told = text if text[:1].isupper() else f"{kind}: {text}" if text else kind
        at = step if step is not None else self.status.current_step
        level = level or EVENT_LEVELS.get(kind, "INFO")
        event = self.events.append(kind, told, self.clock.now(), level=level, step=at)
        self.status.recent_events = [*self.status.recent_events, event][-EVENTS_SHOWN:]
        self._changed = True
        return event

    def is_due(self, now: float) -> bool:
        """Whether the file may be written again; an idle lab is told less often."""
        elapsed = now - self._written_at
        pause_s = self.settings.status.write_s if self._changed else IDLE_WRITE_S
        return not 0 <= elapsed < pause_s

    def write_if_due(self, now: float) -> bool:
        """Write when due; True when written."""
        if self.is_due(now):
            self.write(now)
            return True
        if self._history is not None:
            self._history.flush_if_due(now)
        return False

    def write(self, now: float) -> None:
        """Replace the status file, whole."""
        status = self.status
        self._refresh(now)
        status.sequence += 1
        status.timestamp = now
        data, mended = encode(status)
        if mended:
            self._alert("non-finite-figure", f"Not a number: {', '.join(sorted(mended))}")
        disk.make_folder(self.lab.status)
        disk.write_bytes(self.lab.status_file, data, durable=False)
        self._written_at, self._changed = now, False
        if self._history is not None:
            self._history.flush_if_due(now)

    def close(self) -> None:
        """Write what is pending; the board is not used after."""
        if self._history is not None:
            self._history.close()

    # ------------------------------------------------------------ what the worker reports

    def take(self, report: say.AnyReport) -> None:
        """A report is a sign of life, and its figures."""
        now = self.clock.now()
        self.status.heartbeat = now
        self._changed = True
        match report:
            case say.StepDone():
                self._take_step(report, now)
            case say.Beat(state):
                self._take_beat(state)
            case say.Ready():
                self._take_ready(report)
            case say.Sealed():
                self._take_sealed(report, now)
            case say.Validated():
                self._take_validated(report, now)
            case say.FileOver(file_id):
                self.live_queue.file_over(file_id)
            case say.RowGivenUp():
                self.status.rows_given_up += 1
                text = f"Row at line {report.line:,} given up: {report.reason}"
                self._alert("row-given-up", text)
                if _is_power_of_ten(self.status.rows_given_up):  # the rest stands in buried.jsonl
                    count = f" ({self.status.rows_given_up:,} in all)"
                    self.event("row-given-up", text + count, level="WARN")
            case say.OutOfMemory():
                self._take_out_of_memory(report)
            case say.Alert(level, code, message):
                self._alert(code, message, _level(level))
            case say.Leaving(reason):
                self.event("leaving", f"The worker leaves: {reason}")

    def _take_beat(self, activity: str) -> None:
        self.status.activity = activity
        self._set_state(STATE_OF.get(activity, "training"))
        if activity in ("paused", "loading"):
            self.progress.interrupt()
        self._set_patience()

    def _take_ready(self, report: say.Ready) -> None:
        status = self.status
        status.head_seal, status.head_step = report.seal, report.step
        status.model_name, status.parameters = report.model_name, report.parameters
        status.device, status.context_window = report.device, report.context_window
        status.token_budget, status.worker_pid = report.token_budget, report.pid
        self._rebase(report.step)
        self.event("ready", f"{report.model_name} is ready on {report.device}")

    def _take_step(self, report: say.StepDone, now: float) -> None:
        status = self.status
        status.activity = "training"
        self._set_state("training")
        status.current_step, status.learning_rate = report.step, report.learning_rate
        status.token_budget = report.token_budget
        status.current_file_id = report.file_id or status.current_file_id
        if report.memory_bytes is not None:
            status.memory_bytes = report.memory_bytes
        self.live_queue.add(report)
        self.progress.add(report, self.clock.monotonic())
        self._count(report)
        if report.skipped is None:
            self._learn(report)
        else:
            status.windows_refused += 1
            if "finite" in report.skipped:
                text = f"Step {report.step:,} was refused: {report.skipped}"
                self._alert("non-finite-loss", text)
        self._set_patience()
        self._record(report, now)

    def _count(self, report: say.StepDone) -> None:
        status = self.status
        status.tokens_total += report.tokens
        status.supervised_tokens_total += report.supervised_tokens
        status.examples_total += report.examples
        status.train_seconds_total += report.seconds
        status.think_tag_count += report.think_examples
        if status.examples_total:
            status.think_tag_percent = 100 * status.think_tag_count / status.examples_total

    def _learn(self, report: say.StepDone) -> None:
        if report.grad_norm is not None and math.isfinite(report.grad_norm):
            self.status.grad_norm = report.grad_norm
        if report.loss is None:
            return
        if not math.isfinite(report.loss):
            self._alert("non-finite-loss", f"Step {report.step:,} reported a loss of {report.loss}")
            return
        self.status.loss = report.loss
        self.losses.add(report.step, report.loss)
        self.status.streaming_ce = self.losses.smoothed

    def _record(self, report: say.StepDone, now: float) -> None:
        speed = self.progress.recent.speed()
        trained = report.skipped is None
        memory = report.memory_bytes
        powers = [card.power_w for card in self.machine.gpu or [] if card.power_w is not None]
        self.history.append(
            report.step,
            now,
            {
                "loss": report.loss if trained else None,
                "loss_smoothed": self.losses.smoothed,
                "learning_rate": report.learning_rate,
                "grad_norm": report.grad_norm,
                "tokens_per_sec": report.tokens / report.seconds if report.seconds else None,
                "supervised_per_sec": (
                    report.supervised_tokens / report.seconds if report.seconds else None
                ),
                "step_seconds": report.seconds,
                "token_budget": report.token_budget,
                "memory_mb": None if memory is None else memory / 1e6,
                "padding_percent": speed.padding_percent if speed else None,
                "gpu_power_w": sum(powers) if powers else None,
            },
        )
        if memory is not None and speed and now - self._memory_sampled_at >= MEMORY_SAMPLE_S:
            self._memory_sampled_at = now
            samples = self.status.throughput_vram_samples or []
            sample = (report.step, speed.tokens_per_s, memory)
            self.status.throughput_vram_samples = [*samples, sample][-MEMORY_SAMPLES:]

    def _take_sealed(self, report: say.Sealed, now: float) -> None:
        status = self.status
        status.head_seal, status.head_step = report.number, report.step
        status.head_sealed_at, status.head_size_bytes = now, report.size_bytes
        self.live_queue.sealed()
        text = f"Checkpoint {report.number} sealed in {report.seconds:.1f} s: {report.reason}"
        self.event("sealed", text, step=report.step)

    def _take_out_of_memory(self, report: say.OutOfMemory) -> None:
        self.status.out_of_memory_total += 1
        self.status.token_budget = report.budget_after
        text = (
            f"Out of memory in {report.where}; token budget "
            f"{report.budget_before:,} to {report.budget_after:,}"
        )
        self._alert("out-of-memory", text)
        self.event("out-of-memory", text, level="WARN", step=report.step)

    def _take_validated(self, report: say.Validated, now: float) -> None:
        figures = answers.take(self.status, report, now, self.settings.status.recent_examples)
        if figures:
            self.history.append(report.step, now, figures)
        if report.sureness is not None:
            self.status.token_entropy = report.sureness.entropy
            self.status.fixed_eval_ece = report.sureness.calibration_error
        if report.layers is not None:
            told = {"step": report.step}
            activity, steadiness = report.layers.activity, report.layers.steadiness
            self.status.layer_activity_summary = told | {"layers": activity}
            if steadiness is not None:
                self.status.layer_stability_summary = told | {"layers": steadiness}
            self.layer_log.append(report.step, now, report.layers)

    # ------------------------------------------------------------ judging

    def _set_state(self, state: State) -> None:
        if state != self.status.state:
            self._changed = True
        self.status.state = self.status.status = state
        if state != "restarting":
            self.status.state_reason = self._paused_reason if state == "paused" else None
        if state in ("stopped", "fatal"):
            self.status.worker_pid = self.status.activity = None
        if state == "fatal":
            message = self._error[0] if self._error else "The worker died too often"
            self.status.state_reason = message
            self._alert("fatal", message)

    def _set_patience(self) -> None:
        """How long viewers wait for the next report before they call it stalled."""
        limits = self.settings.supervisor
        if self.status.activity in SLOW_ACTIVITIES:
            self.status.dead_after_s = limits.start_timeout_s
            self.status.stall_after_s = limits.start_timeout_s / 3
            return
        self.status.dead_after_s = limits.heartbeat_timeout_s
        step_s = self.status.step_seconds or 0.0
        wanted = max(STALL_S_MIN, STALL_STEPS * step_s)
        self.status.stall_after_s = min(limits.heartbeat_timeout_s, wanted)

    def _alert(self, code: str, message: str, level: Level | None = None) -> None:
        new = self.alerts.raise_(code, message, self.clock.now(), level)
        if new is not None and code not in TOLD_ELSEWHERE:
            self.event(f"alert-{code}", message, level=new.level)

    def _refresh(self, now: float) -> None:
        """Figures that follow from others, just before they are shown."""
        status = self.status
        status.queue = self.live_queue.now()
        self.progress.show(status)
        status.loss_variance = self.losses.variance()
        change = self.losses.change()
        status.loss_change, status.loss_trend = change if change is not None else (None, None)
        status.train_loss_history = list(self.losses.history)
        self._show_machine(now)
        self.alerts.expire(now)
        known = {alert.code for alert in self.alerts.active()}
        share = self.progress.baseline.share(status.tokens_per_sec)
        conditions.speed(self.alerts, status, share, now)
        conditions.silence(self.alerts, status, now)
        conditions.queue(self.alerts, status, now)
        conditions.learning(self.alerts, status, self.losses, now)
        conditions.gap(self.alerts, status, now)
        conditions.heat(self.alerts, status, now)
        for alert in self.alerts.active():
            if alert.code not in known and alert.level != "INFO":
                self.event(f"alert-{alert.code}", alert.message, level=alert.level)
        status.active_alerts = self.alerts.active()
        status.alert_summary = self.alerts.summary()
        gravest = self.alerts.gravest_error()
        error = self._error or ((gravest.message, gravest.code) if gravest else None)
        status.error_message, status.error_type = error or (None, None)

    def _show_machine(self, now: float) -> None:
        status, machine = self.status, self.machine
        if not machine.refresh(now, self.clock.monotonic(), status.worker_pid):
            return
        status.system, status.gpu = machine.system, machine.gpu
        self.machine_log.add(now, figures_of(machine.system, machine.gpu))
        if machine.gpu is not None:
            status.energy_kwh = (self._energy_j_before + machine.energy_j) / 3.6e6
        if machine.energy_j > 0:
            tokens = status.tokens_total - self._tokens_at_begin
            status.tokens_per_joule = tokens / machine.energy_j


def _level(text: str) -> Level:
    return "ERROR" if text == "ERROR" else "WARN" if text == "WARN" else "INFO"


def _is_power_of_ten(number: int) -> bool:
    return str(number).strip("0") == "1"
