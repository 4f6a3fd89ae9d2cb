"""`r3 data check FILE` and `r3 data show FILE --row N`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regime3.cli.output import Json, LabOption

app = typer.Typer(help="Look at data before it trains.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="A JSONL file, admitted or not.")],
    lab: LabOption = None,
    rows: Annotated[int | None, typer.Option(help="Only the first rows.")] = None,
    json: Json = False,
) -> None:
    """Rows, token lengths, what would be buried and why. Exit code 1 when something would be."""
    from regime3.cli.data_view import run_check

    raise typer.Exit(run_check(file, lab, rows, json))


@app.command()
def show(
    file: Annotated[Path, typer.Argument(help="A JSONL file, admitted or not.")],
    row: Annotated[int, typer.Option("--row", help="1-based line of the row.")] = 1,
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """One row as the model sees it, supervised tokens in colour."""
    from regime3.cli.data_view import run_show

    run_show(file, lab, row, json)
