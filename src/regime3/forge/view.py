"""What the forge knows, as a plain dict for `--json` and pages. Reads files, changes nothing."""

from __future__ import annotations

from typing import Any

import msgspec

from regime3.forge import shard, state
from regime3.paths import Lab

SHARDS_SHOWN = 20


def view(lab: Lab) -> dict[str, Any]:
    """Open levels, pass rates by family and level, the last shards, alerts. Raises `LabError`."""
    now = state.load(lab)
    families: dict[str, Any] = {}
    for name, family in sorted(now.families.items()):
        families[name] = {
            "top": family.top,
            "closed_until": family.closed_until,
            "stopped_until": family.stopped_until,
            "stopped": now.next_shard < family.stopped_until,
            "usual": msgspec.to_builtins(family.usual),
            "latest": msgspec.to_builtins(family.latest),
            "levels": [],
        }
    for place, cell in sorted(now.cells.items(), key=_place_of):
        name, level = place.split(":")
        if name not in families:
            continue
        tried = cell.estimate.tried
        families[name]["levels"].append(
            {
                "level": int(level),
                "open": int(level) <= families[name]["top"],
                "pass_rate": round(cell.estimate.rate, 4) if tried else None,
                "evidence": round(tried, 1),
                "problems_asked": cell.asked,
                "problems_solved": cell.solved,
                "oracle_problems": cell.told,
            }
        )
    return {
        "next_shard": now.next_shard,
        "rows_made": now.rows_made,
        "rows_today": now.rows_today,
        "day": now.day,
        "families": families,
        "pending": msgspec.to_builtins(now.pending),
        "shards": shard.noted(lab, SHARDS_SHOWN),
        "alerts": msgspec.to_builtins(now.alerts),
    }


def _place_of(item: tuple[str, Any]) -> tuple[str, int]:
    name, level = item[0].split(":")
    return name, int(level)
