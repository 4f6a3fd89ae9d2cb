"""What a checkpoint holds of training: written into a temp folder, loaded back bit for bit.

    model.safetensors config.json generation_config.json tokenizer files   as transformers writes
    training.safetensors    the weights that are trained, where model.safetensors is their average
    trainer_state.json      the step; read by Trainer.train(resume_from_checkpoint=...)
    optimizer.safetensors   NAME.exp_avg, NAME.exp_avg_sq, NAME.step
    optimizer.json          the groups, names of their parameters included
    scheduler.json          how far the warm-up is
    rng.json rng.safetensors
    budget.json             learned token budget, its growth, threads: they change bits

No pickle anywhere. State comes from the checkpoint, hyperparameters from the settings: a changed
learning rate holds from the next step on, and is reported. The ledger and the manifest are the
vault's; so are durability and the final name.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers.trainer_callback import TrainerState

from regime3 import disk
from regime3.errors import SealError
from regime3.records.messages import Alert
from regime3.train.rng import RNG_JSON, load_rng, write_rng

if TYPE_CHECKING:
    from regime3.train.trainer import WindowTrainer

WEIGHTS = "model.safetensors"
TRAINED_WEIGHTS = "training.safetensors"
TRAINER_STATE = "trainer_state.json"
OPTIMIZER_TENSORS = "optimizer.safetensors"
OPTIMIZER_JSON = "optimizer.json"
SCHEDULER_JSON = "scheduler.json"
BUDGET_JSON = "budget.json"
MOMENTS = ("step", "exp_avg", "exp_avg_sq")
SHARD_BYTES_MAX = 1 << 50
"""One file whatever the size: the vault hashes and links files, and needs no index."""


def write_state(trainer: WindowTrainer, folder: Path) -> None:
    """Write everything torch knows into `folder`. Call it between steps, from `next_window`."""
    write_model(trainer, folder)
    if trainer.average is not None:
        named = trainer.model.named_parameters()
        weights = {name: each.detach().contiguous() for name, each in named}
        save_file(weights, folder / TRAINED_WEIGHTS)
    _write_optimizer(trainer, folder)
    _write_plain(folder / SCHEDULER_JSON, {"last_epoch": trainer.lr_scheduler.last_epoch})
    _write_plain(folder / BUDGET_JSON, _budget(trainer))
    _write_plain(folder / TRAINER_STATE, asdict(_trainer_state(trainer.state)))
    write_rng(folder)


def _trainer_state(now: TrainerState) -> TrainerState:
    """The step, and the counts that the Trainer compares on resume; no logs, no callbacks."""
    return TrainerState(
        global_step=now.global_step,
        max_steps=now.max_steps,
        logging_steps=now.logging_steps,
        eval_steps=now.eval_steps,
        save_steps=now.save_steps,
        train_batch_size=now.train_batch_size,
        log_history=[],
    )


def _write_plain(path: Path, value: Any) -> None:
    disk.write_json(path, value, durable=False)


def write_model(trainer: WindowTrainer, folder: Path) -> None:
    """Weights (tied ones once), configs and tokenizer, loadable by `from_pretrained`."""
    config = trainer.model.config
    # The Trainer switches the cache off for training; a served model wants it on.
    while_training, config.use_cache = config.use_cache, trainer.use_cache_outside
    try:
        with trainer.averaged():
            trainer.model.save_pretrained(folder, max_shard_size=SHARD_BYTES_MAX)
    finally:
        config.use_cache = while_training
    if trainer.processing_class is not None:
        trainer.processing_class.save_pretrained(folder)


def _names(trainer: WindowTrainer) -> dict[torch.nn.Parameter, str]:
    return {parameter: name for name, parameter in trainer.model.named_parameters()}


def _write_optimizer(trainer: WindowTrainer, folder: Path) -> None:
    names = _names(trainer)
    tensors = {
        f"{names[parameter]}.{moment}": state[moment].detach().contiguous()
        for parameter, state in trainer.optimizer.state.items()
        for moment in MOMENTS
    }
    save_file(tensors, folder / OPTIMIZER_TENSORS)
    groups = [_group(group, names) for group in trainer.optimizer.param_groups]
    _write_plain(folder / OPTIMIZER_JSON, {"groups": groups})


def _group(group: dict[str, Any], names: dict[torch.nn.Parameter, str]) -> dict[str, Any]:
    plain = {key: value for key, value in group.items() if key != "params"}
    return plain | {"params": [names[parameter] for parameter in group["params"]]}


def _budget(trainer: WindowTrainer) -> dict[str, Any]:
    budget, train = trainer.step.budget, trainer.settings.train
    return {
        "tokens": budget.tokens,
        "clean_windows": budget.clean_windows,
        "tight_windows": budget.tight_windows,
        "bad_windows": trainer.bad_windows,
        "threads": torch.get_num_threads(),
        "window_tokens": train.window_tokens,
        "window_rows_max": train.window_rows_max,
    }


def can_resume(folder: Path | None) -> bool:
    """Whether `folder` holds a training state; the first checkpoint of a lab holds none."""
    return folder is not None and (folder / TRAINER_STATE).is_file()


def verify_weights(trainer: WindowTrainer, folder: Path) -> None:
    """Every tensor of the model is there, in its shape. The Trainer would load non-strictly.

    Raises SealError.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise SealError(f"{path.name} is missing from checkpoint {folder.name}", "r3 checkpoints")
    wanted = {name: tuple(p.shape) for name, p in trainer.model.named_parameters()}
    with safe_open(path, framework="pt") as file:
        stored = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    wrong = sorted(name for name, shape in wanted.items() if stored.get(name) != shape)
    if wrong:
        raise SealError(
            f"checkpoint {folder.name} does not fit the model: {', '.join(wrong[:3])}",
            "r3 checkpoints --verify",
        )


