"""What the lab's page shows: the ledger in full, evolution, the codebook, and walks of lineage.

Every answer is read from files as they are; what cannot be read is said by the caller's handler.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from regime3 import tasks
from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.evolution import story
from regime3.evolution.probes import row_of
from regime3.forge import view as forge_view
from regime3.judge import ledger
from regime3.judge.view import summary
from regime3.lang import codebook
from regime3.lang.listing import rows_of
from regime3.lineage import trace
from regime3.model.codebooks import codebook_of
from regime3.paths import Lab
from regime3.vault import Vault

VERDICTS_MAX: Final = 500
"""The newest; `r3 checkpoints --ledger` has all."""
ANSWERS_MAX: Final = 200
"""Checkpoints of a probe's story, the newest."""
WHAT_MAX: Final = 300
LENGTHS: Final = (1, 2, 3, 4, 5, 7, 9, 13)
"""Fewest steps of each column; the last is open."""
LENGTHS_SHEETS: Final = 8
"""Checkpoints whose probes are counted by length: few enough to show what models do now."""
_CODE = re.compile(r"<E[0-9]{3}>")
_SYMBOL = re.compile(r"[()]|[^\s()_…]+")
_PROBE = re.compile(rf"(?:{'|'.join(tasks.FAMILIES)}):[0-9]{{1,2}}:[0-9]{{1,9}}:[1-3]")


def ledger_of(lab: Lab) -> dict[str, Any]:
    """Verdicts with the numbers they rest on, and the checkpoints that are on the disk."""
    entries = Vault(lab, SystemClock()).list() if lab.checkpoints.exists() else []
    return {
        **summary(lab),
        "verdicts": [msgspec.to_builtins(each) for each in ledger.verdicts(lab)[-VERDICTS_MAX:]],
        "checkpoints": [msgspec.to_builtins(each) for each in entries],
    }


def compare(lab: Lab, one: int, other: int) -> dict[str, Any]:
    """Two checkpoints on the same probes, by family: how many each solved, and which one alone.

    A checkpoint that has not answered has no `asked`.
    """
    found = {sheet.head.seal: sheet for sheet in story.sheets(lab)}
    pair = [found[seal].answers if seal in found else {} for seal in (one, other)]
    both = sorted(pair[0].keys() & pair[1].keys())
    families: dict[str, dict[str, Any]] = {}
    for name in both:
        own = families.setdefault(
            name.partition(":")[0],
            {"asked": 0, "solved": [0, 0], "tokens": [0, 0], "only": [[], []]},
        )
        valid = [answers[name].valid for answers in pair]
        own["asked"] += 1
        for side in (0, 1):
            own["solved"][side] += valid[side]
            own["tokens"][side] += pair[side][name].tokens
            if valid[side] and not valid[1 - side]:
                own["only"][side].append(name)
    return {
        "checkpoints": [one, other],
        "answered": [bool(each) for each in pair],
        "asked": len(both),
        "families": families,
    }


def curriculum(lab: Lab) -> dict[str, Any]:
    """How often attempts pass, by family and level, and how many rows were aimed where lately."""
    found = forge_view(lab)
    aimed: Counter[str] = Counter()
    for shard in found["shards"]:
        aimed.update(shard.get("places") or {})
    families = {
        name: {key: each[key] for key in ("top", "stopped", "levels")}
        for name, each in found["families"].items()
    }
    return {
        "families": families,
        "aimed": dict(sorted(aimed.items())),
        "shards": len(found["shards"]),
        "rows": sum(aimed.values()),
    }


def lengths(lab: Lab) -> dict[str, Any]:
    """Probes answered and solved, by family and steps of the answer, by the newest checkpoints."""
    found = story.sheets(lab)[-LENGTHS_SHEETS:]
    families: dict[str, list[list[int]]] = {}
    for sheet in found:
        for name, answer in sheet.answers.items():
            if not answer.steps:
                continue  # nothing that could be read as a step
            row = families.setdefault(name.partition(":")[0], [[0, 0] for _ in LENGTHS])
            cell = row[bisect_right(LENGTHS, answer.steps) - 1]
            cell[0] += 1
            cell[1] += answer.valid
    return {
        "from_steps": list(LENGTHS),
        "families": families,
        "checkpoints": [found[0].head.seal, found[-1].head.seal] if found else [],
    }


