"""`r3 checkpoints` and `r3 rollback`."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
import typer

from regime3.cli.output import (
    Json,
    LabOption,
    console,
    find_lab,
    human_size,
    settings_of,
    show,
    table,
)
from regime3.clock import SystemClock
from regime3.vault import Vault

app = typer.Typer(help="Checkpoints: list, verify.", invoke_without_command=True)


@app.callback(invoke_without_command=True)
def checkpoints(
    lab: LabOption = None,
    verify: Annotated[bool, typer.Option("--verify", help="Hash every file of each.")] = False,
    ledger: Annotated[
        bool, typer.Option("--ledger", help="The judge's verdicts, with what they rest on.")
    ] = False,
    json: Json = False,
) -> None:
    """List checkpoints, newest last. Exit code 1 when --verify finds a damaged one."""
    where = find_lab(lab)
    if ledger:
        from regime3.judge.view import view

        found = view(where)
        show(found, json, lambda: _print_ledger(found))
        return
    entries = [
        msgspec.to_builtins(entry) for entry in Vault(where, SystemClock()).list(deep=verify)
    ]
    show({"checkpoints": entries}, json, lambda: _print(entries))
    damaged = verify and any(entry["state"] == "damaged" for entry in entries)
    raise typer.Exit(1 if damaged else 0)


def _print(entries: list[dict[str, Any]]) -> None:
    rows = []
    for entry in entries:
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["created_at"] or 0))
        size = human_size(entry["size_bytes"])
        loss = entry.get("validation_loss")
        loss_text = "" if loss is None else f"{loss:.4f}"
        parent = "" if entry["parent"] is None else entry["parent"]
        rows.append(
            [
                entry["number"],
                entry["state"],
                entry["step"],
                str(parent),
                loss_text,
                size,
                made,
                entry["reason"],
            ]
        )
    table("", ["number", "state", "step", "parent", "validation", "size", "made", "why"], rows)


def _print_ledger(found: dict[str, Any]) -> None:
    rows = []
    for each in found["verdicts"]:
        overall = each["overall"] or {}
        score = f"{overall['wins']}:{overall['losses']} of {overall['pairs']}" if overall else ""
        made = time.strftime("%Y-%m-%d %H:%M", time.localtime(each["at"]))
        rows.append(
            [
                each["number"],
                made,
                each["seal"],
                each["step"],
                each["word"],
                score,
                each["champion"],
                each["by"],
                each["reason"],
            ]
        )
    names = ["number", "at", "checkpoint", "step", "verdict", "won:lost", "champion", "by", "why"]
    table("", names, rows)
    chance = found["false_promotions"]
    console.print(f"expected false promotions so far, if nothing ever got better: {chance:g}")


def promote(
    number: Annotated[int, typer.Argument(help="The checkpoint that is to be champion.")],
    reason: Annotated[str, typer.Option(help="Kept in the ledger.")] = "asked by the user",
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Make a checkpoint the champion, whatever the judge says. The trainer goes on as it is."""
    from regime3.acting import Act, act

    where = find_lab(lab)
    done = act(where, settings_of(where), Act("promote", number=number, reason=reason))
    show(
        {"champion": number, "verdict": done.number, "loop_runs": done.done},
        json,
        lambda: console.print(done.text),
    )


def rollback(
    number: Annotated[int, typer.Argument(help="The checkpoint to go back to.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reason: Annotated[str, typer.Option(help="Kept in the records.")] = "asked by the user",
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Make a new head with the state of an older checkpoint; later ones are left, not deleted."""
    from regime3.acting import Act, act

    where = find_lab(lab)
    target = Vault(where, SystemClock()).open(number)
    if not yes and not json:
        typer.confirm(
            f"Go back to checkpoint {number} (step {target.manifest.step})? Rows trained since "
            "will train again.",
            abort=True,
        )
    done = act(where, settings_of(where), Act("rollback", number=number, reason=reason))
    show(
        {"target": number, "done": done.done, "head": done.number},
        json,
        lambda: console.print(done.text),
    )
