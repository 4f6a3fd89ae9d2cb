"""`r3 bench NAME`: measure, print, judge nothing."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from regime3.cli.output import Json, console, table


def bench(
    name: Annotated[
        str,
        typer.Argument(
            help="admit, first-step, train, status, tokens, codec, mask, regimes, node, swap, "
            "improve or web."
        ),
    ],
    full: Annotated[
        bool, typer.Option("--full/--quick", help="More runs; what docs quote.")
    ] = False,
    json: Json = False,
) -> None:
    """Measure this machine. Exit code 0 when it measured, whatever the figures are."""
    from regime3.bench import measure

    result = measure(name, quick=not full)
    if json:
        print(json_format.dumps(result, ensure_ascii=False))
        return
    rows = []
    for figure, value in _flat(result["figures"]):
        low, high = result["spread"].get(figure) or (None, None)
        spread = "" if low is None else f"{low:,.4g} to {high:,.4g}"
        shown = "not measured" if value is None else f"{value:,.4g}"
        meaning = result["meaning"].get(figure) or result["meaning"].get(figure.split(".")[0], "")
        rows.append([figure, shown, spread, meaning])
    table(
        f"{name}: {result['runs']} runs, {result['seconds']:.0f} s",
        ["figure", "median", "min to max", "meaning"],
        rows,
    )
    for note in result["notes"]:
        console.print(f"note: {note}")
    console.print(f"again: {result['command']}")


def _flat(figures: dict[str, Any], before: str = "") -> Iterator[tuple[str, float | None]]:
    """Figures in figures by their path, such as 3.flops.em."""
    for name, value in figures.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
