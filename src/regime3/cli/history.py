"""How it came to be: `r3 report`, `r3 export`, `r3 evolution` and `r3 lineage`."""

from __future__ import annotations

import csv
import io
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from regime3 import disk
from regime3.cli.output import (
    Json,
    LabOption,
    console,
    find_lab,
    settings_of,
    show,
    steps_progress,
    table,
)


def report(
    export: Annotated[Path | None, typer.Option(help="Write it to this file, as Markdown.")] = None,
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """What this lab has done: curve, verdicts, what was generated, admitted and buried."""
    from regime3.report import markdown, view

    found = view(find_lab(lab))
    if export is not None:
        disk.write_text(export, markdown(found))
    show(found, json, lambda: console.print(markdown(found), markup=False, soft_wrap=True))


class Kind(StrEnum):
    """What a stretch of history is written as."""

    CSV = "csv"
    HTML = "html"
    TENSORBOARD = "tensorboard"


def export(
    to: Annotated[Path, typer.Argument(help="FILE.csv, FILE.html, or a folder for TensorBoard.")],
    kind: Annotated[
        Kind | None, typer.Option("--as", help="What to write. Default: as the name ends.")
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="First step.")] = 0,
    last: Annotated[int | None, typer.Option(min=0, help="Last step. Default: newest.")] = None,
    points: Annotated[
        int | None, typer.Option(min=1, max=5000, help="Stretches of steps. Default: 1,000.")
    ] = None,
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """The curves to take away: a table, a page in one file, or TensorBoard's event files.

    TensorBoard gets the whole history, each step by itself where it is still kept so.
    """
    from regime3 import export as made
    from regime3.status.history_files import HistoryFiles

    where = find_lab(lab)
    if kind is None:
        endings = {".csv": Kind.CSV, ".html": Kind.HTML, "": Kind.TENSORBOARD}
        kind = endings.get(to.suffix)
    if kind is None:
        raise typer.BadParameter(f"{to.name} ends neither in .csv nor in .html", param_hint="--as")
    if kind is Kind.TENSORBOARD:
        newest = HistoryFiles(where).last_step() or 0
        with steps_progress("tensorboard", newest, json) as told:
            count = made.to_tensorboard(where, to, told)
        found = {"written": str(to), "values": count}
    else:
        table = made.stretch(where, first, last, points or made.POINTS)
        page = kind is Kind.HTML
        text = made.as_html(where, table, time.time()) if page else made.as_csv(table)
        disk.write_text(to, text)
        found = {"written": str(to), "stretches": len(table)}
    show(found, json, lambda: console.print(", ".join(f"{k}: {v}" for k, v in found.items())))


def evolution(
    probe: Annotated[
        str | None, typer.Argument(help="A probe (FAMILY:LEVEL:INDEX:REGIME): its answers.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Write the curves to this CSV file.")] = None,
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """How the same problems were answered by every checkpoint that was judged."""
    from regime3.evolution.story import history, sheets, view

    where = find_lab(lab)
    if probe is not None:
        answers = history(sheets(where), probe)
        show({"probe": probe, "answers": answers}, json, lambda: _print_probe(probe, answers))
        return
    found = view(where)
    if export is not None:
        disk.write_text(export, _as_csv(found))
    show(found, json, lambda: _print_curves(found))


def _as_csv(found: dict[str, Any]) -> str:
    out = io.StringIO()
    names = ["cell", "seal", "step", "solved", "right", "steps_valid", "tokens", "probes"]
    lines = csv.DictWriter(out, names, lineterminator="\n")
    lines.writeheader()
    for cell, points in sorted(found["curves"].items()):
        lines.writerows({"cell": cell, **point} for point in points)
    return out.getvalue()


def _print_probe(probe: str, answers: list[dict[str, Any]]) -> None:
    rows = [
        [
            each["seal"],
            each["step"],
            "✓" if each["valid"] else f"✗ step {each['bad_step']}",
            each["canonical"] or f"{each['thought']} {each['answer']}".strip(),
            each["reason"],
        ]
        for each in answers
    ]
    table(probe, ["checkpoint", "step", "verdict", "wrote", "why not"], rows)


def _print_curves(found: dict[str, Any]) -> None:
    rows = []
    for cell, points in sorted(found["curves"].items()):
        shares = [f"{point['solved']:.0%}" for point in points]
        rows.append([cell, shares[0], shares[-1], " ".join(shares[-12:])])
    table("solved", ["family:level:regime", "first", "last", "the last twelve"], rows)
    console.print(
        f"{len(found['checkpoints'])} checkpoints; {len(found['first_solved'])} problems ever "
        f"solved, {len(found['regressions'])} of them not by the last"
    )


def lineage(
    what: Annotated[
        str,
        typer.Argument(
            help="A row (FILE:LINE), a checkpoint (its number), or an answer (its "
            "system_fingerprint)."
        ),
    ],
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """From an answer to checkpoint, shards, rows, problems and verdicts; and back."""
    from regime3.lineage import trace

    where = find_lab(lab)
    found = trace(where, settings_of(where), what)
    show(found, json, lambda: _print_lineage(found))


def _print_lineage(found: dict[str, Any]) -> None:
    for name, value in found.items():
        if isinstance(value, list):
            console.print(f"[bold]{name}[/bold]: {len(value)}")
            for each in value:
                console.print(f"  {_line(each)}", soft_wrap=True, markup=False)
        elif value is not None:
            console.print(f"[bold]{name}[/bold]")
            console.print(f"  {_line(value)}", soft_wrap=True, markup=False)


def _line(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    return " · ".join(f"{name} {each}" for name, each in value.items() if each not in (None, []))
