"""What a lab has done, told from its own files: training, verdicts, what was made and what buried.

    found = view(lab)        # a plain dict, for --json
    text = markdown(found)   # the same to read and to keep

Nothing is measured here and nothing asked of anybody: history, ledger, shards, queue and probes are
read as they lie on disk, while the lab runs or years later.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from regime3 import config
from regime3.clock import SystemClock
from regime3.evolution import story
from regime3.forge import shard
from regime3.judge import ledger
from regime3.paths import Lab
from regime3.spool import Spool
from regime3.status.history_files import POINTS_MAX, HistoryFiles

ENDS = 3
"""So many shards at the beginning and at the end give the pass rates then and now."""


def view(lab: Lab) -> dict[str, Any]:
    """Everything below. Raises `LabError`, `SettingsError`."""
    verdicts = ledger.verdicts(lab)
    return {
        "lab": lab.root.resolve().name,
        "training": _training(lab),
        "verdicts": [each.brief() for each in verdicts],
        "words": dict(Counter(each.word for each in verdicts)),
        "false_promotions_expected": verdicts[-1].false_promotions if verdicts else 0.0,
        "probes": story.by_regime(lab),
        "made": _made(shard.noted(lab)),
        "queue": _queue(lab),
    }


def _training(lab: Lab) -> dict[str, Any] | None:
    """Steps, tokens, and how much of the time passed inside optimizer steps."""
    names = ["loss_smoothed", "step_seconds", "tokens_per_sec"]
    table = HistoryFiles(lab).read_table(names, 0, None, POINTS_MAX)
    if len(table) < 2:
        return None
    seconds = np.nan_to_num(table.columns["step_seconds"].mean) * table.count
    loss = table.columns["loss_smoothed"].last
    known = loss[~np.isnan(loss)]
    span_s = float(table.time[-1] - table.time[0])
    return {
        "steps": int(table.step[-1]),
        "began": float(table.time[0]),
        "ended": float(table.time[-1]),
        "hours": round(span_s / 3600, 3),
        "in_steps_percent": round(100 * min(1.0, float(seconds[1:].sum()) / max(span_s, 1e-9)), 1),
        "loss_first": None if not len(known) else round(float(known[0]), 4),
        "loss_last": None if not len(known) else round(float(known[-1]), 4),
    }


def _made(shards: list[dict[str, Any]]) -> dict[str, Any]:
    """What the forge generated, and how often attempts passed, at first and lately."""
    kinds: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for each in shards:
        kinds.update(each["kinds"])
        dropped.update(each["dropped"])
    tried = [each for each in shards if each["levels"]]
    return {
        "shards": len(shards),
        "rows": sum(each["rows"] for each in shards),
        "kinds": dict(sorted(kinds.items())),
        "not_written": dict(sorted(dropped.items())),
        "attempts": sum(_sums(tried, "attempts").values()),
        "passed": sum(_sums(tried, "passed").values()),
        "tokens": sum(each["tokens"] for each in shards),
        "pass_rates": _rates(tried),
    }


def _sums(shards: Iterable[dict[str, Any]], key: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in shards:
        found.update({place: level[key] for place, level in each["levels"].items()})
    return found


def _rates(shards: list[dict[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Percent of attempts that pass, by family and level, at first and lately."""
    rates: dict[str, dict[str, float | None]] = {}
    for when, some in (("first", shards[:ENDS]), ("lately", shards[-ENDS:])):
        attempts, passed = _sums(some, "attempts"), _sums(some, "passed")
        for place, count in attempts.items():
            rates.setdefault(place, {"first": None, "lately": None})[when] = round(
                100 * passed[place] / count, 1
            )
    return dict(sorted(rates.items()))


def _queue(lab: Lab) -> dict[str, Any]:
    """Rows that were admitted, and those that were buried at admission, with the files."""
    settings = config.load(lab.settings_file).settings
    files = list(Spool(lab, settings, SystemClock()).files().values())
    return {
        "files": len(files),
        "rows_admitted": sum(meta.rows for meta in files),
        "rows_buried": sum(meta.buried for meta in files),
        "files_refused": sum(meta.refused is not None for meta in files),
        "buried_by_file": {meta.name: meta.buried for meta in files if meta.buried},
    }


# --------------------------------------------------------------------------------------- as text


def markdown(found: dict[str, Any]) -> str:
    """The report as Markdown."""
    parts = [f"# {found['lab']}", _training_text(found["training"])]
    parts += ["## Verdicts", _verdicts_text(found), "## Probes solved", _probes_text(found)]
    parts += ["## What was generated", _made_text(found["made"])]
    queue = found["queue"]
    parts += [
        "## What was admitted",
        f"{queue['files']} files, {queue['rows_admitted']:,} rows admitted, "
        f"{queue['rows_buried']:,} buried, {queue['files_refused']} files refused.",
    ]
    return "\n\n".join(parts) + "\n"


def _training_text(told: dict[str, Any] | None) -> str:
    if told is None:
        return "Nothing has been trained yet."
    return (
        f"{told['steps']:,} steps in {told['hours']:.2f} hours, from {_clock(told['began'])} to"
        f" {_clock(told['ended'])} UTC; {told['in_steps_percent']} % of the time inside optimizer"
        f" steps. Smoothed loss {told['loss_first']} to {told['loss_last']}."
    )


def _verdicts_text(found: dict[str, Any]) -> str:
    if not found["verdicts"]:
        return "None yet."
    rows = [
        [each["number"], _clock(each["at"]), each["seal"], f"{each['step']:,}",
         each["word"] + (" (by hand)" if each["by"] == "user" else ""), each["reason"]]
        for each in found["verdicts"]
    ]  # fmt: skip
    words = ", ".join(f"{count} {word}" for word, count in found["words"].items())
    told = f"{words}; {found['false_promotions_expected']:.2f} false promotions expected."
    return f"{told}\n\n" + _table(["", "at", "checkpoint", "step", "verdict", "why"], rows)


def _probes_text(found: dict[str, Any]) -> str:
    lines = found["probes"]
    if not lines:
        return "No checkpoint has answered them yet."
    steps = sorted({step for points in lines.values() for step, _ in points})
    known = {regime: dict(points) for regime, points in lines.items()}
    rows = [[f"{step:,}", *(known[name].get(step, "") for name in lines)] for step in steps]
    return _table(["step", *(f"regime {name}, %" for name in lines)], rows)


def _made_text(made: dict[str, Any]) -> str:
    if not made["shards"]:
        return "Nothing yet."
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in made["kinds"].items())
    dropped = ", ".join(f"{count:,} {why}" for why, count in made["not_written"].items()) or "none"
    rows = [[place, _percent(each["first"]), _percent(each["lately"])]
            for place, each in made["pass_rates"].items()]  # fmt: skip
    return (
        f"{made['shards']} shards with {made['rows']:,} rows ({kinds}); not written: {dropped}. "
        f"{made['attempts']:,} attempts of {made['tokens']:,} tokens, of which {made['passed']:,} "
        "passed the checker.\n\n" + _table(["attempts that pass", "first, %", "lately, %"], rows)
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _clock(at: float) -> str:
    return time.strftime("%d %b %H:%M", time.gmtime(at))


def _table(head: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines
    )
