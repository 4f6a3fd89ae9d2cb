"""Benchmarks: what `r3 bench NAME` runs. Ratios from interleaved runs of ours and a peer.

A benchmark is a module with `run(quick) -> Measured`-shaped dict: figures, spread, runs, notes,
meaning. This file adds versions, machine and wall time, and prints nothing.
"""

from __future__ import annotations

import importlib
import os
import platform
import time
from importlib import metadata
from typing import Any

import typer

NAMES = {
    "admit": "admit",
    "first-step": "first_step",
    "train": "train",
    "status": "status",
    "tokens": "tokens",
    "codec": "codec",
    "mask": "mask",
    "regimes": "regimes",
    "node": "node",
    "swap": "ship",
    "improve": "improve",
    "web": "web",
}
_PACKAGES = (
    "regime3",
    "torch",
    "transformers",
    "accelerate",
    "trl",
    "datasets",
    "msgspec",
    "numpy",
)


def measure(name: str, *, quick: bool) -> dict[str, Any]:
    """Run one benchmark; the dict is the contract of `--json`."""
    if name not in NAMES:
        raise typer.BadParameter(f"{name!r}: known are {', '.join(NAMES)}", param_hint="NAME")
    started = time.monotonic()
    result = importlib.import_module(f"regime3.bench.{NAMES[name]}").run(quick)
    return {
        "name": name,
        "figures": result["figures"],
        "spread": result["spread"],
        "runs": result["runs"],
        "versions": _versions(),
        "machine": _machine(),
        "seconds": round(time.monotonic() - started, 1),
        "command": f"r3 bench {name} {'--quick' if quick else '--full'} --json",
        "notes": result.get("notes", []),
        "meaning": result.get("meaning", {}),
    }


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # an optional peer that is not installed has no version
    return found


def _machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            model = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass  # not Linux, or a CPU without a name: the architecture has to do
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.system(),
    }
