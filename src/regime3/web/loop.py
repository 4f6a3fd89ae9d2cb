"""What the page shows of the loop: verdicts, pass rates by level, the last attempts, curves.

    tag(lab)     # changes whenever what `look` tells may have changed
    look(lab)    # a plain dict

Read from the files that judge, forge and evolution leave; nothing here asks the node.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from regime3.errors import LabError
from regime3.evolution import story
from regime3.forge import shown
from regime3.forge import view as forge_view
from regime3.judge import ledger
from regime3.judge.view import summary
from regime3.paths import Lab

VERDICTS_MAX = 200
"""The newest; the ledger keeps all."""
CURVE_POINTS_MAX = 400


def tag(lab: Lab) -> str:
    """An ETag: sizes and times of every file that is read."""
    files = [
        lab.ledger_file, lab.judge_case_file, lab.forge_file, lab.forge_shards_file,
        lab.forge_attempts_file, lab.evolution,
    ]  # fmt: skip
    told = "|".join(_stamp(path) for path in files)
    return f'"{hashlib.sha256(told.encode()).hexdigest()[:16]}"'


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except OSError:
        return "-"
    return f"{found.st_mtime_ns}:{found.st_size}"


def look(lab: Lab) -> dict[str, Any]:
    """Both halves of the loop; a half whose files cannot be read says why in `problem`."""
    body: dict[str, Any] = {"problem": None, "judge": None, "forge": None}
    try:
        body["judge"] = _judge(lab)
        body["forge"] = _forge(lab)
    except LabError as problem:
        body["problem"] = {"reason": problem.message, "next": problem.next_command}
    return body | {"attempts": shown.read(lab), "curves": story.by_regime(lab, CURVE_POINTS_MAX)}


def _judge(lab: Lab) -> dict[str, Any]:
    """Verdicts without the trial of each family."""
    verdicts = ledger.verdicts(lab)[-VERDICTS_MAX:]
    return {**summary(lab), "verdicts": [each.brief() for each in verdicts]}


def _forge(lab: Lab) -> dict[str, Any]:
    """Pass rates; of the last shard how much it held."""
    found = forge_view(lab)
    families = {
        name: {key: each[key] for key in ("top", "stopped", "levels")}
        for name, each in found["families"].items()
    }
    shards = [
        {key: each.get(key) for key in ("shard", "at", "rows", "kinds", "note", "seconds")}
        for each in found["shards"]
    ]
    keys = ("next_shard", "rows_made", "rows_today", "alerts")
    return {**{key: found[key] for key in keys}, "families": families, "shards": shards}
