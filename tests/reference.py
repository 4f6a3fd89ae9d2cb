"""`python -m tests.reference`: write docs/settings.md and docs/commands.md from the code.

`tests/test_docs.py` fails when they differ, so the reference cannot drift.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import typer

from regime3 import config
from regime3.cli.app import app

DOCS = Path(__file__).parents[1] / "docs"


def settings_page() -> str:
    """Every setting: default, meaning, bounds."""
    lines = [
        "# Settings",
        "",
        "`regime3.toml` in the lab < `REGIME3_SECTION_NAME` in the environment < `--set",
        "section.name=value`. `r3 config --origin` shows what holds and why. A setting that is",
        "unknown or out of bounds refuses to start, with the line and the fix.",
    ]
    for section, kind in config.sections().items():
        lines += ["", f"## [{section}]", "", str(kind.__doc__), ""]
        lines += ["| setting | default | meaning |", "|---|---|---|"]
        for item in fields(kind):
            meta = item.metadata
            bounds = ""
            if meta["choices"]:
                bounds = " One of " + ", ".join(f"`{choice}`" for choice in meta["choices"]) + "."
            elif meta["low"] is not None:
                bounds = f" From {meta['low']:g} to {meta['high']:g}."
            lines.append(
                f"| `{item.name}` | `{getattr(kind(), item.name)!r}` | {meta['doc']}{bounds} |"
            )
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Every verb with its arguments and options."""
    lines = ["# Commands", "", "Generated from `--help`. Exit codes: see `src/regime3/errors.py`."]
    lines += _group(typer.main.get_command(app), "r3")
    return "\n".join(lines) + "\n"


def _group(command: Any, path: str) -> list[str]:
    lines: list[str] = []
    for name, sub in command.commands.items():
        lines += ["", f"## `{path} {name}`", "", (sub.help or "").strip()]
        params = [param for param in sub.params if param.name != "help"]
        if params:
            lines += ["", "| | |", "|---|---|"]
        for param in params:
            if param.param_type_name == "argument":
                word = param.metavar or (param.name or "").upper()
            else:
                word = ", ".join([*param.opts, *param.secondary_opts])
            lines.append(f"| `{word}` | {param.help or ''} |")
        if hasattr(sub, "commands"):
            lines += _group(sub, f"{path} {name}")
    return lines


def main() -> None:
    DOCS.mkdir(exist_ok=True)
    (DOCS / "settings.md").write_text(settings_page(), encoding="utf-8")
    (DOCS / "commands.md").write_text(commands_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
