"""`r3 canon`, `r3 check`, `r3 encode`, `r3 decode`: the language on the command line.

All four read files or standard input and answer trace by trace, as lines come in. A trace that
cannot be read is reported with its line on standard error, the next one is still read, and the
exit code is 1. Bytes that are no text end the reading.
"""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from regime3.cli.output import CodebookOption, find_codebook
from regime3.errors import InputRefused, Regime3Error

if TYPE_CHECKING:
    from regime3.lang.traces import Trace

T = TypeVar("T")

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Files; none: standard input.", show_default=False),
]
Lines = Annotated[bool, typer.Option("--json", help="Print one JSON object a trace.")]
ProblemOption = Annotated[
    str | None,
    typer.Option("--problem", help="The problem; the input is then one body and nothing else."),
]


def canon(
    files: Files = None,
    fingerprint: Annotated[
        bool, typer.Option("--fingerprint", help="Print a problem's fingerprint after it.")
    ] = False,
    json: Lines = False,
) -> None:
    """Canonical form of problems, steps and terms, one a line.

    [bold]echo "(add 3 (add 2 x0))" | r3 canon[/bold]
    """
    from regime3.cli.language_input import streams
    from regime3.tasks.language import canonical

    def inputs() -> Iterator[tuple[str, str]]:
        for name, lines in streams(files):
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{name}:{number}", line.rstrip("\r\n")

    _each(
        inputs(),
        lambda line: canonical(line, fingerprint),
        json,
        lambda found: "  ".join(found.values()),
    )


def check(
    files: Files = None,
    problem: ProblemOption = None,
    codebook: CodebookOption = None,
    json: Lines = False,
) -> None:
    """Check traces step by step: problem and body in any regime, as text or as JSONL rows.

    Prints the first bad step with a caret and the reason. Exit code 1 if any trace is rejected.
    """
    from regime3.tasks.language import checked, verdict_text

    book = find_codebook(codebook)
    counts = {True: 0, False: 0}

    def show(trace: Trace) -> dict[str, Any]:
        found = checked(trace, book)
        counts[bool(found["accepted"])] += 1
        return found

    refused = _each(_traces(files, problem), show, json, verdict_text, exits=False)
    unread = f", {refused:,} not read" if refused else ""
    print(f"{counts[True]:,} accepted, {counts[False]:,} rejected{unread}", file=sys.stderr)
    raise typer.Exit(1 if refused or counts[False] else 0)


def encode(
    files: Files = None,
    problem: ProblemOption = None,
    codebook: CodebookOption = None,
    names: Annotated[
        bool, typer.Option("--names", help="Print codes by name, such as A56, for people.")
    ] = False,
    json: Lines = False,
) -> None:
    """Pack traces of any regime into codes: each problem, then its codes, as `r3 decode` reads."""
    from regime3.tasks.language import encoded

    book = find_codebook(codebook)
    _each(
        _traces(files, problem),
        lambda trace: encoded(trace, book, names),
        json,
        lambda found: f"{found['problem']}\n{found['text']}\n",
    )


def decode(
    files: Files = None,
    problem: ProblemOption = None,
    to: Annotated[
        Literal["sexpr", "english", "terse"], typer.Option(help="What to write.")
    ] = "sexpr",
    codebook: CodebookOption = None,
    json: Lines = False,
) -> None:
    """Unpack codes into S-expressions or English: each problem, then its body."""
    from regime3.tasks.language import decoded

    book = find_codebook(codebook)
    _each(
        _traces(files, problem),
        lambda trace: decoded(trace, book, to),
        json,
        lambda found: f"{found['problem']}\n{found['body']}\n",
    )


def _traces(
    files: list[Path] | None, problem: str | None
) -> Iterator[tuple[str, Trace | InputRefused]]:
    """Place and trace, or why there is none, as they come."""
    from regime3.cli.language_input import streams, whole
    from regime3.lang.traces import NoTrace, Trace, read_traces

    for name, lines in streams(files):
        if problem is not None:
            yield name, Trace(1, problem, whole(lines, name).strip())
            continue
        for found in read_traces(lines):
            trace = InputRefused(found.reason) if isinstance(found, NoTrace) else found
            yield f"{name}:{found.line}", trace


def _each(
    inputs: Iterable[tuple[str, T | InputRefused]],
    show: Callable[[T], dict[str, Any]],
    as_json: bool,
    human: Callable[[dict[str, Any]], str],
    exits: bool = True,
) -> int:
    """Show each input at once; say which were refused. Returns, or exits with 1 for, refusals."""
    refused = 0
    place = ""
    for place, item in inputs:
        try:
            if isinstance(item, InputRefused):
                raise item
            found = {"place": place, **show(item)}
        except Regime3Error as error:
            refused += 1
            print(f"{place}: {error}", file=sys.stderr)
            if as_json:
                _print_json({"place": place, "error": error.message})
            continue
        if as_json:
            _print_json(found)
        else:
            del found["place"]
            print(human(found), flush=True)
    if not place:
        raise InputRefused("there is nothing to read: the input is empty")
    if refused and exits:
        raise typer.Exit(1)
    return refused


def _print_json(value: dict[str, Any]) -> None:
    print(json_format.dumps(value, ensure_ascii=False), flush=True)
