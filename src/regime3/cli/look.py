"""Looking: `r3 status` and `r3 top`."""

from __future__ import annotations

import json as json_format
import time
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from regime3.cli.output import Json, LabOption, console, find_lab, human_time, show
from regime3.cli.progress import one_line
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.status.liveness import judge

TOP_REFRESH_S = 1.0
EVENTS_SHOWN = 5


def read_status(lab: Lab) -> dict[str, Any]:
    """The status file; `Unavailable` when no trainer has written one."""
    try:
        found: dict[str, Any] = json_format.loads(lab.status_file.read_bytes())
    except FileNotFoundError:
        raise Unavailable("no trainer has run in this lab yet", "r3 up") from None
    except ValueError:
        raise Unavailable(f"{lab.status_file.name} is torn or hand-edited", "r3 doctor") from None
    return found


def status(lab: LabOption = None, json: Json = False) -> None:
    """Is it alive, is it learning, what next? Exit code 1 when it is dead, 6 when FATAL."""
    where = find_lab(lab)
    found = read_status(where)
    verdict = judge(found, time.time())
    show({**found, "alive": verdict.state}, json, lambda: console.print(_text(where, found)))
    raise typer.Exit({"dead": 1, "fatal": 6}.get(verdict.state, 0))


def top(
    lab: LabOption = None,
    once: Annotated[bool, typer.Option("--once", help="Print once and end.")] = False,
) -> None:
    """The live page in text: alive, learning, what next, queue, machine, loop; until Ctrl-C."""
    from regime3.cli.screen import screen

    where = find_lab(lab)
    if once or not console.is_terminal:
        console.print(screen(where, read_status(where), console.width))
        return
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(screen(where, read_status(where), console.width), refresh=True)
            time.sleep(TOP_REFRESH_S)


def _text(lab: Lab, found: dict[str, Any]) -> Text:
    """A screen of plain text; file names and prompts are never markup."""
    verdict = judge(found, time.time())
    age = verdict.age_s
    heard = "" if age is None else f", heard {human_time(age)} ago"
    lines = [f"{verdict.state}{heard}. {verdict.sentence}", one_line(found)]
    eta = found.get("eta_seconds_range")
    if eta and verdict.state == "alive":
        lines.append(f"done in {human_time(eta[0])} to {human_time(eta[1])}")
    queue = found.get("queue") or {}
    if queue:
        lines.append(
            f"queue: {queue['files_open']} open, {queue['files_ended']} ended, "
            f"{queue['files_failed']} failed, {queue['inbox_waiting']} in the inbox; "
            f"{queue['rows_left']:,} rows left of {queue['rows_admitted']:,}"
        )
    lines += loop_lines(lab)
    for alert in (found.get("active_alerts") or [])[:EVENTS_SHOWN]:
        lines.append(f"{alert['level']}: {alert['message']}")
    return Text("\n".join(lines))


def loop_lines(lab: Lab) -> list[str]:
    """A line about the judge, one about the forge; nothing where they have never run."""
    from regime3.forge.shard import noted
    from regime3.judge.ledger import standing_of
    from regime3.judge.view import summary

    lines, now, last = [], time.time(), standing_of(lab).last
    if last is not None:
        case = summary(lab)["case"]
        text = f"champion: checkpoint {last.champion}; last verdict: checkpoint {last.seal}"
        text += f" {last.word}, {human_time(max(0.0, now - last.at))} ago"
        if case is not None:
            text += (
                f"; judging {case['seal']}: {case['wins']} won, {case['losses']} lost"
                f" of {case['pairs']}"
            )
        lines.append(text)
    shards = noted(lab, 1)
    if shards:
        made = shards[-1]
        ago = human_time(max(0.0, now - made["at"]))
        lines.append(f"forge: shard {made['shard']} with {made['rows']:,} rows, {ago} ago")
    return lines
