"""`r3 token create|list|revoke`."""

from __future__ import annotations

import time
from typing import Annotated, cast

import typer

from regime3.cli.output import Json, LabOption, console, find_lab, show, table

app = typer.Typer(
    help="Tokens of the node: who may ask it, and who may change it.", no_args_is_help=True
)


@app.command()
def create(
    scope: Annotated[
        str, typer.Argument(metavar="admin|inference", help="admin: all; inference: ask models.")
    ],
    name: Annotated[str, typer.Option(help="Whose it is, to tell them apart.")] = "",
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Make a token and print it, this once: only its digest is kept.

    From then on the node asks everyone for a token, callers on this machine too."""
    from regime3.serve.tokens import PREFIXES, Scope, TokenFile

    if scope not in PREFIXES:
        raise typer.BadParameter(f"{scope!r}: use admin or inference", param_hint="SCOPE")
    text, token = TokenFile(find_lab(lab)).create(cast(Scope, scope), name, time.time())
    show({"token": text, **token.shown()}, json, lambda: console.print(text))


@app.command("list")
def list_(lab: LabOption = None, json: Json = False) -> None:
    """Show every token: id, scope, name, age; never the token itself."""
    from regime3.serve.tokens import TokenFile

    tokens = TokenFile(find_lab(lab)).all()
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
    """Forget a token; a running node refuses it from its next request on.

    With the last token gone, a node on loopback is open to this machine again."""
    from regime3.serve.tokens import TokenFile

    file = TokenFile(find_lab(lab))
    token = file.revoke(token_id)
    left = len(file.all())
    note = "" if left else "; it was the last one: a node on loopback is open to this machine"
    show(
        {"revoked": token.shown(), "left": left},
        json,
        lambda: console.print(f"revoked {token.id} ({token.scope} {token.name}){note}"),
    )


def _day(at: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(at))
