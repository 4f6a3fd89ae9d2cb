"""HuggingFace's Trainer over an endless stream of windows, by public hooks.

    trainer = build_trainer(model, tokenizer, settings, hooks=hooks, resume=seal_folder)
    trainer.run()

The order of one step: `hooks.next_window` (waits, pauses, seals) -> `training_step` (slices,
replays, guard; `step.py`) -> the Trainer clips, steps AdamW, moves the schedule -> `on_step_end`:
`hooks.window_done`, then validation when due. Gradient accumulation is 1: an item of the loader
is a whole optimizer window. `train()` runs once in a process, so waiting happens in the iterator.

What it does not do: save (`state.write_state` does, called by the driver inside `next_window`),
look at files, or restart anything: a broken optimizer step raises `StepLost`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks
from transformers.trainer_callback import ProgressCallback
from transformers.utils import logging

from regime3.clock import Clock, SystemClock
from regime3.config import Settings
from regime3.errors import StepLost, TrainerFatal, Unavailable
from regime3.model import oom
from regime3.records.messages import Alert, Beat, OutOfMemory
from regime3.records.rows import Window
from regime3.train import state
from regime3.train.average import Average
from regime3.train.faults import FaultInjector
from regime3.train.hooks import TrainHooks
from regime3.train.loss import TokenLoss, choose_path
from regime3.train.metrics import LossWatch, WindowResult, empty_result
from regime3.train.rehearse import first_budget, rehearse
from regime3.train.slices import SLICE_PRICE_TOKENS, supervised_count
from regime3.train.step import Gradient, WindowStep

STEPS_MAX = 10**9
"""Never reached; the stream's end ends training."""
GPU_SLICE_PRICE_TOKENS = 512
"""On a GPU the launches of a slice cost more than on a CPU, in tokens of work."""

AfterStep = Callable[["WindowTrainer", WindowResult], None]


class WindowSource:
    """The plain iterator behind `get_train_dataloader`: no length, nothing fetched ahead."""

    def __init__(self, trainer: WindowTrainer) -> None:
        self.trainer = trainer

    def __iter__(self) -> WindowSource:
        return self

    def __next__(self) -> dict[str, Window]:
        """The next window that has something to train; the others are only reported."""
        while (window := self.trainer.hooks.next_window()) is not None:
            if _trainable_tokens(window) > 0:
                return {"window": window}
            self.trainer.pass_over(window)
        # Without this the Trainer would poll an empty stream up to STEPS_MAX.
        self.trainer.control.should_training_stop = True
        raise StopIteration


def _trainable_tokens(window: Window) -> int:
    return sum(
        supervised_count(example)
        for row in window.rows
        if row.refused is None
        for example in row.examples
    )


class StepCallback(TrainerCallback):  # type: ignore[misc]
    """Turns the Trainer's events into ours."""

    def __init__(self, trainer: WindowTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.trainer.begin()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        self.trainer.in_optimizer = True
        self.trainer.step.faults.before_optimizer(self.trainer.state.global_step + 1)

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        self.trainer.in_optimizer = False

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.trainer.finish_step()

    def on_log(self, *_: Any, **__: Any) -> None:
        self.trainer.state.log_history.clear()


class WarmUp:
    """The schedule: step k of `steps` at k/steps of the rate, then the whole rate for ever.

    Counts from 1, so that no window is trained at a rate of zero.
    """

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self, steps_done: int) -> float:
        return min(1.0, (steps_done + 1) / self.steps)


