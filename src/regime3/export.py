"""A stretch of history to take away: a table, one page that needs nothing, or TensorBoard's files.

    found = stretch(lab, first=0, last=None, points=1000)
    as_csv(found)                  # text; one line a bucket
    as_html(lab, found, now)       # text; curves, events and verdicts in a single file
    to_tensorboard(lab, folder)    # the whole history, each stretch as fine as it is kept

All of it is read from the lab's files, while the lab runs or years later. What was abandoned by a
rollback is not in it.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np

from regime3.errors import InputRefused, LabError, Unavailable
from regime3.judge import ledger
from regime3.paths import Lab
from regime3.status.events import read_events
from regime3.status.history_files import POINTS_MAX, HistoryFiles, Table
from regime3.status.reading import read_status
from regime3.status.tiers import COLUMN_OF, METRICS, Array

POINTS: Final = 1000
"""Buckets of a page or a table where none are asked for; `POINTS_MAX` at most."""
EVENTS_MAX: Final = 500
ROWS_MAX: Final = 200
"""Lines of the page's own table; the CSV has all."""
KINDS: Final = ("min", "mean", "max", "last")


def stretch(lab: Lab, first: int, last: int | None, points: int) -> Table:
    """Every metric over steps [first, last] in at most `points` buckets."""
    return HistoryFiles(lab).read_table(list(METRICS), first, last, min(points, POINTS_MAX))


def stem(lab: Lab, table: Table) -> str:
    """A file name without its ending that says what is in it."""
    steps = f"{table.start[0]}-{table.step[-1]}" if len(table) else "empty"
    return f"{lab.root.resolve().name}-steps-{steps}"


# ----------------------------------------------------------------------------------------- CSV


def as_csv(table: Table) -> str:
    """A line a bucket: its first and last step, UTC time, steps, and four figures a metric.

    What was not measured is empty.
    """
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    names = [f"{metric}_{kind}" for metric in table.columns for kind in KINDS]
    lines.writerow(["first_step", "step", "time", "steps", *names])
    columns = [getattr(column, kind) for column in table.columns.values() for kind in KINDS]
    for at in range(len(table)):
        values = [_figure(float(column[at])) for column in columns]
        when = datetime.fromtimestamp(float(table.time[at]), UTC).isoformat(timespec="milliseconds")
        lines.writerow([table.start[at], table.step[at], when, table.count[at], *values])
    return out.getvalue()


def _figure(value: float) -> str:
    """Seven digits, which is what a float32 holds; empty for what was not measured."""
    return f"{value:.7g}" if math.isfinite(value) else ""


# --------------------------------------------------------------------------------- TensorBoard


def to_tensorboard(lab: Lab, folder: Path, progress: Callable[[int], None] | None = None) -> int:
    """The whole history as TensorBoard's event files; returns the values written.

    A step kept by itself is `metric`; of a bucket of many the mean is, with `metric/min` and
    `metric/max` beside it. Raises Unavailable without TensorBoard, InputRefused for a folder that
    holds an export already.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise Unavailable(
            "TensorBoard is not installed", "pip install 'regime3[tensorboard]'"
        ) from None
    if folder.exists() and any(folder.iterdir()):
        raise InputRefused(
            "it is not empty, and TensorBoard would draw both",
            file=str(folder),
            next_command="r3 export ANOTHER-FOLDER --as tensorboard",
        )
    written = 0
    with SummaryWriter(log_dir=str(folder)) as out:
        for rows in HistoryFiles(lab).finest():
            for row in rows:
                for tag, value in _scalars(row):
                    out.add_scalar(tag, value, int(row["step"]), float(row["time"]))
                    written += 1
            if progress is not None:
                progress(int(rows["step"][-1]))
    return written


def _scalars(row: Any) -> list[tuple[str, float]]:
    alone = row["count"] <= 1
    kinds = {"": "mean"} if alone else {"": "mean", "/min": "min", "/max": "max"}
    found = [
        (f"{name}{ending}", float(row[kind][column]))
        for name, column in COLUMN_OF.items()
        for ending, kind in kinds.items()
    ]
    return [(tag, value) for tag, value in found if math.isfinite(value)]


# ---------------------------------------------------------------------------------------- page

WIDTH, HEIGHT, RIGHT, BOTTOM = 960, 260, 56, 22
STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1d21; --soft: #5c626d; --line: #e3e5e9;
  --accent: #2559c4; --band: #d5e0f7; --ground: #fff }
@media (prefers-color-scheme: dark) { :root { --ink: #e7e9ee; --soft: #9aa1ad; --line: #2b2f37;
  --accent: #8ab0ff; --band: #24355c; --ground: #121419 } }
body { font: 15px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums;
  color: var(--ink); background: var(--ground); max-width: 960px; margin: 2rem auto;
  padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1rem; margin: 2rem 0 .5rem }
p, td, th { color: var(--soft) } svg { width: 100%; height: auto; display: block }
svg text { font-size: 12px; fill: var(--soft) } svg .grid { stroke: var(--line) }
svg .band { fill: var(--band) } svg .line { fill: none; stroke: var(--accent); stroke-width: 2 }
svg .dot { fill: var(--ground); stroke: var(--ink); stroke-width: 1.3 }
table { border-collapse: collapse; width: 100% } .wide { overflow-x: auto }
th, td { text-align: right; padding: .15rem .6rem; border-bottom: 1px solid var(--line);
  font-weight: normal; white-space: nowrap }
.words td { text-align: left; white-space: normal } .words th { text-align: left }
"""


