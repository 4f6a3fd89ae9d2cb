"""What the probes' answers come to, over time. Pure functions over sheets, but for reading them.

found = sheets(lab)
curves(found), firsts(found), regressions(found), history(found, "lists:2:8003:3")
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from regime3.paths import Lab
from regime3.records.probe import ProbeAnswer, ProbeSheet

_sheet = msgspec.json.Decoder(ProbeSheet).decode
_answer = msgspec.json.Decoder(ProbeAnswer).decode


class Sheet(NamedTuple):
    """One checkpoint's answers, by probe."""

    head: ProbeSheet
    answers: dict[str, ProbeAnswer]


def sheets(lab: Lab) -> list[Sheet]:
    """Every checkpoint that answered, in the order in which they did.

    A file that is none of ours is passed over: they are written whole, so a person put it there."""
    found = filter(None, map(read_sheet, lab.evolution.glob("[0-9]*.jsonl")))
    return sorted(found, key=lambda each: (each.head.at, each.head.seal))


def read_sheet(path: Path) -> Sheet | None:
    """A checkpoint's answers; None for a file that is none of ours."""
    head, *rest = path.read_bytes().splitlines() or [b""]
    try:
        return Sheet(_sheet(head), {each.probe: each for each in map(_answer, rest)})
    except msgspec.MsgspecError:
        return None


def curves(found: Sequence[Sheet]) -> dict[str, list[dict[str, Any]]]:
    """Share solved of each family, level and regime (FAMILY:LEVEL:REGIME), and of `all`."""
    lines: dict[str, list[dict[str, Any]]] = {}
    for sheet in found:
        cells: dict[str, list[ProbeAnswer]] = {}
        for answer in sheet.answers.values():
            for name in (cell_of(answer.probe), "all"):
                cells.setdefault(name, []).append(answer)
        for name, own in cells.items():
            lines.setdefault(name, []).append(
                {
                    "seal": sheet.head.seal,
                    "step": sheet.head.step,
                    "solved": sum(each.valid for each in own) / len(own),
                    "right": sum(each.right for each in own) / len(own),
                    "steps_valid": sum(each.share for each in own) / len(own),
                    "tokens": sum(each.tokens for each in own) / len(own),
                    "probes": len(own),
                }
            )
    return lines


def by_regime(lab: Lab, newest: int | None = None) -> dict[str, list[tuple[int, float]]]:
    """For each regime step and percent of the probes solved, of all or the newest checkpoints."""
    paths = sorted(lab.evolution.glob("[0-9]*.jsonl"))
    points = [_point(path, path.stat().st_mtime_ns) for path in paths[-(newest or 0) :]]
    lines: dict[str, list[tuple[int, float]]] = {}
    for _, step, shares in sorted(each for each in points if each is not None):
        for regime, share in shares:
            lines.setdefault(regime, []).append((step, share))
    return lines


@lru_cache(maxsize=1 << 14)
def _point(path: Path, mtime_ns: int) -> tuple[float, int, tuple[tuple[str, float], ...]] | None:
    """When, step, and percent by regime: kept, as a page asks often and a file never changes."""
    sheet = read_sheet(path)
    if sheet is None:
        return None
    regimes: dict[str, list[bool]] = {}
    for answer in sheet.answers.values():
        regimes.setdefault(answer.probe.rpartition(":")[2], []).append(answer.valid)
    shares = tuple(
        (name, round(100 * sum(valid) / len(valid), 1)) for name, valid in sorted(regimes.items())
    )
    return sheet.head.at, sheet.head.step, shares


def cell_of(probe: str) -> str:
    """FAMILY:LEVEL:REGIME of a probe."""
    family, level, _, regime = probe.split(":")
    return f"{family}:{level}:{regime}"


def firsts(found: Iterable[Sheet]) -> dict[str, int]:
    """The step at which each problem was solved for the first time; those never solved are not
    there."""
    steps: dict[str, int] = {}
    for sheet in found:
        for name, answer in sheet.answers.items():
            if answer.valid:
                steps.setdefault(name, sheet.head.step)
    return steps


def regressions(found: Sequence[Sheet]) -> dict[str, int]:
    """Problems that the last checkpoint does not solve and an earlier one did, with the step of
    the last that did."""
    if not found:
        return {}
    last = found[-1].answers
    return {
        name: step for name, step in _last_solved(found).items() if name in last
        and not last[name].valid
    }  # fmt: skip


def _last_solved(found: Iterable[Sheet]) -> dict[str, int]:
    return {
        name: sheet.head.step
        for sheet in found
        for name, answer in sheet.answers.items()
        if answer.valid
    }


def history(found: Iterable[Sheet], probe: str) -> list[dict[str, Any]]:
    """One problem's answers through time."""
    return [
        {
            "seal": sheet.head.seal,
            "step": sheet.head.step,
            "model": sheet.head.model,
            **msgspec.to_builtins(sheet.answers[probe]),
        }
        for sheet in found
        if probe in sheet.answers
    ]


def view(lab: Lab) -> dict[str, Any]:
    """For pages and `--json`."""
    found = sheets(lab)
    return {
        "checkpoints": [msgspec.to_builtins(each.head) for each in found],
        "curves": curves(found),
        "first_solved": firsts(found),
        "regressions": regressions(found),
    }
