"""`r3 codebook learn|show|diff`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from regime3.cli.output import Json, console, find_codebook, show, table

app = typer.Typer(help="The codebook: what each code stands for.", no_args_is_help=True)


@app.command()
def learn(
    target: Annotated[Path, typer.Argument(help="Where to write the codebook (JSON).")],
    per_level: Annotated[
        int, typer.Option(help="Training problems of each family and level.", min=1)
    ] = 600,
    strategy: Annotated[int, typer.Option(help="0: no prediction; 1; 2.", min=0, max=2)] = 2,
    json: Json = False,
) -> None:
    """Learn macros from the task families. The defaults rebuild the shipped one, bit for bit."""
    from regime3.tasks import corpus

    book = corpus.learn(per_level, strategy, tell=_tell)
    book.save(target)
    found = {"codebook": str(target), "sha256": book.name, "macros": len(book.macros)}
    show(found, json, lambda: console.print(f"{target}: {len(book.macros)} macros, {book.name}"))


def _tell(line: str) -> None:
    typer.echo(line, err=True)


@app.command("show")
def show_command(
    codebook: Annotated[
        Path | None, typer.Argument(help="A codebook file. Default: the shipped one.")
    ] = None,
    macros: Annotated[bool, typer.Option("--macros", help="Only learned macros.")] = False,
    json: Json = False,
) -> None:
    """Every code: its name, what it expands to, its type."""
    from regime3.lang.listing import rows_of

    book = find_codebook(codebook)
    rows = rows_of(book, macros)
    value = {"sha256": book.name, "version": book.version, "strategy": book.strategy, "codes": rows}
    columns = ["code", "name", "expansion", "type"]
    show(
        value,
        json,
        lambda: table(
            f"codebook {book.name[:12]}, {book.version}, {len(book.macros)} macros",
            columns,
            [[row[column] for column in columns] for row in rows],
        ),
    )


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(help="A codebook file.")],
    new: Annotated[Path | None, typer.Argument(help="Another. Default: the shipped one.")] = None,
    json: Json = False,
) -> None:
    """What changed between two codebooks. Exit code 1 when they differ."""
    from regime3.lang.listing import differences

    found = differences(find_codebook(old), find_codebook(new))

    def human() -> None:
        for line in found["lines"]:
            console.print(line)

    show(found, json, human)
    raise typer.Exit(0 if found["same"] else 1)
