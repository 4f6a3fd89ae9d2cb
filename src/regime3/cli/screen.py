"""What `r3 top` draws: the live page in text, as wide as the terminal. Nothing in it is markup."""

from __future__ import annotations

import time
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from regime3.cli.output import human_size, human_time
from regime3.paths import Lab
from regime3.status.liveness import judge

BARS: Final = "▁▂▃▄▅▆▇█"
CURVE_S: Final = 3600.0
FILES_SHOWN, EVENTS_SHOWN, ALERTS_SHOWN, VERDICTS_SHOWN = 6, 5, 5, 3
NARROW: Final = 40
UNKNOWN: Final = "–"
COLOURS: Final = {
    "alive": "green", "paused": "yellow", "stopped": "yellow", "stalled": "yellow",
    "dead": "red", "fatal": "red", "ERROR": "red", "WARN": "yellow",
}  # fmt: skip


def screen(lab: Lab, found: dict[str, Any], width: int) -> RenderableType:
    """The whole screen of a status file `found`."""
    now = time.time()
    parts: list[RenderableType] = [_alive(found, now), _learning(found), _curve(lab, now, width)]
    parts += [_next(found), _queue(found, width), _machine(found), _loop(lab, now)]
    parts += [_told(found, now)]
    return Group(*(part for part in parts if not isinstance(part, Text) or part.plain))


def _line(label: str, *words: tuple[str, str] | str) -> Text:
    """A label and what it says, some of it in a style."""
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{label:<10}", style="dim")
    for word in words:
        line.append(*((word,) if isinstance(word, str) else word))
    return line


def _alive(found: dict[str, Any], now: float) -> Text:
    verdict = judge(found, now)
    heard = "" if verdict.age_s is None else f", heard {human_time(verdict.age_s)} ago"
    line = _line("Alive?", (verdict.state, f"bold {COLOURS.get(verdict.state, '')}".strip()), heard)
    line.append(f"\n{'':<10}{verdict.sentence}")
    if verdict.what_to_do and verdict.state != "alive":
        line.append(f"\n{'':<10}{verdict.what_to_do}")
    return line


def _number(value: Any, form: str) -> str:
    return UNKNOWN if value is None else format(value, form)


def _learning(found: dict[str, Any]) -> Text:
    trend = f", {found['loss_trend']}" if found.get("loss_trend") else ""
    matches = found.get("recent_matches") or ""
    right = f"{matches.count('1')} of the last {len(matches)} answers right" if matches else ""
    exact = found.get("fixed_eval_em")
    lines = [
        f"loss {_number(found.get('streaming_ce'), '.4f')} smoothed{trend}; "
        f"validation {_number(found.get('validation_loss'), '.4f')}, "
        f"gap {_number(found.get('val_train_gap'), '+.3f')}"
    ]
    if exact is not None or right:
        shown = "" if exact is None else f"exact match {exact:.0f} %"
        lines.append(", ".join(part for part in (shown, right) if part))
    if found.get("token_entropy") is not None and found.get("fixed_eval_ece") is not None:
        lines.append(
            f"next tokens: entropy {found['token_entropy']:.3f} nats, "
            f"calibration error {100 * found['fixed_eval_ece']:.1f} %"
        )
    return _block("Learning?", lines)


def _block(label: str, lines: list[str]) -> Text:
    """Lines under one label."""
    text = _line(label, lines[0]) if lines else Text()
    for line in lines[1:]:
        text.append(f"\n{'':<10}{line}")
    return text


def _curve(lab: Lab, now: float, width: int) -> Text:
    """The loss of the last hour: a bar a stretch of its mean, and the highest single step."""
    import numpy as np

    from regime3.status.history_files import HistoryFiles

    files = HistoryFiles(lab)
    points = max(NARROW, min(160, width)) - 34
    table = files.read_table(["loss"], files.step_at(now - CURVE_S), None, points)
    column = table.columns["loss"]
    means = column.mean[np.isfinite(column.mean)]
    if len(means) < 2:
        return Text()
    low, high = float(means.min()), float(means.max())
    scale = (len(BARS) - 1) / max(high - low, 1e-9)
    drawn = "".join(BARS[round((float(each) - low) * scale)] for each in means)
    return _line("", (drawn, "cyan"), f" {low:.3f}–{high:.3f}, most {np.nanmax(column.max):.2f}")