class WindowTrainer(Trainer):  # type: ignore[misc]
    """See the module. Built by `build_trainer`, run once by `run`."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        settings: Settings,
        hooks: TrainHooks,
        *,
        device: torch.device,
        resume: Path | None,
        clock: Clock,
        after_step: AfterStep | None,
    ) -> None:
        self.settings, self.hooks, self.clock = settings, hooks, clock
        self.resume, self.after_step = resume, after_step
        self.use_cache_outside = bool(getattr(model.config, "use_cache", True))
        super().__init__(
            model=model,
            args=_arguments(settings, device, model),
            processing_class=tokenizer,
            callbacks=[StepCallback(self)],
        )
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.reports = bool(self.args.report_to)
        self.bad_windows = 0
        self.average: Average | None = None
        self.in_optimizer = False
        self.watch = LossWatch(settings.train.spike_factor)
        self.step = self._window_step(device)
        self._current: tuple[Window, Gradient, float, float] | None = None

    def _window_step(self, device: torch.device) -> WindowStep:
        decode = None if self.processing_class is None else self.processing_class.decode
        return WindowStep(
            model=self.model,
            loss=TokenLoss(self.model, self.settings.memory.loss_chunk_tokens),
            budget=first_budget(self.settings, device),
            hooks=self.hooks,
            faults=FaultInjector.from_environment(decode),
            device=device,
            backward=self.accelerator.backward,
            autocast=self.accelerator.autocast,
            price_tokens=GPU_SLICE_PRICE_TOKENS if device.type == "cuda" else SLICE_PRICE_TOKENS,
        )

    # ------------------------------------------------------------ the run, once

    def run(self) -> None:
        """Train until `hooks.next_window` says None.

        Raises StepLost when only a fresh process at the head helps, TrainerFatal when too many
        windows in a row were not finite. The head checkpoint is untouched by either.
        """
        resume = self.resume if state.can_resume(self.resume) else None
        if resume is not None:
            state.verify_weights(self, resume)
        try:
            self.train(resume_from_checkpoint=None if resume is None else str(resume))
        except (RuntimeError, MemoryError) as error:
            if not (oom.is_oom(error) or oom.is_sticky(error)):
                raise
            self._tell_of_lost_step(error)
            raise StepLost(oom.message_of(error)) from None

    def _tell_of_lost_step(self, error: BaseException) -> None:
        tokens = self.step.budget.tokens
        where = "optimizer" if self.in_optimizer else "device"
        message = oom.message_of(error)
        step = self.state.global_step + 1
        self.hooks.report(OutOfMemory(step, where, tokens, max(1, tokens // 2), message))

    def begin(self) -> None:
        """Before the first window: Adam's state, then the checkpoint's, then a rehearsal."""
        state.create_adam_state(self.optimizer)
        if self.settings.train.average_steps > 0:
            self.average = Average(self.model, self.settings.train.average_steps)
        if state.can_resume(self.resume):
            assert self.resume is not None
            state.load_state(self, self.resume)
        choose_path(self.step.loss, self.step.device, self._alert_slow_path)
        if self.step.device.type == "cuda" and self.settings.memory.rehearse:
            self.hooks.report(Beat("rehearsing"))
            self.model.train()
            rehearse(self.step, self.settings.model.max_length)

    def _alert_slow_path(self, reason: str) -> None:
        self.hooks.report(Alert("INFO", "slow-loss", reason))

    # ------------------------------------------------------------ Trainer's public hooks

    def get_train_dataloader(self) -> Any:
        return WindowSource(self)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Warm-up, then constant; the number of steps is not known and not needed."""
        if self.lr_scheduler is None:  # type: ignore[has-type]
            factor = WarmUp(self.settings.train.warmup_steps)
            optimizer = self.optimizer if optimizer is None else optimizer
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        scheduler: torch.optim.lr_scheduler.LRScheduler = self.lr_scheduler
        return scheduler

    def training_step(
        self, model: Any, inputs: dict[str, Window], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Leave the window's gradient in `.grad`, or none: then clipping and AdamW do nothing."""
        started = self.clock.monotonic()
        model.train()
        window = inputs["window"]
        out = self.step.gradient(window, self.state.global_step + 1)
        rate = float(self.optimizer.param_groups[0]["lr"])
        self._current = window, out, started, rate
        return torch.tensor(out.loss or 0.0, device=self.args.device)

    def averaged(self) -> contextlib.AbstractContextManager[None]:
        """What is sealed and validated in the model's place: the average, where there is one."""
        return contextlib.nullcontext() if self.average is None else self.average.in_place()

    # ------------------------------------------------------------ after a window

    def pass_over(self, window: Window) -> None:
        """A window with nothing supervised takes no step."""
        reason = "nothing supervised in this window"
        result = empty_result(window, self.state.global_step, self.step.budget.tokens, reason)
        self.hooks.window_done(window, result)

    def finish_step(self) -> None:
        """The optimizer has stepped, or had nothing to step on: report, guard, validate."""
        assert self._current is not None
        window, out, started, rate = self._current
        self._current = None
        if self.average is not None and out.loss is not None:
            self.average.take(self.state.global_step)
        result = self._result(window, out, self.clock.monotonic() - started, rate)
        self.bad_windows = 0 if out.loss is not None else self.bad_windows + 1
        if self.bad_windows >= self.settings.train.bad_windows_max:
            raise TrainerFatal(f"{self.bad_windows} bad windows in a row: {out.skipped}", "r3 top")
        self.hooks.window_done(window, result)
        if self.reports and result.step % self.settings.train.report_steps == 0:
            self.log(_logged(result))
        alert = None if out.loss is None else self.watch.take(out.loss)
        if alert is not None:
            self.hooks.report(alert)
        if self.after_step is not None:
            self.after_step(self, result)

    def log(self, logs: dict[str, float], *more: Any, **named: Any) -> None:
        """Tell `report_to`. It is other people's code: when it fails, training goes on without."""
        if not self.reports:
            return
        try:
            super().log(logs, *more, **named)
        except Exception as error:
            self.reports = False
            text = f"train.report_to failed and is left alone until the next start: {error}"
            self.hooks.report(Alert("WARN", "report-to", text))

    def _result(self, window: Window, out: Gradient, seconds: float, rate: float) -> WindowResult:
        trained = [] if out.skipped else [example for row in out.rows for example in row.examples]
        return WindowResult(
            step=self.state.global_step,
            loss=out.loss,
            learning_rate=rate,
            grad_norm=out.norm,
            rows=len(window.rows),
            examples=len(trained),
            tokens=sum(example.length for example in trained),
            padded_tokens=sum(part.padded_tokens for part in out.slices) if trained else 0,
            supervised_tokens=sum(supervised_count(example) for example in trained),
            seconds=seconds,
            slices=len(out.slices),
            token_budget=self.step.budget.tokens,
            replays=out.replays,
            rows_given_up=out.given_up,
            memory_bytes=oom.peak_memory_bytes(self.step.device),
            think_examples=sum(example.has_thinking for example in trained),
            completion_tokens_max=max(map(supervised_count, trained), default=0),
            skipped=out.skipped,
        )


def _logged(result: WindowResult) -> dict[str, float]:
    """A step as `report_to` is told of it; what was not measured is left out."""
    found = {
        "loss": result.loss,
        "grad_norm": result.grad_norm,
        "learning_rate": result.learning_rate,
        "tokens": result.tokens,
        "tokens_per_second": result.tokens / result.seconds if result.seconds else None,
        "token_budget": result.token_budget,
    }
    return {name: float(value) for name, value in found.items() if value is not None}


def _arguments(settings: Settings, device: torch.device, model: Any) -> TrainingArguments:
    """The Trainer's own options; everything it might write or print is off."""
    train = settings.train
    cuda = device.type == "cuda"
    wanted = settings.model.gradient_checkpointing
    checkpointing = wanted == "on" or (wanted == "auto" and cuda)
    known = {item.name for item in dataclasses.fields(TrainingArguments)}
    new_name = "activation_checkpointing"
    return TrainingArguments(
        # It exists and stays empty: saving is ours.
        output_dir=tempfile.gettempdir(),
        max_steps=STEPS_MAX,
        gradient_accumulation_steps=1,
        learning_rate=train.learning_rate,
        lr_scheduler_type="constant",
        weight_decay=train.weight_decay,
        adam_beta1=train.beta1,
        adam_beta2=train.beta2,
        max_grad_norm=train.max_grad_norm,
        optim="adamw_torch_fused",
        seed=train.seed,
        use_cpu=not cuda,
        bf16=cuda and torch.cuda.is_bf16_supported(),
        save_strategy="no",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        report_to=_reporters(train.report_to),
        disable_tqdm=True,
        ignore_data_skip=True,
        remove_unused_columns=False,
        **{new_name if new_name in known else "gradient_checkpointing": checkpointing},
    )


def _reporters(names: str) -> list[str] | str:
    """What `train.report_to` names. Raises `Unavailable` for what is unknown or not installed."""
    wanted = [name for name in (each.strip() for each in names.split(",")) if name]
    for name in wanted:
        try:
            for callback in get_reporting_integration_callbacks([name]):
                callback()
        except (ValueError, RuntimeError, ImportError) as error:
            command = f"pip install {name}, or r3 trainer --set train.report_to="
            raise Unavailable(f"train.report_to: {error}", command) from None
    return wanted or "none"


def choose_device(settings: Settings) -> torch.device:
    """The device of the settings; "auto" is CUDA where there is one."""
    wanted = settings.train.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted, 0) if wanted == "cuda" else torch.device(wanted)


def prepare_process(settings: Settings) -> None:
    """Threads, the CUDA allocator, quiet libraries; call it before the process's first tensor."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    torch.set_num_threads(settings.train.threads or len(os.sched_getaffinity(0)))


def build_trainer(
    model: Any,
    tokenizer: Any,
    settings: Settings,
    *,
    hooks: TrainHooks,
    resume: Path | None = None,
    device: torch.device | None = None,
    clock: Clock | None = None,
    after_step: AfterStep | None = None,
) -> WindowTrainer:
    """A trainer at the state of the checkpoint folder `resume`, ready for `run`.

    `model` has the checkpoint's weights in fp32 already; a folder without `trainer_state.json`
    starts at step 0. `after_step` is called last in every step (validation). Seeds all RNGs.
    """
    return WindowTrainer(
        model,
        tokenizer,
        settings,
        hooks,
        device=device or choose_device(settings),
        resume=resume,
        clock=clock or SystemClock(),
        after_step=after_step,
    )
