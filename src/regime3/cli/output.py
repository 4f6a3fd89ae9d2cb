"""What verbs share: finding the lab or the codebook, `--json`, tables, progress, waiting."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from regime3 import config
from regime3.errors import LabError
from regime3.paths import SETTINGS_NAME, Lab

if TYPE_CHECKING:
    from regime3.lang.codebook import Codebook

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
LabOption = Annotated[
    Path | None,
    typer.Option(
        "--lab",
        help="The lab's folder. Default: REGIME3_LAB, this folder or one above it, ./lab.",
        show_default=False,
    ),
]
CodebookOption = Annotated[
    Path | None,
    typer.Option("--codebook", help="A codebook file. Default: the shipped one."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Override a setting; repeatable."),
]

# File names, prompts and reasons are shown as they are: never markup, never folded when piped.
console = Console(markup=False, highlight=False, soft_wrap=not sys.stdout.isatty())
errors = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def find_lab(given: Path | None) -> Lab:
    """The lab meant, or `LabError` with how to make one."""
    named = given or (Path(os.environ["REGIME3_LAB"]) if "REGIME3_LAB" in os.environ else None)
    here = Path.cwd()
    for folder in [named] if named else [here, *here.parents, here / "lab"]:
        if (folder / SETTINGS_NAME).is_file():
            return Lab(folder.resolve())
    where = named or here
    raise LabError(f"{where} is not a lab (no {SETTINGS_NAME})", f"r3 init {named or 'lab'} --nano")


def find_codebook(given: Path | None) -> Codebook:
    """The codebook meant: a file, or the shipped one."""
    from regime3.lang import codebook

    return codebook.load(given) if given else codebook.shipped()


def flags_of(pairs: list[str] | None) -> dict[str, str]:
    """`--set` pairs as a mapping; a pair without '=' is wrong usage."""
    found = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals:
            raise typer.BadParameter(f"{pair!r}: want SECTION.NAME=VALUE", param_hint="--set")
        found[key.strip()] = value.strip()
    return found


def settings_of(lab: Lab, pairs: list[str] | None = None) -> config.Settings:
    """The lab's resolved settings."""
    return config.load(lab.settings_file, flags=flags_of(pairs)).settings


def show(value: Any, as_json: bool, human: Callable[[], None]) -> None:
    """One result, printed for a machine or for a person."""
    if as_json:
        print(json.dumps(value, ensure_ascii=False, default=str))
    else:
        human()


def table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """A plain table; numbers to the right."""
    grid = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for number, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[number], int | float) for row in rows)
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        grid.add_row(*[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row])
    console.print(grid)


def bytes_progress(
    label: str, total: int, quiet: bool
) -> tuple[Progress | None, Callable[[int], None]]:
    """A bar on a terminal; nothing when piped or asked for JSON. Start it with `with`."""
    if quiet or not sys.stderr.isatty():
        return None, lambda _: None
    bar = Progress(
        TextColumn(label), BarColumn(), DownloadColumn(), TimeRemainingColumn(), console=errors
    )
    task = bar.add_task(label, total=total)
    return bar, lambda amount: bar.advance(task, amount)


@contextlib.contextmanager
def steps_progress(label: str, total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Told how far it is: a bar on a terminal, a line a tenth when piped, nothing for JSON."""
    if quiet:
        yield lambda _: None
    elif errors.is_terminal:
        columns = [TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        with Progress(*columns, console=errors) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.update(task, completed=done)
    else:
        said = 0

        def tell(done: int) -> None:
            nonlocal said
            if 10 * done // max(1, total) > said:
                said = 10 * done // max(1, total)
                errors.print(f"{label}: {done:,} of {total:,} steps")

        yield tell


def human_size(size_bytes: float) -> str:
    """1234567 as '1.2 MB'."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def human_time(seconds: float | None) -> str:
    """Seconds as '3 h 5 min'; None as 'not known'."""
    if seconds is None:
        return "not known"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
