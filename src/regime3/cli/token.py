"""`r3 token create|list|revoke`."""

from __future__ import annotations

import time
from typing import Annotated, cast

import typer

from regime3.cli.output import Json, LabOption, console, find_lab, show, table

app = typer.Typer(
    help="Tokens of node and viewer: who may ask, look, and change something.", no_args_is_help=True
)


@app.command()
def create(
    scope: Annotated[
        str,
        typer.Argument(
            metavar="admin|inference|control|view",
            help="Of the node: admin, all; inference, ask models. Of the viewer: control, act from "
            "the pages; view, look, where a token is asked for.",
        ),
    ],
    name: Annotated[str, typer.Option(help="Whose it is, to tell them apart.")] = "",
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Make a token and print it, this once: only its digest is kept.

    With the first one of its own, the node asks everyone for a token, callers on this machine
    too. The viewer always asks for one where something is changed."""
    from regime3.tokens import DOORS, Scope, TokenFile

    if scope not in DOORS:
        known = ", ".join(DOORS)
        raise typer.BadParameter(f"{scope!r}: use one of {known}", param_hint="SCOPE")
    file = TokenFile(find_lab(lab), DOORS[scope])
    text, token = file.create(cast(Scope, scope), name, time.time())
    show({"token": text, **token.shown()}, json, lambda: console.print(text))


@app.command("list")
def list_(lab: LabOption = None, json: Json = False) -> None:
    """Show every token: id, scope, name, age; never the token itself."""
    from regime3.tokens import TokenFile

    where = find_lab(lab)
    tokens = [*TokenFile(where).all(), *TokenFile(where, "viewer").all()]
    rows = [[token.id, token.scope, token.name, _day(token.made_at)] for token in tokens]
    show(
        {"tokens": [token.shown() for token in tokens]},
        json,
        lambda: (
            table("", ["id", "scope", "name", "made"], rows)
            if rows
            else console.print("no tokens: a node on loopback is open to this machine")
        ),
    )


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As `r3 token list` shows it.")],
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Forget a token; a running node or viewer refuses it from its next request on.

    With its last token gone, a node on loopback is open to this machine again."""
    from regime3.tokens import TokenFile

    where = find_lab(lab)
    viewer = TokenFile(where, "viewer")
    file = viewer if token_id in {each.id for each in viewer.all()} else TokenFile(where)
    token = file.revoke(token_id)
    left = len(file.all())
    last = file is not viewer and not left
    note = "; it was the last one: a node on loopback is open to this machine" if last else ""
    show(
        {"revoked": token.shown(), "left": left},
        json,
        lambda: console.print(f"revoked {token.id} ({token.scope} {token.name}){note}"),
    )


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))