def _next(found: dict[str, Any]) -> Text:
    step, total = found.get("current_step"), found.get("total_steps")
    done = f"step {_number(step, ',')}" + (f" of {total:,}" if total else "")
    speed = found.get("tokens_per_sec")
    words = [done] + ([] if speed is None else [f"{speed:,.0f} tokens/s"])
    eta = found.get("eta_seconds_range")
    if eta and found.get("state") == "training":
        words.append(f"{human_time(eta[0])} to {human_time(eta[1])} left")
    if found.get("head_seal") is not None:
        words.append(f"checkpoint {found['head_seal']} at step {found.get('head_step') or 0:,}")
    return _line("Next?", "; ".join(words))


def _queue(found: dict[str, Any], width: int) -> RenderableType:
    queue = found.get("queue") or {}
    if not queue:
        return Text()
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(width=8, style="dim")
    grid.add_column(max_width=max(12, width - 52), no_wrap=True, overflow="ellipsis")
    for justify in ("left", "right"):
        grid.add_column(justify=justify, no_wrap=True)
    for number, file in enumerate(queue["files"][:FILES_SHOWN]):
        share = file["position"] / file["rows"] if file["rows"] else 0.0
        bar = "█" * round(10 * share) + "░" * (10 - round(10 * share))
        rows = f"{file['position']:,} of {file['rows']:,}"
        lane = Text(f"{'Queue' if not number else '':<8}")
        grid.add_row(lane, Text(f"{file['lane']:<7}{file['name']}"), Text(bar), Text(rows))
    rest = (
        f"{queue['files_open']} open, {queue['files_ended']} ended, {queue['files_failed']} failed,"
        f" {queue['inbox_waiting']} in the inbox; {queue['rows_left']:,} rows left"
    )
    below = Text(f"{'Queue' if not queue['files'] else '':<10}{rest}", style="dim")
    return Group(grid, below) if queue["files"] else below


def _machine(found: dict[str, Any]) -> Text:
    system, lines = found.get("system") or {}, []
    if system:
        lines.append(
            f"processor {_number(system.get('cpu_percent'), '.0f')} % of {system['cpu_count']}, "
            f"memory {human_size(system['memory_used_bytes'])} of "
            f"{human_size(system['memory_total_bytes'])}, "
            f"{human_size(system['disk_free_bytes'])} free on the disk"
        )
    for card in found.get("gpu") or []:
        used, whole = card.get("memory_used_bytes"), card.get("memory_total_bytes")
        memory = f"{human_size(used)} of {human_size(whole)}" if used and whole else UNKNOWN
        lines.append(
            f"{card['name']}: {_number(card.get('busy_percent'), '.0f')} %, {memory}, "
            f"{_number(card.get('temperature_c'), '.0f')} °C, "
            f"{_number(card.get('power_w'), '.0f')} W"
        )
    if system and not found.get("gpu"):
        lines.append("no card")
    return _block("Machine", lines)


def _loop(lab: Lab, now: float) -> Text:
    """Champion, the judgement under way, the last verdicts, the forge; nothing without a loop."""
    from regime3.cli.look import loop_lines
    from regime3.judge.ledger import verdicts

    told = verdicts(lab)[:-1][-VERDICTS_SHOWN:][::-1]
    before = [
        f"{each.word} {each.seal}, {human_time(max(0.0, now - each.at))} ago" for each in told
    ]
    first, *rest = loop_lines(lab) or [""]
    lines = [first, *([f"before it: {'; '.join(before)}"] if before else []), *rest]
    return _block("Loop", [line for line in lines if line])


def _told(found: dict[str, Any], now: float) -> Text:
    """Alerts with what to do, then the latest events, each with its age."""
    text = Text()
    for alert in (found.get("active_alerts") or [])[:ALERTS_SHOWN]:
        told = f"{alert['message']}. {alert['what_to_do']}".rstrip()
        text.append("\n" if text else "")
        text.append(f"{alert['level']:<10}", style=COLOURS.get(alert["level"], ""))
        text.append(told)
    for event in reversed((found.get("recent_events") or [])[-EVENTS_SHOWN:]):
        text.append("\n" if text else "")
        age = human_time(max(0.0, now - event["time"]))
        text.append(f"{'':<10}{event['text']}, {age} ago", style="dim")
    return text
