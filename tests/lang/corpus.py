"""The language's corpus: data files beside this one."""

from __future__ import annotations

from pathlib import Path

DATA = Path(__file__).parent / "data"


def lines(name: str) -> list[str]:
    """The lines of a data file without blanks and comments."""
    text = (DATA / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def examples() -> list[dict[str, str]]:
    """The worked examples: number, problem, body, verdict and, for some, codes."""
    found: list[dict[str, str]] = []
    for line in lines("examples.txt"):
        name, _, value = line.partition(" ")
        if not value:
            found.append({"number": name})
        else:
            found[-1][name] = value.strip()
    return found
