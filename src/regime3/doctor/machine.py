"""The doctor's look at the machine: Python, torch, GPU, clock, port, memory."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata

from regime3.config import Settings
from regime3.doctor.findings import Finding, Level
from regime3.paths import Lab

PYTHON_MIN = (3, 11)
PROBE_S_MAX = 120.0
BUILT_AT = 1_760_000_000.0
"""A wall clock before this is wrong: the code is younger."""
TORCH_PROBE = """
import json, torch
cuda = torch.cuda.is_available()
facts = {"version": torch.__version__, "built_for": torch.version.cuda, "cuda": cuda}
if cuda:
    free, total = torch.cuda.mem_get_info()
    facts |= {"name": torch.cuda.get_device_name(0), "free": free, "total": total,
              "bf16": torch.cuda.is_bf16_supported()}
print(json.dumps(facts))
"""


def python() -> Iterator[Finding]:
    """Version and pinned packages."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MIN:
        yield Finding("python", "bad", f"Python {version} is too old", "install Python 3.11")
        return
    transformers = metadata.version("transformers")
    yield Finding("python", "ok", f"Python {version}, transformers {transformers}")


def torch_facts() -> dict[str, object]:
    """What torch sees, asked in a process of its own: the doctor never holds a GPU."""
    done = subprocess.run(
        [sys.executable, "-c", TORCH_PROBE], capture_output=True, text=True, timeout=PROBE_S_MAX
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr else "no output")
    facts: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
    return facts


def torch() -> Iterator[Finding]:
    """Importable, and built for the card that is there."""
    facts = torch_facts()
    yield Finding("torch", "ok", f"torch {facts['version']}")
    has_card = shutil.which("nvidia-smi") is not None
    if has_card and not facts["cuda"]:
        reason = (
            "built without CUDA" if facts["built_for"] is None else "the driver does not answer"
        )
        yield Finding(
            "torch", "bad", f"an NVIDIA card is there, but torch is {reason}", "nvidia-smi"
        )
    elif facts["cuda"]:
        gib = 2**30
        yield Finding(
            "vram",
            "ok" if facts["bf16"] else "warn",
            f"{facts['name']}: {int(str(facts['free'])) / gib:.1f} of "
            f"{int(str(facts['total'])) / gib:.1f} GiB free"
            + ("" if facts["bf16"] else ", no bf16: training will be slow"),
        )
    else:
        yield Finding("vram", "note", "no GPU: training runs on the CPU (right for the nano model)")


def gpu() -> Iterator[Finding]:
    """Driver and other users of the card."""
    if shutil.which("nvidia-smi") is None:
        return
    query = ["nvidia-smi", "--query-gpu=driver_version,memory.used", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=PROBE_S_MAX)
    if done.returncode != 0:
        yield Finding("driver", "bad", done.stdout.strip() or "nvidia-smi failed", "nvidia-smi")
    else:
        yield Finding("driver", "ok", "driver, memory used: " + done.stdout.strip())


def clock() -> Iterator[Finding]:
    """A clock far off spoils snapshots and what viewers say of ages; training itself keeps on."""
    now = time.time()
    shown = time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(now))
    if now < BUILT_AT:
        yield Finding("clock", "bad", f"the clock says {shown}", "timedatectl set-ntp true")
    else:
        yield Finding("clock", "ok", shown)


def port(settings: Settings) -> Iterator[Finding]:
    """Whether the live page's port is free, or taken by our own page."""
    address = (settings.web.host, settings.web.port)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        taken = settings.web.port != 0 and probe.connect_ex(address) == 0
    if taken:
        text = f"port {settings.web.port} is in use; fine if it is this lab's page"
        yield Finding("port", "note", text, f"r3 web --set web.port={settings.web.port + 10}")
    else:
        yield Finding("port", "ok", f"port {settings.web.port} is free")


def memory_for(lab: Lab) -> Iterator[Finding]:
    """Weights, gradients and Adam state against the memory that is there."""
    model = lab.current_model / "model.safetensors"
    if not model.exists():
        return
    static = model.stat().st_size * 4  # fp32 weights, gradients, two moments
    have = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    where = "RAM"
    facts = torch_facts()
    if facts["cuda"]:
        have, where = int(str(facts["total"])), "GPU memory"
    text = f"{static / 1e9:.2f} GB for weights, gradients and Adam of {have / 1e9:.1f} GB {where}"
    level: Level = "ok" if static < 0.7 * have else "warn" if static < have else "bad"
    fix = "" if level == "ok" else "choose a smaller model: r3 init LAB2 --model …"
    yield Finding("memory", level, text, fix)
