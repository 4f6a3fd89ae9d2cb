"""`r3 bench admit`: admitting a file of 100,000 chat rows, against merely loading it.

Ours is the real path: `Spool.admit_once` validates every row, hashes the file, writes the index
and makes it durable before the file enters its lane. The peer is `datasets.load_dataset("json")`
into an empty cache, which reads. Both run in fresh processes, interleaved, on the same bytes;
imports are not timed. It measures no training and judges nothing.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from regime3 import disk
from regime3.bench.telling import rounds
from regime3.errors import Unavailable

ROWS = 100_000
SIZE_MB = 287
RUNS_QUICK, RUNS_FULL = 3, 5
WORDS_MAX = 4096
PARAGRAPHS = 2000
ROWS_AT_A_TIME = 1000
CHILD_TIMEOUT_S = 300
MEANING = {
    "speedup_vs_datasets": "times faster than datasets.load_dataset reads the file; 1.5 wanted",
    "peak_rss_mb_over_idle": "peak memory of admission above the idle process, MB; at most 150",
    "rows_per_s": "rows validated, hashed, indexed and made durable a second",
    "ours_s": "seconds of one admission, the median",
    "datasets_s": "seconds of one load_dataset, the median",
}


def run(quick: bool) -> dict[str, Any]:
    """Measure; the dict is what `regime3.bench` publishes. Raises `Unavailable`."""
    if importlib.util.find_spec("datasets") is None:
        raise Unavailable("the peer, datasets, is not installed", "pip install 'regime3[bench]'")
    runs = RUNS_QUICK if quick else RUNS_FULL
    with tempfile.TemporaryDirectory(prefix="regime3-bench-") as folder:
        path = Path(folder) / "chat.jsonl"
        size_bytes = make_file(path)
        ours, theirs = [], []
        for _ in rounds(runs, "admit"):
            ours.append(_child("ours", path))
            theirs.append(_child("datasets", path))
    speedups = [b["seconds"] / a["seconds"] for a, b in zip(ours, theirs, strict=True)]
    measured = {
        "speedup_vs_datasets": speedups,
        "peak_rss_mb_over_idle": [item["peak_mb"] - item["idle_mb"] for item in ours],
        "rows_per_s": [item["rows"] / item["seconds"] for item in ours],
        "ours_s": [item["seconds"] for item in ours],
        "datasets_s": [item["seconds"] for item in theirs],
    }
    return {
        "figures": {name: round(statistics.median(v), 3) for name, v in measured.items()},
        "spread": {name: [round(min(v), 3), round(max(v), 3)] for name, v in measured.items()},
        "runs": runs,
        "notes": [f"{ROWS:,} rows, {size_bytes / 1e6:.0f} MB, in the page cache before each run"],
        "meaning": MEANING,
    }


def make_file(path: Path, rows: int = ROWS, size_mb: float = SIZE_MB) -> int:
    """Write chat rows of one to three exchanges, `size_mb` in all; returns its size in bytes."""
    with disk.Appender(path) as out:
        batch = []
        for line in _lines(rows, int(size_mb * 1e6)):
            batch.append(line)
            if len(batch) == ROWS_AT_A_TIME:
                out.append(b"".join(batch))
                batch.clear()
        out.append(b"".join(batch))
        out.sync()
    return path.stat().st_size


def _lines(rows: int, size_bytes: int) -> Iterator[bytes]:
    """Rows whose sizes add up to about `size_bytes`: word salad with digits, quotes, breaks.

    About a fifth of the rows hold letters beyond ASCII, as English chat data does.
    """
    words = [hashlib.sha256(b"word %d" % number).hexdigest()[: 2 + number % 9]
             for number in range(WORDS_MAX)]  # fmt: skip
    breaks = (" ", ", ", ".\n", ' "so" ', "? ", "\n\n")
    rare = {7: " — ", 100: " é ", 200: " 🤔 "}
    text = [
        " ".join(words[(number * 37 + place * 101) % WORDS_MAX] for place in range(40))
        + rare.get(number % 500, breaks[number % len(breaks)])
        for number in range(PARAGRAPHS)
    ]
    spent = 0
    for number in range(rows):
        wanted = size_bytes * (number + 1) // rows - spent
        line = _row(number, wanted, text)
        spent += len(line)
        yield line


def _row(number: int, wanted: int, text: list[str]) -> bytes:
    draw = int.from_bytes(hashlib.sha256(b"row %d" % number).digest()[:6], "big")
    exchanges = 1 + draw % 3
    messages = [{"role": "system", "content": "You answer with care."}] if draw % 2 else []
    left = wanted
    for turn in range(exchanges):
        messages.append({"role": "user", "content": f"{number}.{turn} {text[draw % PARAGRAPHS]}"})
        answer: list[str] = []
        share = left // (exchanges - turn)
        while share > 0:
            answer.append(text[(draw + len(answer) * 7919) % PARAGRAPHS])
            share -= len(answer[-1])
            left -= len(answer[-1])
        messages.append({"role": "assistant", "content": "".join(answer)})
    return json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n"


# ---------------------------------------------------------------- in a process of its own


def _child(who: str, path: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "regime3.bench.admit", who, str(path)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=CHILD_TIMEOUT_S
    )
    if done.returncode != 0:
        raise Unavailable(f"{who} could not be measured: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _ours(path: Path, folder: Path) -> dict[str, Any]:
    from regime3.clock import SystemClock
    from regime3.config import Queue, Settings
    from regime3.paths import Lab
    from regime3.spool import Spool, block  # with numpy, which a large file would load

    assert block
    lab = Lab(folder)
    for needed in lab.folders():
        disk.make_folder(needed)
    disk.link(path, lab.inbox / path.name)
    # The two seconds in which a file has to stand still are not work.
    settings = dataclasses.replace(Settings(), queue=Queue(settle_s=0.0))
    spool = Spool(lab, settings, SystemClock())
    idle_mb, started = peak_mb(), time.perf_counter()
    (admission,) = spool.admit_once()
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "rows": admission.rows, "idle_mb": idle_mb, "peak_mb": peak_mb()}


def _datasets(path: Path, folder: Path) -> dict[str, Any]:
    import datasets

    started = time.perf_counter()
    loaded = datasets.load_dataset("json", data_files=str(path), cache_dir=str(folder))
    return {"seconds": time.perf_counter() - started, "rows": loaded["train"].num_rows}


def peak_mb() -> float:
    """This process's largest memory so far. Linux's `ru_maxrss` may be its parent's; VmHWM not."""
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            kib = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):  # not Linux: macOS counts bytes
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return kib * 1024 / 1e6


if __name__ == "__main__":
    measure = {"ours": _ours, "datasets": _datasets}[sys.argv[1]]
    source = Path(sys.argv[2])
    with tempfile.TemporaryDirectory(dir=source.parent) as home:
        print(json.dumps(measure(source, Path(home))))
