"""`r3 canon`, `r3 check`, `r3 encode`, `r3 decode`: the language on the command line.

All four read files or standard input and answer trace by trace, as lines come in. A trace that
cannot be read is reported with its line on standard error, the next one is still read, and the
exit code is 1.
"""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from regime3.errors import InputRefused, Regime3Error

Files = Annotated[
    list[Path] | None,
    typer.Argument(help="Files; none: standard input.", show_default=False),
]
Lines = Annotated[bool, typer.Option("--json", help="Print one JSON object a trace.")]
CodebookOption = Annotated[
    Path | None,
    typer.Option("--codebook", help="A codebook file. Default: the shipped one."),
]
ProblemOption = Annotated[
    str | None,
    typer.Option("--problem", help="The problem; the input is then one body and nothing else."),
]


def canon(files: Files = None, fingerprint: bool = False, json: Lines = False) -> None:
    """Canonical form of terms and problems, one a line.

    [bold]echo "(add 3 (add 2 x0))" | r3 canon[/bold]
    """
    from regime3.lang import canon as canonical
    from regime3.lang import terms

    def show(line: str) -> dict[str, Any]:
        term = canonical.canonical(terms.parse(line))
        found: dict[str, Any] = {"canonical": terms.show(term)}
        if fingerprint:
            from regime3.lang.fingerprint import fingerprint as fingerprint_of
            from regime3.lang.problem import read_problem

            found["fingerprint"] = fingerprint_of(read_problem(line))
        return found

    def inputs() -> Iterator[tuple[str, str]]:
        for name, lines in _streams(files):
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield f"{name}:{number}", line.rstrip("\n")

    _each(inputs(), show, json, lambda found: "  ".join(found.values()))


def check(
    files: Files = None,
    problem: ProblemOption = None,
    codebook: CodebookOption = None,
    json: Lines = False,
) -> None:
    """Check traces step by step: problem and body as text, or JSONL rows in any regime.

    Prints the first bad step with a caret and the reason. Exit code 1 if any trace is rejected.
    """
    from regime3.cli.language_view import checked, verdict_text

    book = _codebook(codebook)
    counts = {True: 0, False: 0}

    def show(trace: Any) -> dict[str, Any]:
        found = checked(trace, book)
        counts[bool(found["accepted"])] += 1
        return found

    refused = _each(_traces(files, problem), show, json, verdict_text, exits=False)
    print(f"{counts[True]:,} accepted, {counts[False]:,} rejected", file=sys.stderr)
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
    """Pack traces into codes: each problem, then its codes, as `r3 decode` reads them."""
    from regime3.cli.language_view import encoded

    book = _codebook(codebook)
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
    from regime3.cli.language_view import decoded

    book = _codebook(codebook)
    _each(
        _traces(files, problem),
        lambda trace: decoded(trace, book, to),
        json,
        lambda found: f"{found['problem']}\n{found['body']}\n",
    )


def _codebook(path: Path | None) -> Any:
    from regime3.lang import codebook

    return codebook.load(path) if path else codebook.shipped()


def _streams(files: list[Path] | None) -> Iterator[tuple[str, Iterator[str]]]:
    """Name and lines of each input; bytes that are no UTF-8 are refused with their file."""
    if not files:
        yield "standard input", iter(sys.stdin)
    for path in files or []:
        try:
            with open(path, encoding="utf-8") as lines:
                yield str(path), iter(lines)
        except UnicodeDecodeError as error:
            raise InputRefused(f"not UTF-8: {error}", file=str(path)) from None


def _traces(files: list[Path] | None, problem: str | None) -> Iterator[tuple[str, Any]]:
    """Place and trace, as they come."""
    from regime3.lang.traces import Trace, read_traces

    for name, lines in _streams(files):
        if problem is not None:
            yield name, Trace(1, problem, "".join(lines).strip())
            continue
        for trace in read_traces(lines, name):
            yield f"{name}:{trace.line}", trace


def _each(
    inputs: Iterator[tuple[str, Any]],
    show: Callable[[Any], dict[str, Any]],
    as_json: bool,
    human: Callable[[dict[str, Any]], str],
    exits: bool = True,
) -> int:
    """Show each input at once; say which were refused. Returns, or exits with 1 for, refusals."""
    refused = 0
    for place, item in inputs:
        try:
            found = show(item)
        except Regime3Error as error:
            refused += 1
            print(f"{place}: {error}", file=sys.stderr)
            if as_json:
                found = {"place": place, "error": error.message}
                print(json_format.dumps(found, ensure_ascii=False), flush=True)
            continue
        if as_json:
            text = json_format.dumps({"place": place, **found}, ensure_ascii=False)
        else:
            text = human(found)
        print(text, flush=True)
    if refused and exits:
        raise typer.Exit(1)
    return refused
