"""Putting data in and looking after it: `r3 add`, `r3 queue …`, `r3 skip`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from regime3.cli.output import (
    Json,
    LabOption,
    bytes_progress,
    console,
    find_lab,
    settings_of,
    show,
    table,
)
from regime3.clock import SystemClock
from regime3.errors import InputRefused
from regime3.paths import LANES, Lab
from regime3.records.files import Lane, Sidecar
from regime3.spool import Spool, place_in_inbox
from regime3.vault import Vault

app = typer.Typer(help="The queue: what waits, what trains, what was trained, and the books.")
FileArgument = Annotated[
    str, typer.Argument(metavar="FILE", help="Name (its first pass), or the start of an id.")
]


def add(
    files: Annotated[list[Path], typer.Argument(help="JSONL files to train on.")],
    priority: Annotated[str, typer.Option(help="high, normal or low.")] = "normal",
    passes: Annotated[int | None, typer.Option(help="Train each file so often.")] = None,
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Copy files into the inbox, whole or not at all."""
    where = find_lab(lab)
    lane = _checked_lane(priority)
    limit = settings_of(where).queue.passes_max
    if passes is not None and not 1 <= passes <= limit:
        raise typer.BadParameter(f"{passes}: want 1 to {limit}", param_hint="--passes")
    placed = []
    for file in files:
        if not file.is_file():
            raise InputRefused("no such file", file=str(file))
        bar, advance = bytes_progress(file.name, file.stat().st_size, quiet=json)
        sidecar = Sidecar(passes=passes) if passes is not None else None
        if bar is not None:
            with bar:
                placed.append(place_in_inbox(where, file, lane, sidecar, advance))
        else:
            placed.append(place_in_inbox(where, file, lane, sidecar, advance))
    names = [str(path.relative_to(where.root)) for path in placed]
    show({"placed": names}, json, lambda: console.print("\n".join(f"in {name}" for name in names)))


@app.callback(invoke_without_command=True)
def queue(context: typer.Context, lab: LabOption = None, json: Json = False) -> None:
    """Without a verb: list the queue with its books."""
    if context.invoked_subcommand is None:
        list_files(lab, None, json)


@app.command("list")
def list_files(
    lab: LabOption = None,
    file: Annotated[str | None, typer.Option(help="Only this file, with its buried rows.")] = None,
    json: Json = False,
) -> None:
    """Files in training order, the inbox's waiting things, and the books."""
    where = find_lab(lab)
    spool, ledger = _spool(where), Vault(where, SystemClock()).head().ledger
    books = spool.books(ledger)
    chosen = {spool.find(file).id} if file else None
    accounts = [item for item in books.files if chosen is None or item.id in chosen]
    notes = [msgspec.to_builtins(note) for note in spool.inbox_notes()]
    result = {
        "files": [msgspec.to_builtins(item) for item in accounts],
        "total": msgspec.to_builtins(books.total),
        "books_ok": books.ok,
        "inbox": notes,
    }
    if chosen:
        result["buried"] = [msgspec.to_builtins(row) for row in spool.buried(next(iter(chosen)))]
    show(result, json, lambda: _print_queue(result))


def _print_queue(result: dict[str, Any]) -> None:
    columns = ["id", "state", "lane", "pass", "rows", "trained", "buried", "pending", "name"]
    rows = [[_cell(item, column) for column in columns] for item in result["files"]]
    table("", columns, rows)
    total = result["total"]
    verdict = "" if result["books_ok"] else "  THE BOOKS DO NOT BALANCE: r3 doctor"
    console.print(
        f"books: {total['rows']:,} admitted = {total['trained']:,} trained + {total['buried']:,} "
        f"buried + {total['pending']:,} pending + {total['set_aside']:,} set aside{verdict}"
    )
    for note in result["inbox"]:
        advice = f"; {note['next_command']}" if note["next_command"] else ""
        console.print(f"inbox: {note['name']}: {note['reason']}{advice}", markup=False)
    for row in result.get("buried", []):
        console.print(f"buried: line {row['line']}: {row['reason']}")


def _cell(item: dict[str, Any], column: str) -> Any:
    if column == "pass":
        return f"{item['pass_number']}/{item['passes']}"
    return item["id"][:12] if column == "id" else item[column]


@app.command()
def move(
    file: FileArgument,
    lane: Annotated[str, typer.Argument(help="high, normal or low.")],
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Give a file another priority; it counts from the next window."""
    _ask(find_lab(lab), "move", file, json, lane=_checked_lane(lane))


@app.command("skip")
def skip_file(file: FileArgument, lab: LabOption = None, json: Json = False) -> None:
    """Stop training a file; the rest of it is set aside until `r3 queue retry`."""
    _ask(find_lab(lab), "skip", file, json)


@app.command()
def retry(file: FileArgument, lab: LabOption = None, json: Json = False) -> None:
    """Go on with a skipped, removed or failed file where it was."""
    _ask(find_lab(lab), "retry", file, json)


@app.command()
def remove(file: FileArgument, lab: LabOption = None, json: Json = False) -> None:
    """Take a file out of the queue; what was trained of it stays trained."""
    _ask(find_lab(lab), "remove", file, json)


@app.command()
def books(lab: LabOption = None, json: Json = False) -> None:
    """admitted = trained + buried + pending + set aside; exit code 1 when it does not hold."""
    where = find_lab(lab)
    found = _spool(where).books(Vault(where, SystemClock()).head().ledger)
    total = msgspec.to_builtins(found.total)
    show(
        {"total": total, "ok": found.ok},
        json,
        lambda: table("", list(total), [list(total.values())]),
    )
    raise typer.Exit(0 if found.ok else 1)


def skip(lab: LabOption = None, json: Json = False) -> None:
    """Skip the file that trains now."""
    from regime3.cli.look import read_status

    where = find_lab(lab)
    status = read_status(where)
    if not status.get("current_file_id"):
        raise InputRefused("no file is being trained", next_command="r3 queue")
    _ask(where, "skip", status["current_file_id"], json)


def _ask(where: Lab, verb: Any, file: str, json: bool, lane: Lane = "normal") -> None:
    """Hand a request to the trainer, or obey it here when none runs."""
    from regime3.acting import Act, act

    meta = _spool(where).find(file)
    done = act(where, settings_of(where), Act(verb, id=meta.id, lane=lane))
    result = {"verb": verb, "id": meta.id, "name": meta.name, "done": done.done}
    show(result, json, lambda: console.print(done.text))


def _spool(where: Lab) -> Spool:
    return Spool(where, settings_of(where), SystemClock())


def _checked_lane(lane: str) -> Lane:
    if lane not in LANES:
        raise typer.BadParameter(f"{lane!r}: want high, normal or low")
    return lane  # type: ignore[return-value]
