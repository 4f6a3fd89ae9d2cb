"""How `r3 data` looks at rows: with the very decoder, renderer and tokenizer that train them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from regime3.cli.output import bytes_progress, console, find_lab, settings_of, show
from regime3.errors import InputRefused
from regime3.spool import decode_row
from regime3.stream.inspect import CheckReport, check_rows, painted, show_row

BAR_CHARACTERS = 40
REFUSALS_SHOWN = 20


def _renderer(lab: Path | None) -> Any:
    from regime3.model.chat import ChatRenderer
    from regime3.model.load import load_tokenizer

    where = find_lab(lab)
    settings = settings_of(where)
    tokenizer = load_tokenizer(where.current_model)
    return ChatRenderer(tokenizer, settings.examples, settings.model.max_length)


def _lines(file: Path, told: Any) -> Iterator[bytes]:
    with open(file, "rb") as source:
        for line in source:
            told(len(line))
            yield line


def run_check(file: Path, lab: Path | None, rows: int | None, json: bool) -> int:
    """Print the report; 1 when a row would be buried."""
    if not file.is_file():
        raise InputRefused("no such file", file=str(file))
    renderer = _renderer(lab)
    bar, told = bytes_progress(file.name, file.stat().st_size, quiet=json)
    lines = islice(_lines(file, told), rows)
    if bar is None:
        report = check_rows(lines, decode_row, renderer)
    else:
        with bar:
            report = check_rows(lines, decode_row, renderer)
    show(msgspec.to_builtins(report), json, lambda: _print(report))
    return 1 if report.buried else 0


def _print(report: CheckReport) -> None:
    share = 100 * report.supervised_tokens / report.tokens if report.tokens else 0.0
    console.print(
        f"{report.rows:,} rows: {report.trainable:,} train, {report.buried:,} would be buried; "
        f"{report.distinct:,} distinct\n"
        f"{report.examples:,} examples, {report.tokens:,} tokens, {share:.1f} % supervised, "
        f"{report.thinking_examples:,} with thinking, {report.turns_too_long:,} turns too long\n"
        f"formats: {', '.join(f'{name} {count:,}' for name, count in report.formats.items())}"
    )
    most = max((count for _, count in report.lengths.histogram), default=0)
    for limit, count in report.lengths.histogram:
        bar = "█" * round(BAR_CHARACTERS * count / most) if most else ""
        console.print(f"  up to {limit:>6,} tokens {count:>9,} {bar}", highlight=False)
    for reason, count in report.reasons.items():
        console.print(f"buried: {count:,} x {reason}", markup=False)
    for refusal in report.refusals[:REFUSALS_SHOWN]:
        console.print(f"  line {refusal.line}: {refusal.reason}", markup=False)


def run_show(file: Path, lab: Path | None, row: int, json: bool) -> None:
    """Print one row's examples with the supervised tokens marked."""
    if not file.is_file():
        raise InputRefused("no such file", file=str(file))
    with open(file, "rb") as source:
        raw = next(islice(source, row - 1, None), None) if row > 0 else None
    if raw is None:
        raise InputRefused(f"it has no row {row}", file=str(file))
    examples = show_row(raw, decode_row, _renderer(lab))
    show({"examples": [msgspec.to_builtins(e) for e in examples]}, json, lambda: _paint(examples))


def _paint(examples: list[Any]) -> None:
    for number, example in enumerate(examples, 1):
        console.print(
            f"example {number} of {len(examples)}: {example.prompt_tokens} prompt tokens, "
            f"{example.supervised_tokens} supervised (green)",
            style="bold",
        )
        console.print(painted(example))
