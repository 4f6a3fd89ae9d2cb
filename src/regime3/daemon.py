"""The supervisor: the one file that knows the order of the whole flow.

    r3 trainer --lab LAB

    inbox ─► admit ─► queue ─► (worker: stream ─► train ─► seal) ─► folders ─► status
                                  └──────────── again, for ever ◄─────────────┘

`Supervisor.run` is the day of a lab in five acts; `_round` is one turn of its loop. The worker
process holds model and GPU (`regime3.worker`); everything that must survive it is decided here,
and everything decided here can be read back from the lab after a kill -9 at any moment: the head
checkpoint is the only truth, queue folders are its projection.

It never imports torch, never writes into a checkpoint, and never renames a file that the head
does not justify.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
from collections.abc import Callable, Mapping
from typing import Any

from regime3 import control, deaths, disk
from regime3.clock import Clock, SystemClock
from regime3.config import Settings
from regime3.errors import Regime3Error, SettingsError, StepLost, TrainerFatal
from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.checkpoint import Seal
from regime3.records.status import Level, State
from regime3.spool import Admission, Spool
from regime3.status import StatusBoard
from regime3.supervisor.admission import AdmissionThread
from regime3.supervisor.housekeeping import Housekeeping
from regime3.supervisor.process import SLOW_STATES, WorkerProcess, how_it_ended
from regime3.supervisor.pushing import PushThread
from regime3.supervisor.verbs import Verbs
from regime3.vault import Vault

ORPHAN_POLL_S = 0.1


class Supervisor:
    """Owns the queue, the worker and the status file of one lab."""

    def __init__(
        self,
        lab: Lab,
        settings: Settings,
        *,
        flags: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        say_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.lab, self.settings, self.flags = lab, settings, dict(flags or {})
        self.clock = clock or SystemClock()
        self.say_line = say_line
        self.spool = Spool(lab, settings, self.clock)
        self.vault = Vault(lab, self.clock)
        self.board = StatusBoard(lab, settings, self.clock)
        self.admission = AdmissionThread(self.spool, settings.queue.poll_s)
        self.pushing = PushThread(lab, settings.node)
        self.housekeeping = Housekeeping(self)
        self.verbs = Verbs(self)
        self.head: Seal | None = None
        self.worker: WorkerProcess | None = None
        self.born_at = self.clock.now()
        self.stopping = False
        self.idle = False
        """Nothing admitted is left to train, and it is all sealed."""
        self._signals = 0
        self._paused_reason: str | None = None
        self._admission_full: str | None = None
        self._display_trouble: str | None = None
        self._deaths_without_progress = 0
        self._next_start = 0.0
        self._care: list[str] = []

    # ==================================================================== the flow, top down

    def run(self, until: Callable[[Supervisor], bool] = lambda _: False) -> int:
        """Keep the lab until asked to stop, or until `until(self)`. Returns the exit code."""
        # ---- Act 1: the lab is ours, and what a crash left half-written is swept away
        lock = disk.Lock(self.lab.supervisor_lock, "the trainer of this lab", _about_us())
        with lock:
            self._await_orphan()
            self._sweep()
            # ---- Act 2: the head checkpoint says what is true; folders are made to show it
            self.take_head(self.vault.head())
            self.board.begin(self.head_seal.manifest.step)
            self.verbs.drop_stale_stops()
            # ---- Act 3: files may come in; the worker comes up in the first round
            self.admission.start()
            self.pushing.offer(self.head_seal, activate=False)
            self._watch_signals()
            try:
                # ---- Act 4: rounds, for ever
                while not self.stopping:
                    self._round()
                    self.stopping = self.stopping or until(self)
                # ---- Act 5: seal, leave, say so
                self._leave_worker()
                self._say_state("stopped")
                return 0
            except TrainerFatal as fatal:
                self._say_fatal(fatal)
                return fatal.exit_code
            except Exception as error:
                # Our own bug, or a disk that fails: seal what is trained, and never claim life.
                self._leave_worker()
                self._say_fatal(TrainerFatal(f"{type(error).__name__}: {error}", "r3 doctor"))
                raise
            finally:
                self.admission.stop()
                self.pushing.stop()
                self._kill_worker()
                self.board.close()

    def obey_once(self) -> None:
        """Obey waiting requests while no trainer runs; raises `LabLocked` when one does."""
        with disk.Lock(self.lab.supervisor_lock, "the trainer of this lab", _about_us()):
            self._await_orphan()
            self._sweep()
            self.take_head(self.vault.head())
            self.verbs.drop_stale_stops()
            self.verbs.obey()
            self.board.begin(self.head_seal.manifest.step)
            self._say_state("stopped")
            self.board.close()

    def _round(self) -> None:
        """One turn: admit, obey, rest or train, listen, mind the worker, tidy up, tell."""
        self._pass_on_admissions()
        self.verbs.obey()
        self._pause_or_resume()
        self._mind_worker()
        self._listen()
        self._hear_of_pushes()
        self.housekeeping.turn()
        self._tell()

    # ==================================================================== files

    @property
    def head_seal(self) -> Seal:
        """The head checkpoint; taken in Act 2."""
        assert self.head is not None
        return self.head

    def _await_orphan(self) -> None:
        """A worker whose supervisor was killed seals and leaves; only then is the head settled."""
        deadline = self.clock.monotonic() + self.settings.supervisor.stop_timeout_s
        told = False
        while disk.is_locked(self.lab.worker_lock):
            if not told:
                self.say_line("waiting for the worker of a killed trainer to seal and leave")
                told = True
            if self.clock.monotonic() > deadline:
                # The lock's holder is that worker: the kernel vouches for it, not a pid file.
                holder = self.lab.worker_lock.read_text().rpartition(" ")[2]
                with contextlib.suppress(ProcessLookupError):  # it left just now
                    if holder.isdigit():
                        os.kill(int(holder), signal.SIGKILL)
                deadline = math.inf
            self.clock.sleep(ORPHAN_POLL_S)

    def _sweep(self) -> None:
        for folder in (self.lab.checkpoints, self.lab.snapshots, self.lab.meta_root):
            disk.sweep_temp(folder)

    def take_head(self, seal: Seal) -> None:
        """A new head: folders and the current model follow it."""
        self.head = seal
        self.spool.reconcile(seal.ledger)
        self.vault.point_current_model(seal)

    def _pass_on_admissions(self) -> None:
        """What the inbox brought goes to the worker, and into the log."""
        admitted = self.admission.take()
        full, self._admission_full = self._admission_full, self.admission.trouble
        if self._admission_full is not None and full is None:
            self.board.event(
                "not-admitting", f"Nothing is admitted: {self._admission_full}", level="WARN"
            )
        for admission in admitted:
            self._tell_admission(admission)
        if admitted and self.worker is not None:
            self.worker.send(say.Files(self._open_files()))

    def _open_files(self) -> list[say.OpenFile]:
        return self.spool.open_files(self.head_seal.ledger)

    def _tell_admission(self, admission: Admission) -> None:
        self.say_line(str(admission))
        text = str(admission)
        self.board.event(admission.outcome, text[0].upper() + text[1:])

    def _hear_of_pushes(self) -> None:
        for outcome in self.pushing.take():
            level: Level = "INFO" if outcome.done else "WARN"
            self.board.event("pushed" if outcome.done else "not-pushed", outcome.text, level=level)
            self.say_line(outcome.text)

    # ==================================================================== pausing

    def _pause_or_resume(self) -> None:
        """The user's pause and a nearly full disk both let training rest."""
        pause = control.paused(self.lab)
        reason = pause.reason if pause is not None else self.housekeeping.disk_reason()
        if reason == self._paused_reason:
            return
        self._paused_reason = reason
        self.say_line(f"paused: {reason}" if reason else "resumed")
        self.board.event(
            "paused" if reason else "resumed", f"Paused: {reason}" if reason else "Resumed"
        )
        if self.worker is not None:
            self.worker.send(say.Pause(reason) if reason else say.Resume())

    # ==================================================================== the worker's life

    def _mind_worker(self) -> None:
        """Start it when there is none, notice its death, end it when it hangs."""
        if self.worker is None:
            if self.clock.monotonic() >= self._next_start:
                self._start_worker()
            return
        status = self.worker.ended()
        if status is not None:
            self._bury_worker(how_it_ended(status), status)
        elif self.worker.silent_s() > self._patience_s():
            silent = self.worker.silent_s()
            self.worker.kill()
            self._bury_worker(f"hung: silent for {silent:.0f} s while {self.worker.state}", -9)

    def _patience_s(self) -> float:
        assert self.worker is not None
        limits = self.settings.supervisor
        slow = self.worker.state in SLOW_STATES
        return limits.start_timeout_s if slow else limits.heartbeat_timeout_s

    def _start_worker(self) -> None:
        self.worker = WorkerProcess(self.lab, self.clock, self.flags, self._care)
        self._care = []
        self.verbs.forget_given()
        if self._paused_reason is not None:
            self.worker.send(say.Pause(self._paused_reason))
        self.worker.send(say.Files(self._open_files()))
        self.board.update(worker_pid=self.worker.pid)

    def _bury_worker(self, how: str, status: int) -> None:
        """A worker is dead: hear its last words, weigh the evidence, plan the next."""
        assert self.worker is not None
        for report in self.worker.last_reports():
            self._take(report)
        self.worker = None
        if self.stopping:
            return
        care, condemned = deaths.after_death(self.lab, how)
        self._care = ["--single-rows", "--halve-budget"] if care == "single-rows" else []
        if status == SettingsError.exit_code:
            raise TrainerFatal("the worker refuses lab or settings", "r3 config --origin")
        if status == StepLost.exit_code:
            self._care = ["--halve-budget"]
        if condemned is not None:
            self.board.event(
                "row-condemned", f"A row of {condemned.id[:12]} is condemned: {condemned.reason}"
            )
            self._deaths_without_progress = 0
        self._deaths_without_progress += 1
        limits = self.settings.supervisor
        if self._deaths_without_progress > limits.restarts_max:
            raise TrainerFatal(
                f"the worker {how}; {limits.restarts_max} restarts in a row made no progress",
                f"less {self.lab.log_file('worker')}",
            )
        doublings = self._deaths_without_progress - 1
        wait_s = min(limits.backoff_s_max, limits.backoff_s * 2**doublings)
        self._next_start = self.clock.monotonic() + wait_s
        self.board.worker_died(how, wait_s)
        self.say_line(f"the worker {how}; next start in {wait_s:.0f} s")

    def end_worker(self) -> None:
        """For verbs that need the lab at rest: seal, leave; the next round starts a new one."""
        self._leave_worker()
        self._next_start = self.clock.monotonic()

    def _leave_worker(self) -> None:
        if self.worker is None:
            return
        self.worker.send(say.Stop())
        self.worker.ask_to_leave()
        deadline = self.clock.monotonic() + self.settings.supervisor.stop_timeout_s
        while self.worker.ended() is None and self._signals < 2:
            if self.clock.monotonic() > deadline:
                self.board.event("stop-timeout", "The worker did not leave in time and was killed")
                break
            self._listen()
            self._tell()
        self._kill_worker()

    def _kill_worker(self) -> None:
        if self.worker is None:
            return
        self.worker.kill()
        for report in self.worker.last_reports():
            self._take(report)
        self.worker = None

    # ==================================================================== reports

    def _listen(self) -> None:
        """Everything the worker said; waits one poll for the first of it."""
        if self.worker is None:
            self.clock.sleep(self.settings.queue.poll_s)
            return
        for report in self.worker.reports(self.settings.queue.poll_s):
            self._take(report)

    def _take(self, report: say.AnyReport) -> None:
        self._display(lambda: self.board.take(report))
        match report:
            case say.Beat(state):
                self._set_state(state)
            case say.StepDone():
                self._set_state("training")
            case say.Ready():
                self._agree_on_head(report)
            case say.Sealed():
                self._deaths_without_progress = 0
                self.take_head(self.vault.open(report.number))
                self.verbs.settle()
                self.pushing.offer(self.head_seal)
                self.housekeeping.after_seal()
                self.say_line(f"sealed checkpoint {report.number} at step {report.step}")
            case say.RowGivenUp():
                self._record_burial(report)
            case _:
                pass

    def _agree_on_head(self, report: say.Ready) -> None:
        """The worker has hashed every byte: it may have found our head damaged and fallen back."""
        if report.seal != self.head_seal.number and self.worker is not None:
            damaged = self.head_seal.number
            text = f"Checkpoint {damaged} is damaged; training goes on from {report.seal}"
            self.board.event("head-damaged", text, level="ERROR")
            self.say_line(text)
            self.take_head(self.vault.head())
            self.worker.send(say.Files(self._open_files()))

    def _set_state(self, state: str) -> None:
        if self.worker is not None:
            self.worker.state = state
        self.idle = state == "waiting" and not self._open_files()

    def _record_burial(self, report: say.RowGivenUp) -> None:
        self.spool.note_burial(report.id, report.line, report.reason)

    # ==================================================================== telling

    def _tell(self) -> None:
        if self.board.is_due(self.clock.now()):
            self._display(self._write_status)

    def _write_status(self) -> None:
        self.board.update(**self._facts())
        self.board.write_if_due(self.clock.now())

    def _display(self, act: Callable[[], None]) -> None:
        """Status and history are for looking at: a full disk may hold them up, never training."""
        try:
            act()
            self._display_trouble = None
        except OSError as error:
            if self._display_trouble != str(error):
                self.say_line(f"status cannot be written: {error}")
            self._display_trouble = str(error)

    def _facts(self) -> dict[str, Any]:
        """What the supervisor knows and the worker does not."""
        return {
            "queue": self.spool.counts(self.head_seal.ledger),
            "head_seal": self.head_seal.number,
            "paused_reason": self._paused_reason,
            "supervisor_pid": os.getpid(),
            "disk_free_bytes": disk.free_bytes(self.lab.root),
        }

    def _say_state(self, state: State) -> None:
        self.board.update(state=state, **self._facts())
        self.board.write(self.clock.now())

    def _say_fatal(self, fatal: Regime3Error) -> None:
        """FATAL stands in the status file, in the events and on the terminal."""
        self.board.event("fatal", fatal.message)
        self.board.update(error_message=fatal.message, error_type=type(fatal).__name__)
        self._say_state("fatal")
        self.say_line(f"FATAL: {fatal.message}")

    # ==================================================================== signals

    def _watch_signals(self) -> None:
        """First SIGTERM or SIGINT: seal and leave. Second: leave at once."""

        def received(number: int, frame: object) -> None:
            self._signals += 1
            self.stopping = True
            if self._signals >= 2 and self.worker is not None:
                self.worker.process.kill()

        signal.signal(signal.SIGTERM, received)
        signal.signal(signal.SIGINT, received)


def _about_us() -> str:
    return f"trainer pid {os.getpid()}"
