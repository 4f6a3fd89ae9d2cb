"""Jobs of a node from the command line: `r3 eval` and `r3 generate`. They ask over HTTP and watch.

    r3 eval tasks:arithmetic:1-3 --regime 3 --url http://127.0.0.1:8765
    r3 generate lists:2 --problems 200 --attempts 8 --out lists.jsonl

Ctrl-C leaves the job running on the node; `--cancel` ends it instead.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from regime3 import disk
from regime3.cli.output import Json, console, errors, show, table
from regime3.errors import Regime3Error, Unavailable

if TYPE_CHECKING:
    import httpx

URL = "http://127.0.0.1:8765"
POLL_S = 0.5
TIMEOUT_S = 30.0
ENDS = ("done", "failed", "cancelled")

Url = Annotated[str, typer.Option("--url", envvar="R3_URL", help="The node's address.")]
Token = Annotated[
    str, typer.Option("--token", envvar="R3_TOKEN", help="Its token, if it wants one.")
]
Model = Annotated[str, typer.Option("--model", "-m", help="A model's id or alias.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Watch the job to its end.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="On Ctrl-C, cancel the job.")]
Priority = Annotated[int, typer.Option(min=0, max=100, help="Higher is first.")]
Temperature = Annotated[float, typer.Option(min=0.0, max=2.0, help="0 is greedy.")]
Seed = Annotated[int, typer.Option(min=0, help="Keys everything that is drawn.")]


def evaluate(
    dataset: Annotated[
        str, typer.Argument(help="tasks:FAMILY[:LEVELS][:SPLIT], or a data set of the node.")
    ],
    model: Model = "champion",
    regime: Annotated[
        list[int] | None, typer.Option(min=1, max=3, help="1, 2 or 3; repeatable. Default: 3.")
    ] = None,
    examples: Annotated[int, typer.Option("--examples", "-n", min=1, help="At most.")] = 100,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    priority: Priority = 50,
    url: Url = URL,
    token: Token = "",
    wait: Wait = True,
    cancel: Cancel = False,
    json: Json = False,
) -> None:
    """Evaluate a model of a node: exact match, valid steps, cross-entropy, calibration."""
    order = {
        "model": model,
        "dataset_ref": dataset,
        "regimes": regime or [3],
        "max_examples": examples,
        "temperature": temperature,
        "seed": seed,
        "priority": priority,
    }
    with node(url, token) as http:
        job = _asked(http, "/eval/jobs", order, wait, cancel, json)
    show(job, json, lambda: _show_evaluation(job))
    _leave(job)


def generate(
    what: Annotated[str, typer.Argument(metavar="FAMILY:LEVELS", help="As lists:1-3 or lists:2.")],
    model: Model = "champion",
    problems: Annotated[int, typer.Option(min=1, help="Of all levels together.")] = 100,
    attempts: Annotated[int, typer.Option(min=1, max=64, help="Of each problem.")] = 4,
    regime: Annotated[int, typer.Option(min=1, max=3, help="1, 2 or 3.")] = 3,
    temperature: Temperature = 0.8,
    seed: Seed = 0,
    verified: Annotated[
        bool, typer.Option("--verified", help="Keep only distinct attempts that the checker takes.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the shards here.")] = None,
    priority: Priority = 50,
    url: Url = URL,
    token: Token = "",
    wait: Wait = True,
    cancel: Cancel = False,
    json: Json = False,
) -> None:
    """Let a model of a node attempt training problems; every attempt is checked."""
    family, levels = _levels(what)
    order = {
        "model": model,
        "family": family,
        "levels": levels,
        "problems": problems,
        "attempts": attempts,
        "regime": regime,
        "temperature": temperature,
        "seed": seed,
        "keep": "verified" if verified else "all",
        "distinct": verified,
        "priority": priority,
    }
    with node(url, token) as http:
        job = _asked(http, "/data_gen/jobs", order, wait or out is not None, cancel, json)
        if out is not None and job["state"] == "done":
            disk.write_bytes(out.resolve(), _shards(http, job["id"]))
    show(job, json, lambda: _show_generation(job, out))
    _leave(job)


@contextlib.contextmanager
def node(url: str, token: str) -> Iterator[httpx.Client]:
    """A client of the node; what goes wrong on the way is `Unavailable`."""
    import httpx  # a tenth of a second that no other verb has to pay

    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S) as http:
            yield http
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unavailable(f"no node answers at {url}: {error}", "r3 node") from None


def told(answer: httpx.Response) -> dict[str, Any]:
    """The body of an answer. Raises `Regime3Error` with what the node said against it."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.is_success and isinstance(found, dict):
        return found
    error = found.get("error") if isinstance(found, dict) else None
    said = error.get("message") if isinstance(error, dict) else answer.text[:200]
    raise Regime3Error(f"the node refuses ({answer.status_code}): {said}")