def as_html(lab: Lab, table: Table, now: float) -> str:
    """One page without scripts and without anything from elsewhere; its curves are SVG."""
    name = escape(lab.root.resolve().name)
    title = f"{name}: nothing recorded"
    if len(table):
        title = f"{name}: steps {int(table.start[0]):,} to {int(table.step[-1]):,}"
    span = (float(table.time[0]), float(table.time[-1])) if len(table) else (now, now)
    loss, speed = table.columns["loss"], table.columns["tokens_per_sec"]
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{_about(lab)} {_clock(span[0])} to {_clock(span[1])} UTC. Written {_clock(now)} UTC"
        " by regime3. Bands run from the least to the most of each stretch; no spike is left"
        " out.</p>",
        *_chart("Loss", "nats a token", table, loss.min, loss.max, loss.mean,
                table.columns["validation_loss"].last),
        *_chart("Tokens per second", "a second", table, speed.min, speed.max, speed.mean, None),
        _events(lab, *span),
        _verdicts(lab, *span),
        _rows(table),
    ]  # fmt: skip
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _about(lab: Lab) -> str:
    try:
        status = read_status(lab)
    except Unavailable as problem:
        return escape(f"The status file said nothing: {problem.message}.")
    told = [status.model_name, status.device]
    return escape(", ".join(str(each) for each in told if each) + ".") if any(told) else ""


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _chart(
    name: str, unit: str, table: Table, low: Array, high: Array, line: Array, dots: Array | None
) -> list[str]:
    """A heading and an SVG over wall time; nothing where nothing was measured."""
    known = np.isfinite(line) & np.isfinite(low) & np.isfinite(high)
    if not known.any():
        return []
    time, low, high, mean = table.time[known], low[known], high[known], line[known]
    marks = (np.empty(0), np.empty(0))
    if dots is not None:
        there = np.isfinite(dots)
        marks = (table.time[there], dots[there])
    floor, ceiling = _range(np.concatenate([low, high, marks[1]]))

    def place(times: Array, values: Array) -> list[str]:
        x = (times - time[0]) / max(float(time[-1] - time[0]), 1e-9) * (WIDTH - RIGHT)
        y = (ceiling - values) / (ceiling - floor) * (HEIGHT - BOTTOM)
        return [f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True)]

    band = " ".join([*place(time, high), *reversed(place(time, low))])
    circles = "".join(
        '<circle class="dot" cx="{}" cy="{}" r="3"/>'.format(*each.split(","))
        for each in place(*marks)
    )
    said = (
        f"{name}: least {_figure(float(low.min()))}, most {_figure(float(high.max()))}, mean"
        f" {_figure(float(mean[0]))} at first and {_figure(float(mean[-1]))} at last."
    )
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">'
        f'{_grid(floor, ceiling, time)}<polygon class="band" points="{band}"/>'
        f'<polyline class="line" points="{" ".join(place(time, mean))}"/>{circles}</svg>'
    )
    return [f"<h2>{name}, {unit}</h2>", svg, f"<p>{said}</p>"]


def _range(values: Array) -> tuple[float, float]:
    floor, ceiling = float(values.min()), float(values.max())
    room = 0.04 * (ceiling - floor) or 0.5
    return floor - room, ceiling + room


def _grid(floor: float, ceiling: float, time: Array) -> str:
    """Four lines with their values, and the first and the last time."""
    found = []
    for part in range(4):
        y = (part + 0.5) / 4 * (HEIGHT - BOTTOM)
        value = ceiling - (part + 0.5) / 4 * (ceiling - floor)
        found.append(
            f'<path class="grid" d="M0 {y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text x="{WIDTH - RIGHT + 8}" y="{y + 4:.1f}">{value:.4g}</text>'
        )
    ends = ((0, "start", time[0]), (WIDTH - RIGHT, "end", time[-1]))
    found += [
        f'<text x="{x}" y="{HEIGHT - 4}" text-anchor="{anchor}">{_clock(float(at))}</text>'
        for x, anchor, at in ends
    ]
    return "".join(found)


def _events(lab: Lab, begin: float, end: float) -> str:
    found = [each for each in read_events(lab, limit=EVENTS_MAX) if begin <= each.time <= end]
    rows = [[_clock(each.time), each.level, each.text] for each in reversed(found)]
    return _words("Events", ["Time, UTC", "Level", "What"], rows)


def _verdicts(lab: Lab, begin: float, end: float) -> str:
    try:
        found = [each for each in ledger.verdicts(lab) if begin <= each.at <= end]
    except LabError as problem:
        return f"<h2>Verdicts</h2><p>{escape(problem.message)}</p>"
    rows = [[_clock(each.at), str(each.seal), each.word, each.reason] for each in reversed(found)]
    return _words("Verdicts", ["Time, UTC", "Checkpoint", "Verdict", "Why"], rows)


def _rows(table: Table) -> str:
    """The curves as figures, thinned to `ROWS_MAX`; the newest first."""
    picks = range(len(table) - 1, -1, -max(1, math.ceil(len(table) / ROWS_MAX)))
    names = ("loss", "validation_loss", "tokens_per_sec", "learning_rate", "accuracy_percent")
    head = ["Step", "Time, UTC", *(name.replace("_", " ") for name in names)]
    rows = [
        [f"{int(table.step[at]):,}", _clock(float(table.time[at]))]
        + [_figure(float(table.columns[name].last[at])) for name in names]
        for at in picks
    ]
    return _words("Figures", head, rows, "")


def _words(title: str, head: list[str], rows: list[list[str]], kind: str = "words") -> str:
    if not rows:
        return f"<h2>{title}</h2><p>None in this stretch.</p>"
    top = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(each)}</td>" for each in row) + "</tr>" for row in rows
    )
    return (
        f'<h2>{title}</h2><div class="wide"><table class="{kind}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
