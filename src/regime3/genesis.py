"""Founding a lab: folders, documented settings, the base model, and the first checkpoint.

A lab appears whole, under its final name, or not at all. The first checkpoint is the base model
sealed with an empty ledger, so a trainer never starts without a head and everything can be rolled
back to. Called by `r3 init` and `r3 demo`; it trains nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from regime3 import config, disk
from regime3.clock import Clock, SystemClock
from regime3.errors import LabError
from regime3.paths import SETTINGS_NAME, Lab
from regime3.records.checkpoint import Seal
from regime3.records.ledger import Ledger
from regime3.vault import Vault

NANO_SETTINGS: Mapping[str, Any] = {
    "model.name": "nano",
    "model.max_length": 1024,
    "train.learning_rate": 2e-3,
    "train.window_tokens": 1024,
    "train.threads": 1,
    "train.window_rows_max": 64,
    "checkpoint.save_steps": 200,
    "checkpoint.free_gb_min": 0.5,
}
"""A model of a million parameters learns at another rate and from smaller windows; and a second
thread gains it little, yet starves it when anything else runs on the machine."""


def found_lab(
    root: Path,
    write_model: Callable[[Path], None],
    overrides: Mapping[str, Any],
    model_name: str,
    clock: Clock | None = None,
) -> Seal:
    """Make the lab at `root`; `write_model` fills the base model's folder (fp32 safetensors).

    Raises `LabError` when something is there already.
    """
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        what = "is already a lab" if (root / SETTINGS_NAME).exists() else "is not empty"
        raise LabError(f"{root} {what}", f"r3 status --lab {root}")
    disk.make_folder(root.parent)
    temp = disk.temp_folder(root.parent, root.name)
    lab = Lab(temp)
    for folder in lab.folders():
        folder.mkdir(parents=True, exist_ok=True)  # still private: sealed as a whole below
    disk.write_text(lab.settings_file, config.render(overrides))
    disk.make_folder(lab.model_base)
    write_model(lab.model_base)
    seal = seal_base(lab, model_name, clock or SystemClock())
    if root.exists():
        root.rmdir()  # empty, as checked above
    disk.seal_folder(temp, root)
    return seal


def seal_base(lab: Lab, model_name: str, clock: Clock) -> Seal:
    """The first checkpoint: the base model's files under a manifest, with nothing trained."""
    vault = Vault(lab, clock)
    temp = vault.begin()
    for path in sorted(lab.model_base.iterdir()):
        disk.link(path, temp / path.name)
    seal = vault.commit(
        temp, parent=None, step=0, reason="genesis", ledger=Ledger(), model_name=model_name
    )
    vault.point_current_model(seal)
    return seal