def evolution(lab: Lab) -> dict[str, Any]:
    """Which problems were asked, when each was solved first, and which were lost again."""
    found = story.sheets(lab)
    probes = sorted({name for sheet in found for name in sheet.answers})
    last = found[-1].answers if found else {}
    return {
        "checkpoints": [{"seal": each.head.seal, "step": each.head.step} for each in found],
        "probes": probes,
        "solved": [name for name in probes if name in last and last[name].valid],
        "first_solved": story.firsts(found),
        "regressions": story.regressions(found),
    }


def probe(lab: Lab, name: str) -> dict[str, Any]:
    """One problem and its answers through time, the newest last; of a name that is none, none."""
    answers = story.history(story.sheets(lab), name)
    asked = _problem_of(name) if answers else None
    return {"probe": name, "problem": asked, "answers": answers[-ANSWERS_MAX:]}


def codes(lab: Lab) -> dict[str, Any]:
    """Every code of the lab's codebook, and how often the last answers to probes used it.

    `saved` counts what a code spares as a form of its own; codes that tell a step spare more, and
    `packed` tells all of it: codes of the traces, and symbols of their S-expressions.
    """
    book = _book(lab.current_model, _stamp(lab.current_model / "codebook.json"))
    newest = sorted(lab.evolution.glob("[0-9]*.jsonl"))[-1:]
    used = _used(newest[0], _stamp(newest[0])) if newest else _Used(Counter(), None, 0, 0)
    rows = [
        {**row, "used": (count := used.codes[row["code"]]), "saved": count * _saves(row)}
        for row in rows_of(book, False)
    ]
    return {
        "codebook": book.name,
        "version": book.version,
        "codes": rows,
        "used_by": used.model,
        "packed": {"codes": used.packed, "symbols": used.symbols},
    }


def _saves(row: dict[str, str]) -> int:
    """Symbols of the S-expression that one use of a code spares: its words and brackets, less 1."""
    expansion = row["expansion"]
    whole = expansion.startswith("(") and expansion.endswith(")")
    return len(_SYMBOL.findall(expansion)) - 1 if whole else 0


def _problem_of(name: str) -> dict[str, str] | None:
    """What a probe asks, and the oracle's answer in S-expressions."""
    if not _PROBE.fullmatch(name):
        return None
    *_, asked, told = row_of(name.rpartition(":")[0] + ":2", codebook.shipped())["messages"]
    golden = f"{told.get('reasoning_content') or ''}\n{told['content']}".strip()
    return {"prompt": asked["content"], "golden": golden}


def lineage(lab: Lab, settings: Settings, what: str) -> dict[str, Any]:
    """As `r3 lineage`. Raises `InputRefused` for what is neither row, checkpoint nor answer."""
    return trace(lab, settings, what[:WHAT_MAX])


@lru_cache(maxsize=2)
def _book(folder: Path, stamp: tuple[int, int]) -> codebook.Codebook:
    return (codebook_of(folder) if stamp[0] else None) or codebook.shipped()


class _Used(NamedTuple):
    """Codes in the answers of a probe sheet, whose they are, and how long the readable ones are."""

    codes: Counter[str]
    model: str | None
    packed: int
    symbols: int


@lru_cache(maxsize=2)
def _used(path: Path, stamp: tuple[int, int]) -> _Used:
    sheet = story.read_sheet(path)
    if sheet is None:
        return _Used(Counter(), None, 0, 0)
    found: Counter[str] = Counter()
    packed = symbols = 0
    for answer in sheet.answers.values():
        own = _CODE.findall(answer.thought + answer.answer)
        found.update(own)
        if own and answer.canonical:
            packed += len(own)
            symbols += len(_SYMBOL.findall(answer.canonical))
    return _Used(found, sheet.head.model, packed, symbols)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