def create_adam_state(optimizer: torch.optim.Optimizer) -> None:
    """Adam's moments as zeros, exactly as its first step would make them, before any data."""
    for group in optimizer.param_groups:
        on_device = group["fused"] or group["capturable"]
        for parameter in group["params"]:
            if optimizer.state[parameter]:
                continue
            optimizer.state[parameter] = {
                "step": torch.zeros((), device=parameter.device if on_device else "cpu"),
                "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
                "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
            }


def load_state(trainer: WindowTrainer, folder: Path) -> None:
    """Optimizer, schedule, budget and RNG from a checkpoint; weights and step are loaded.

    Raises SealError when a tensor is missing or has another shape.
    """
    _load_weights(trainer, folder)
    _load_optimizer(trainer, folder)
    _load_scheduler(trainer, folder)
    _load_budget(trainer, folder)
    if (folder / RNG_JSON).is_file():
        load_rng(folder)


def _load_weights(trainer: WindowTrainer, folder: Path) -> None:
    """The Trainer has loaded the model; its average, where there is one, begins there."""
    if trainer.average is not None:
        trainer.average.restart()
    if not (folder / TRAINED_WEIGHTS).is_file():
        return
    stored = load_file(folder / TRAINED_WEIGHTS)
    for name, parameter in trainer.model.named_parameters():
        if name not in stored or stored[name].shape != parameter.shape:
            raise SealError(f"checkpoint {folder.name}: {TRAINED_WEIGHTS} lacks {name}")
        parameter.data.copy_(stored[name])


def _load_optimizer(trainer: WindowTrainer, folder: Path) -> None:
    names = _names(trainer)
    stored = load_file(folder / OPTIMIZER_TENSORS)
    for parameter, state in trainer.optimizer.state.items():
        for moment in MOMENTS:
            name = f"{names[parameter]}.{moment}"
            if name not in stored or stored[name].shape != state[moment].shape:
                raise SealError(f"checkpoint {folder.name}: optimizer lacks {name}")
            state[moment].copy_(stored[name])
    _tell_changes(trainer, json.loads((folder / OPTIMIZER_JSON).read_text(encoding="utf-8")))


def _tell_changes(trainer: WindowTrainer, saved: dict[str, Any]) -> None:
    """Settings win over the checkpoint, but never in silence."""
    names = _names(trainer)
    group = _group(trainer.optimizer.param_groups[0], names)
    watched = {"initial_lr": "learning_rate", "weight_decay": "weight_decay", "betas": "betas"}
    for key, word in watched.items():
        before, now = saved["groups"][0].get(key), group.get(key)
        if json.dumps(before) != json.dumps(now):
            _alert(trainer, "settings-changed", f"{word} was {before}, is {now} from here on")


def _alert(trainer: WindowTrainer, code: str, text: str) -> None:
    trainer.hooks.report(Alert("INFO", code, text))


def _load_scheduler(trainer: WindowTrainer, folder: Path) -> None:
    """Set the schedule to its place; rates follow from today's settings."""
    saved = json.loads((folder / SCHEDULER_JSON).read_text(encoding="utf-8"))
    scheduler = trainer.lr_scheduler
    scheduler.last_epoch = int(saved["last_epoch"])
    scheduler._step_count = scheduler.last_epoch + 1
    rates = [
        base * factor(scheduler.last_epoch)
        for base, factor in zip(scheduler.base_lrs, scheduler.lr_lambdas, strict=True)
    ]
    for group, rate in zip(trainer.optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    scheduler._last_lr = rates


def _load_budget(trainer: WindowTrainer, folder: Path) -> None:
    saved = json.loads((folder / BUDGET_JSON).read_text(encoding="utf-8"))
    budget = trainer.step.budget
    budget.restore(int(saved["tokens"]))
    budget.clean_windows = int(saved["clean_windows"])
    budget.tight_windows = int(saved["tight_windows"])
    trainer.bad_windows = int(saved["bad_windows"])
    threads = torch.get_num_threads()
    if threads != saved["threads"]:
        text = f"{saved['threads']} threads before, {threads} now: last bits may differ"
        _alert(trainer, "threads-changed", text)
