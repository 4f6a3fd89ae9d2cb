"""`r3 push`: a checkpoint to a node."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from regime3.cli.output import (
    Json,
    LabOption,
    SetOption,
    bytes_progress,
    console,
    find_lab,
    human_size,
    settings_of,
    show,
)
from regime3.clock import SystemClock
from regime3.errors import Unavailable
from regime3.vault import Vault

HEAD = "head"


def push(
    checkpoint: Annotated[str, typer.Argument(help="A number, or head.")] = HEAD,
    to: Annotated[
        str | None, typer.Option(envvar="R3_URL", help="Its address. Default: node.push_to.")
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(envvar="R3_TOKEN", help="Its admin token. Default: node.push_token."),
    ] = None,
    activate: Annotated[
        bool, typer.Option("--activate", help="Make it the node's champion.")
    ] = False,
    model_id: Annotated[
        str | None, typer.Option("--id", help="The model's id there. Default: by checkpoint.")
    ] = None,
    lab: LabOption = None,
    set_: SetOption = None,
    json: Json = False,
) -> None:
    """Export a checkpoint in bf16 and send it to a node; goes on where a cut push ended."""
    from regime3.ship.push import Node
    from regime3.ship.push import push as push_seal

    where = find_lab(lab)
    settings = settings_of(where, set_).node
    url = to or settings.push_to
    if not url:
        raise Unavailable("no node is named", "r3 push --to http://127.0.0.1:8765")
    if checkpoint != HEAD and not checkpoint.isdigit():
        raise typer.BadParameter("want a number or head", param_hint="CHECKPOINT")
    vault = Vault(where, SystemClock())
    seal = vault.head() if checkpoint == HEAD else vault.open(int(checkpoint))
    bar, advance = bytes_progress("push", seal.size_bytes, json)
    before: dict[str, int] = {}

    def tell(what: str, done: int, total: int) -> None:
        if bar is not None and what not in before:
            bar.update(bar.task_ids[0], description=what, completed=0, total=total)
        advance(done - before.get(what, 0))
        before[what] = done

    with Node(url, settings.push_token if token is None else token) as node:
        if bar is not None:
            bar.start()
        try:
            pushed = push_seal(
                where, seal, node, model_id=model_id, activate=activate, progress=tell
            )
        finally:
            if bar is not None:
                bar.stop()
    text = f"{pushed.id} is on the node ({human_size(pushed.size_bytes)})"
    if pushed.activation is not None:
        text += f" and answers, after {pushed.activation['total_s']:.2f} s"
    value = {"checkpoint": seal.number, **msgspec.to_builtins(pushed)}
    show(value, json, lambda: console.print(text))
