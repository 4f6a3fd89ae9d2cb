"""What `r3 tasks` prints for people, and how it reads families and levels."""

from __future__ import annotations

import re

import typer

from regime3 import tasks
from regime3.lang.codebook import Codebook
from regime3.lang.terms import show
from regime3.tasks.family import Sample
from regime3.tasks.rows import whole


def families_of(name: str) -> list[str]:
    """The families meant, or wrong usage with the known names."""
    if name == "all":
        return list(tasks.FAMILIES)
    if name not in tasks.FAMILIES:
        known = ", ".join(tasks.FAMILIES)
        raise typer.BadParameter(f"{name!r}: known are {known}, all", param_hint="FAMILY")
    return [name]


def levels_of(text: str, family: str, option: str = "--level") -> range:
    """The levels that '3' or '1-4' means, for a family."""
    most = tasks.FAMILIES[family].levels
    found = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", text)
    if found:
        first, last = int(found[1]), int(found[2] or found[1])
        if 1 <= first <= last <= most:
            return range(first, last + 1)
    raise typer.BadParameter(f"{text!r}: want 1 to {most}, or 1-{most}", param_hint=option)


def as_text(sample: Sample, regimes: tuple[int, ...], book: Codebook) -> str:
    """The prompt, the problem, and the body in the regimes wanted."""
    lines = [sample.prompt, show(sample.problem.term)]
    for regime in regimes:
        if len(regimes) > 1:
            lines.append(f"-- regime {regime}")
        lines.append(whole(sample.problem, sample.body, regime, book))
    return "\n".join(lines) + "\n"