def _asked(
    http: httpx.Client, path: str, order: dict[str, Any], wait: bool, cancel: bool, json: bool
) -> dict[str, Any]:
    job = told(http.post(path, json=order))
    if not wait:
        return job
    try:
        return _watched(http, job, json)
    except KeyboardInterrupt:
        if cancel:
            told(http.post(f"/jobs/{job['id']}/cancel"))
        errors.print(f"{job['id']} {'is cancelled' if cancel else 'goes on'}")
        raise


def _watched(http: httpx.Client, job: dict[str, Any], quiet: bool) -> dict[str, Any]:
    """Follow a job to its end; a node that is away for a moment is asked again."""
    from httpx import TransportError

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    bar = Progress(
        *columns, TimeRemainingColumn(), console=errors,
        disable=quiet or not errors.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task(job["id"], total=job["total"])
        while job["state"] not in ENDS:
            time.sleep(POLL_S)
            with contextlib.suppress(TransportError):
                job = told(http.get(f"/jobs/{job['id']}"))
            bar.update(task, completed=job["done"], description=f"{job['id']} {job['state']}")
    return job


def _shards(http: httpx.Client, job_id: str) -> bytes:
    names = [each["name"] for each in told(http.get(f"/jobs/{job_id}/output"))["shards"]]
    answers = [http.get(f"/jobs/{job_id}/output", params={"shard": name}) for name in names]
    return b"".join(each.raise_for_status().content for each in answers)


def _levels(what: str) -> tuple[str, list[int]]:
    """`lists:1-3` as a family and levels. The node knows which there are."""
    family, _, text = what.partition(":")
    low, _, high = (text or "1").partition("-")
    if not low.isdigit() or not (high or low).isdigit() or len(text) > 5:
        raise typer.BadParameter(f"{what!r}: want FAMILY:LEVEL or FAMILY:LOW-HIGH")
    return family, list(range(int(low), int(high or low) + 1))


def _show_evaluation(job: dict[str, Any]) -> None:
    summary = job.get("summary") or {}
    columns = [
        "family",
        "level",
        "regime",
        "answers",
        "exact match",
        "solved",
        "ce",
        "ece",
        "tokens",
    ]
    names = ["answers", "exact_match", "solved", "cross_entropy", "calibration_error", "tokens"]
    groups = [*summary.get("groups", []), {"family": "all", **summary}] if summary else []
    rows = [
        [
            each.get(name) if each.get(name) is not None else ""
            for name in ("family", "level", "regime")
        ]
        + [_cell(each.get(name)) for name in names]
        for each in groups
    ]
    table(_title(job), columns, rows)


def _show_generation(job: dict[str, Any], out: Path | None) -> None:
    columns = ["level", "problems", "attempts", "right", "solved", "distinct", "tokens"]
    levels = (job.get("summary") or {}).get("levels", [])
    table(_title(job), columns, [[each[name] for name in columns] for each in levels])
    if out is not None and job["state"] == "done":
        console.print(f"written to {out}")


def _title(job: dict[str, Any]) -> str:
    why = f": {job['error']}" if job.get("error") else ""
    return f"{job['id']} {job['state']}, {job['done']} of {job['total']}{why}"


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


def _leave(job: dict[str, Any]) -> None:
    """Exit code 1 for a job that came to nothing."""
    raise typer.Exit(1 if job["state"] in ("failed", "cancelled") else 0)
