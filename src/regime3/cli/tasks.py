"""`r3 tasks list`, `r3 tasks sample FAMILY` and `r3 tasks score MODEL`."""

from __future__ import annotations

import json as json_format
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from regime3.cli.output import CodebookOption, Json, console, find_codebook, show, table

app = typer.Typer(help="The task families: problems with checked reasoning.", no_args_is_help=True)


@app.command("list")
def list_command(json: Json = False) -> None:
    """The families, their kinds of problem, and an example of an easy and a hard one."""
    from regime3 import tasks

    rows = []
    for name, family in tasks.FAMILIES.items():
        easy = tasks.sample(name, 1, "train", 0)
        hard = tasks.sample(name, family.levels, "train", 0)
        rows.append(
            {
                "family": name,
                "title": family.title,
                "kinds": list(family.kinds),
                "levels": family.levels,
                "easy": easy.prompt,
                "hard": hard.prompt,
            }
        )

    def human() -> None:
        table(
            "task families",
            ["family", "what", "levels", "level 1, for example"],
            [[row["family"], row["title"], row["levels"], row["easy"]] for row in rows],
        )

    show(rows, json, human)


@app.command()
def sample(
    family: Annotated[str, typer.Argument(help="A family's name, or 'all'.")],
    level: Annotated[str, typer.Option(help="A level from 1 to 10, or a range such as 1-4.")] = "1",
    count: Annotated[int, typer.Option(help="Problems of each level.", min=1)] = 1,
    start: Annotated[int, typer.Option(help="Index of the first one.", min=0)] = 0,
    split: Annotated[
        Literal["train", "heldout", "sealed"], typer.Option(help="Which split to draw from.")
    ] = "train",
    regime: Annotated[
        Literal["1", "2", "3", "all"],
        typer.Option(help="English, S-expressions, codes, or all three."),
    ] = "2",
    rows: Annotated[
        bool, typer.Option("--rows", help="Print chat rows that `r3 add` takes, one a line.")
    ] = False,
    codebook: CodebookOption = None,
    json: Annotated[bool, typer.Option("--json", help="The same as --rows.")] = False,
) -> None:
    """Problems with their oracle's reasoning; the same options give the same problems, always.

    [bold]r3 tasks sample all --level 1-3 --count 500 --regime 3 --rows > tasks.jsonl[/bold]

    [bold]r3 add tasks.jsonl[/bold]
    """
    from regime3 import tasks
    from regime3.cli.tasks_view import as_text, families_of, levels_of
    from regime3.tasks.rows import row

    book = find_codebook(codebook)
    regimes = (1, 2, 3) if regime == "all" else (int(regime),)
    drawn = 0
    for name in families_of(family):
        for each in levels_of(level, name):
            for index in range(start, start + count):
                found = tasks.sample(name, each, split, index)
                drawn += 1
                if drawn % 1000 == 0 and sys.stderr.isatty():
                    print(f"{drawn:,} problems", file=sys.stderr)
                if rows or json:
                    for one in regimes:
                        print(json_format.dumps(row(found, one, book), ensure_ascii=False))
                else:
                    console.print(as_text(found, regimes, book))


@app.command()
def score(
    model: Annotated[
        Path | None,
        typer.Argument(help="A model folder. Default: the package's nano.", show_default=False),
    ] = None,
    families: Annotated[
        str, typer.Option(help="Families' names with commas between them, or 'all'.")
    ] = "all",
    levels: Annotated[str, typer.Option(help="A level from 1 to 10, or a range.")] = "1-3",
    regime: Annotated[
        Literal["1", "2", "3", "all"],
        typer.Option(help="English, S-expressions, codes, or all three."),
    ] = "all",
    count: Annotated[int, typer.Option(help="Problems of each level.", min=1)] = 20,
    split: Annotated[
        Literal["train", "heldout", "sealed"], typer.Option(help="Which split to draw from.")
    ] = "heldout",
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print tables for a document.")
    ] = False,
    json: Json = False,
) -> None:
    """What a model can do: problems answered greedily, every step and answer checked.

    [bold]r3 tasks score lab/models/current_model --regime 3 --levels 1-5[/bold]
    """
    from regime3.cli import tasks_score

    wanted = tasks_score.Wanted(
        families=tasks_score.several(families),
        levels=levels,
        regimes=(1, 2, 3) if regime == "all" else (int(regime),),
        count=count,
        split=split,
    )
    found = tasks_score.scored(model, wanted)
    show(found.as_dict(), json, lambda: tasks_score.tell(found, as_markdown))
