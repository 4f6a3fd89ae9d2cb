"""Between two optimizer steps: what the worker obeys, commits, seals and reports.

`Session` is what the trainer asks for windows (`train.hooks.TrainHooks`). It holds the ledger of
the weights in memory and is the only one to move it: the cursor advances when a step is done,
and becomes true when a seal holds it. Everything here runs in the training thread; it opens no
model and no pipe itself (`worker` wires it).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from regime3 import config, disk
from regime3.clock import Clock
from regime3.deaths import Note, write_note
from regime3.errors import TrainerFatal
from regime3.paths import Lab
from regime3.port import Port
from regime3.records import messages as say
from regime3.records.checkpoint import Seal
from regime3.records.ledger import Ledger, RowBurial
from regime3.records.rows import RowRef, Window
from regime3.stream.source import Source
from regime3.vault import Vault

if TYPE_CHECKING:
    from regime3.train.metrics import WindowResult
    from regime3.train.trainer import WindowTrainer

BEAT_S = 1.0
WAIT_S = 0.5
DISK_RETRY_S = 10.0
MOSTLY_BURIED_ROWS_MIN = 50


class Session:
    """What the trainer asks between steps, and where the cursor is committed.

    Implements `train.hooks.TrainHooks`. Everything here runs in the training thread.
    """

    def __init__(
        self,
        lab: Lab,
        settings: config.Settings,
        port: Port,
        vault: Vault,
        head: Seal,
        clock: Clock,
        *,
        single_rows: bool = False,
        halve_budget: bool = False,
    ) -> None:
        self.lab, self.settings, self.port, self.vault = lab, settings, port, vault
        self.clock = clock
        self.head = head.number
        self.ledger: Ledger = head.ledger.child()
        self.model_name = head.manifest.model_name
        self.single_rows, self.halve_budget = single_rows, halve_budget
        self.source: Source | None = None
        self.trainer: WindowTrainer | None = None
        self.write_state: Callable[[WindowTrainer, Path], None] | None = None
        self.validation_loss = head.manifest.validation_loss
        self.leaving = False
        self.paused: str | None = None
        self.seal_reason: str | None = None
        self._ready = False
        self._began = False
        self._unsealed = False
        self._sealed_step = head.manifest.step
        self._sealed_at = clock.monotonic()
        self._beat_at = -BEAT_S
        self._given_up: dict[tuple[str, int], str] = {}
        self._window_rows: list[tuple[str, int]] = []
        self._waited_s = 0.0

    # ------------------------------------------------------------ asked by the trainer

    def next_window(self) -> Window | None:
        """Block until there is a window to train; None when it is time to leave."""
        assert self.source is not None
        disk.remove(self.lab.window_note)
        if not self._ready:
            self._get_ready()
        while True:
            self._obey(self.port.orders())
            if self.seal_reason is not None:
                self.seal(self.seal_reason)
            if self.leaving or self.port.orphaned:
                self._leave()
                return None
            if self.paused is None and self._began:
                window = self.source.next_window()
                if self._fail_unreadable():
                    continue  # the window may hold rows of that file: cut again without it
                if window is not None and window.examples:
                    return self._noted(window)
                if window is not None:  # every row refused: nothing for an optimizer
                    self._commit(window)
                    continue
                if self._unsealed:
                    self.seal("dry")
                    continue
            self._seal_if_due()
            self._wait()

    def _get_ready(self) -> None:
        """The first call: the trainer stands at the state of the head checkpoint."""
        assert self.trainer is not None
        self._ready = True
        step = self.trainer.step
        if self.halve_budget:
            step.budget.halve()
        step.slicing = "single" if self.single_rows else "whole"
        model = self.trainer.model
        self.port.send(
            say.Ready(
                seal=self.head,
                step=self.ledger.step,
                device=str(step.device),
                parameters=sum(parameter.numel() for parameter in model.parameters()),
                model_name=self.model_name,
                context_window=self.settings.model.max_length,
                token_budget=step.budget.tokens,
                pid=os.getpid(),
            )
        )

    def before_slice(self, rows: list[RowRef]) -> None:
        """A sign of life from the training itself; in single-row mode also the evidence."""
        if self.single_rows:
            row = rows[0]
            self._write_note((row.file_id, row.position))
        self.beat("training")

    def row_given_up(self, row: RowRef, reason: str) -> None:
        """The trainer cannot train this row; it is buried with the window's commit."""
        self._given_up[row.file_id, row.position] = reason

    def window_done(self, window: Window, result: WindowResult) -> None:
        """After the optimizer step: commit the cursor, report, seal when due."""
        self.ledger.step = result.step
        self._commit(window)
        self.port.send(self._step_done(window, result))
        self._waited_s = 0.0
        if self.single_rows:  # past the window that killed: back to full slices
            self.single_rows = False
            assert self.trainer is not None
            self.trainer.step.slicing = "whole"
        self._seal_if_due()

    def report(self, report: say.AnyReport) -> None:
        """Pass on what the trainer has to say."""
        if isinstance(report, say.Validated) and report.loss is not None:
            self.validation_loss = report.loss
        self.port.send(report)

    def beat(self, state: str, *, now: bool = False) -> None:
        """Say that we live, at most every BEAT_S seconds."""
        at = self.clock.monotonic()
        if now or at - self._beat_at >= BEAT_S:
            self._beat_at = at
            self.port.send(say.Beat(state))

    # ------------------------------------------------------------ orders

    def _obey(self, orders: list[say.AnyOrder]) -> None:
        assert self.source is not None
        for order in orders:
            match order:
                case say.Files(files):
                    self._began = True
                    for file in files:
                        if file.id not in self.ledger.ended:
                            self.source.catalogue.add(file)
                case say.MoveLane(file_id, lane):
                    self.source.catalogue.move(file_id, lane)
                case say.EndFile(file_id, ending):
                    if file_id not in self.ledger.ended:
                        self.ledger.end(file_id, ending)
                        self.source.close_file(file_id)
                    self.seal_reason = "skip"
                case say.Reopen(file):
                    self._reopen(file)
                case say.Pause(reason):
                    self.paused = reason
                case say.Resume():
                    self.paused = None
                case say.SealNow(reason):
                    self.seal_reason = reason
                case say.Stop():
                    self.leaving = True

    def _reopen(self, file: say.OpenFile) -> None:
        assert self.source is not None
        if self.ledger.ended.get(file.id) in (None, "done"):
            return
        self.ledger.reopen(file.id)
        self.source.unreadable.pop(file.id, None)
        if self.ledger.positions.get(file.id, 0) >= file.rows:
            self.ledger.positions.pop(file.id)
            self.ledger.ended[file.id] = "done"  # nothing of it is left to train
        else:
            self.source.catalogue.add(file)
        self.seal_reason = "retry"

    def _wait(self) -> None:
        self.beat("paused" if self.paused is not None else "waiting")
        before = self.clock.monotonic()
        self._obey(self.port.orders(WAIT_S))
        self._waited_s += self.clock.monotonic() - before

    def _leave(self) -> None:
        if self._unsealed:
            self.seal("stop")
        self.port.send(say.Leaving("orphaned" if self.port.orphaned else "asked to"))

    # ------------------------------------------------------------ the cursor

    def _commit(self, window: Window) -> None:
        """Move the cursor past a window: its rows are now trained or buried."""
        for file_id, rows in groupby(window.rows, key=lambda row: row.file_id):
            self._consume(file_id, list(rows))
        self._given_up.clear()
        self._unsealed = True

    def _consume(self, file_id: str, rows: list[RowRef]) -> None:
        assert self.source is not None
        file = self.source.catalogue.get(file_id)
        assert file is not None
        for row in rows:
            reason = row.refused or self._given_up.get((row.file_id, row.position))
            if reason is not None:
                self.ledger.bury(RowBurial(file_id, row.position, row.line, reason))
                self.port.send(say.RowGivenUp(file_id, row.position, row.line, reason))
        self.ledger.consume(file_id, len(rows), file.rows)
        consumed = rows[-1].position + 1
        if self._mostly_buried(file_id, consumed, file.rows):
            self.ledger.fail(file_id, consumed)
            self._tell_failed(file, "most of its rows could not be trained")
        if file_id in self.ledger.ended:
            self.source.close_file(file_id)
            self.port.send(say.FileOver(file_id))

    def _mostly_buried(self, file_id: str, consumed: int, rows: int) -> bool:
        buried = self.ledger.buried_at_run.get(file_id, 0)
        judged = consumed >= MOSTLY_BURIED_ROWS_MIN or consumed == rows
        return judged and buried > self.settings.queue.mostly_bad * consumed

    def _fail_unreadable(self) -> bool:
        """End files whose bytes are gone or changed; what was trained of them stands."""
        assert self.source is not None
        failed = False
        for file_id, reason in self.source.unreadable.items():
            file = self.source.catalogue.get(file_id)
            if file is not None:
                self.ledger.end(file_id, "failed")
                self.source.close_file(file_id)
                self._tell_failed(file, reason)
                self._unsealed = failed = True
        return failed

    def _tell_failed(self, file: say.OpenFile, reason: str) -> None:
        text = f"{file.name} failed: {reason}. See r3 queue list --file {file.id[:12]}"
        self.port.send(say.Alert("ERROR", "file-failed", text))

    def _noted(self, window: Window) -> Window:
        self._window_rows = [(row.file_id, row.position) for row in window.rows]
        self._write_note(None)
        return window

    def _write_note(self, row: tuple[str, int] | None) -> None:
        write_note(self.lab, Note(self.head, self.ledger.step, self._window_rows, row))

    # ------------------------------------------------------------ seals

    def _seal_if_due(self) -> None:
        steps = self.ledger.step - self._sealed_step
        minutes = (self.clock.monotonic() - self._sealed_at) / 60.0
        if not self._unsealed:
            return
        if steps >= self.settings.checkpoint.save_steps:
            self.seal("steps")
        elif minutes >= self.settings.checkpoint.save_minutes:
            self.seal("minutes")

    def seal(self, reason: str) -> None:
        """Write the one commit point; a full disk makes it wait, never fail."""
        while True:
            try:
                self._seal_once(reason)
                return
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                    raise  # a failed fsync is never retried: what it wrote is unknown
                self._tell_disk_full(reason)
            deadline = self.clock.monotonic() + DISK_RETRY_S
            while self.clock.monotonic() < deadline:
                self.beat("paused")
                self.clock.sleep(min(WAIT_S, DISK_RETRY_S))
                if self.port.orphaned:
                    raise TrainerFatal("the disk is full and the supervisor is gone")

    def _tell_disk_full(self, reason: str) -> None:
        disk.sweep_temp(self.lab.checkpoints)
        text = f"the disk is full: cannot seal ({reason}). Free some space; training waits"
        self.port.send(say.Alert("ERROR", "disk-full", text))

    def _seal_once(self, reason: str) -> None:
        assert self.trainer is not None and self.write_state is not None
        self.beat("sealing", now=True)
        started = self.clock.monotonic()
        temp = self.vault.begin()
        self.write_state(self.trainer, temp)
        disk.write_json(temp / "settings.json", self.settings.as_dict(), durable=False)
        seal = self.vault.commit(
            temp,
            parent=self.head,
            step=self.ledger.step,
            reason=reason,
            ledger=self.ledger,
            model_name=self.model_name,
            validation_loss=self.validation_loss,
        )
        self.head = seal.number
        self.ledger = self.ledger.child()
        self.seal_reason = None
        self._unsealed = False
        self._sealed_step = self.ledger.step
        self._sealed_at = self.clock.monotonic()
        seconds = self._sealed_at - started
        self.port.send(say.Sealed(seal.number, self.ledger.step, reason, seconds, seal.size_bytes))

    def _step_done(self, window: Window, result: WindowResult) -> say.StepDone:
        last = window.rows[-1]
        examples = window.examples
        return say.StepDone(
            step=result.step,
            loss=result.loss,
            learning_rate=result.learning_rate,
            grad_norm=result.grad_norm,
            rows=len(window.rows),
            examples=len(examples),
            tokens=result.tokens,
            padded_tokens=result.padded_tokens,
            supervised_tokens=result.supervised_tokens,
            seconds=result.seconds,
            wait_seconds=self._waited_s,
            slices=result.slices,
            token_budget=result.token_budget,
            file_id=last.file_id,
            position=last.position + 1,
            memory_bytes=result.memory_bytes,
            think_examples=sum(example.has_thinking for example in examples),
            completion_tokens_max=max((example.supervised for example in examples), default=0),
            skipped=result.skipped,
        )
