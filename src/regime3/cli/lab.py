"""`r3 init` and `r3 config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from regime3 import config
from regime3.cli.output import Json, LabOption, SetOption, console, find_lab, flags_of, show, table


def init(
    root: Annotated[
        Path, typer.Argument(metavar="LAB", help="Folder to make; must be new or empty.")
    ],
    model: Annotated[
        str | None, typer.Option(help="A model folder, a .gguf file, or a hub id.")
    ] = None,
    nano: Annotated[
        bool, typer.Option("--nano", help="The tiny model that ships with r3.")
    ] = False,
    codes: Annotated[
        bool,
        typer.Option("--codes", help="Give the model the codes of regime 3; the nano has them."),
    ] = False,
    set_: SetOption = None,
    json: Json = False,
) -> None:
    """Make a lab: folders, documented settings, base model, first checkpoint."""
    from regime3.genesis import NANO_SETTINGS, found_lab

    if nano == (model is not None):
        raise typer.BadParameter("give either --nano or --model, and one of them")
    overrides: dict[str, Any] = dict(NANO_SETTINGS) if nano else {}
    checked = config.load(None, environment={}, flags=flags_of(set_))
    for key in flags_of(set_):
        section, name = key.split(".")
        overrides[key] = getattr(getattr(checked.settings, section), name)
    model_name = "nano" if nano else Path(str(model)).name
    if not json:
        console.print(f"reading {model_name} …")
    seal = found_lab(root.absolute(), writer_of(model, codes), overrides, model_name)
    show(
        {"lab": str(root), "model": model_name, "checkpoint": seal.number},
        json,
        lambda: console.print(
            f"made {root} with {model_name}, sealed as checkpoint {seal.number}\n"
            f"  next: r3 up --lab {root}      then drop *.jsonl into {root}/inbox"
        ),
    )


def writer_of(model: str | None, codes: bool = False) -> Any:
    """What fills a base model's folder; None is the nano model. Torch is imported only then."""

    def write(target: Path) -> None:
        if model is None:
            from regime3.model.nano import build_nano

            build_nano(target)
        else:
            from regime3.lang import codebook
            from regime3.model.importing import import_model

            import_model(model, target, codebook.shipped() if codes else None)

    return write


def config_command(
    lab: LabOption = None,
    origin: Annotated[
        bool, typer.Option("--origin", help="Say where each value comes from.")
    ] = False,
    set_: SetOption = None,
    json: Json = False,
) -> None:
    """Show every setting as resolved: file < REGIME3_* environment < --set."""
    resolved = config.load(find_lab(lab).settings_file, flags=flags_of(set_))
    rows = [
        [f"{section}.{name}", repr(value), resolved.origins[f"{section}.{name}"]]
        for section, body in resolved.settings.as_dict().items()
        for name, value in body.items()
    ]
    values = {key: {"value": value, "origin": place} for key, value, place in rows}
    if not origin:
        rows = [row[:2] for row in rows]
    columns = ["setting", "value", "origin"][: len(rows[0])]
    show(values, json, lambda: table("", columns, rows))
