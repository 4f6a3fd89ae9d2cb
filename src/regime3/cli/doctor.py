"""`r3 doctor`."""

from __future__ import annotations

import msgspec
import typer

from regime3.cli.output import Json, LabOption, console, find_lab, settings_of, show
from regime3.config import Settings
from regime3.doctor import Finding, examine
from regime3.errors import LabError

_MARKS = {"ok": "✓", "note": "·", "warn": "!", "bad": "✗"}
_STYLES = {"ok": "dim", "note": "dim", "warn": "yellow", "bad": "bold red"}


def doctor(lab: LabOption = None, json: Json = False) -> None:
    """Look the machine and the lab over. Exit code 1 when something is bad."""
    try:
        where = find_lab(lab)
    except LabError:
        if lab is not None:
            raise
        where = None
    findings = examine(where, settings_of(where) if where else Settings())
    bad = any(finding.level == "bad" for finding in findings)
    result = {"ok": not bad, "findings": [msgspec.to_builtins(finding) for finding in findings]}
    show(result, json, lambda: _print(findings))
    raise typer.Exit(1 if bad else 0)


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        line = f"{_MARKS[finding.level]} {finding.check:12} {finding.text}"
        console.print(line, style=_STYLES[finding.level], markup=False, highlight=False)
        if finding.fix:
            console.print(f"{'':15}fix: {finding.fix}", markup=False, highlight=False)
