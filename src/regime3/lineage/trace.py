"""Following a row, a checkpoint or an answer through the lab's records."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.errors import InputRefused
from regime3.forge.shard import noted
from regime3.judge import ledger
from regime3.paths import Lab
from regime3.records.files import FileMeta, is_forged
from regime3.spool import Spool
from regime3.stream.shuffle import order_of
from regime3.vault import Vault
from regime3.vault.trained import Trained, read

ANSWER: Final = re.compile(r"^checkpoint-(\d{8})-[0-9a-f]{8}$")
"""A model's id at the node, which every answer of its bears as `system_fingerprint`."""
CHECKPOINT: Final = re.compile(r"^(?:checkpoint:)?0*(\d{1,8})$")
ROW: Final = re.compile(r"^(.+):(\d{1,9})$")
ROW_KEYS: Final = ("kind", "family", "level", "regime", "source_regime", "problem", "lineage")


def trace(lab: Lab, settings: Settings, what: str) -> dict[str, Any]:
    """Everything known of it. Raises `InputRefused` for what is none of the three."""
    answer, checkpoint, row = ANSWER.match(what), CHECKPOINT.match(what), ROW.match(what)
    known = _known(lab)
    if answer is not None:
        found = _checkpoint(lab, settings, known, int(answer[1]))
        return {"answer": {"model": what}, **found}
    if checkpoint is not None:
        return _checkpoint(lab, settings, known, int(checkpoint[1]))
    if row is not None:
        return _row(lab, settings, known, row[1], int(row[2]))
    raise InputRefused(
        f"{what!r} is no row (FILE:LINE), no checkpoint (its number) and no answer (its model's id,"
        " checkpoint-NNNNNNNN-…)",
        next_command="r3 checkpoints",
    )


def _known(lab: Lab) -> dict[int, Trained]:
    """What every checkpoint trained, those included that a kill kept from being noted."""
    vault = Vault(lab, SystemClock())
    found = read(lab)
    for entry in vault.list():
        if entry.number not in found and entry.state != "damaged":
            seal = vault.open(entry.number)
            found[seal.number] = Trained(
                seal.number, seal.manifest.parent, seal.manifest.step, seal.ledger.trained,
                seal.manifest.rolled_back_from,
            )  # fmt: skip
    return found


# ------------------------------------------------------------------------------- a checkpoint


def _checkpoint(
    lab: Lab, settings: Settings, known: dict[int, Trained], number: int
) -> dict[str, Any]:
    """Its ancestors, what it trained, and what was said of it."""
    if number not in known:
        raise InputRefused(f"there is no checkpoint {number}", next_command="r3 checkpoints")
    files = Spool(lab, settings, SystemClock()).files()
    shards = {each["file"]: each for each in noted(lab)}
    line = known[number]
    return {
        "checkpoint": {
            "number": number,
            "step": line.step,
            "rolled_back_from": line.rolled_back_from,
            "ancestors": list(_ancestors(known, number)),
            "children": [each.seal for each in known.values() if each.parent == number],
        },
        "trained": [
            {
                "file": files[each.id].name if each.id in files else None,
                "id": each.id,
                "first": each.first,
                "stop": each.stop,
                "forge": _shard_of(files.get(each.id), shards),
            }
            for each in line.rows
        ],
        "verdicts": _about(lab, {number}),
    }


def _ancestors(known: dict[int, Trained], number: int) -> Iterator[int]:
    """Parent, its parent, and so on, as far as they were noted."""
    seen = {number}
    line = known.get(number)
    while line is not None and line.parent is not None and line.parent not in seen:
        seen.add(line.parent)
        yield line.parent
        line = known.get(line.parent)


def _shard_of(meta: FileMeta | None, shards: dict[str, Any]) -> dict[str, Any] | None:
    """What the forge noted of a file of its own."""
    if meta is None or not is_forged(meta.lineage):
        return None
    found = shards.get(f"{meta.name}.jsonl", {})
    names = ("shard", "model", "model_sha256", "seal", "kinds", "places", "jobs", "codebook")
    return {name: found.get(name, meta.lineage.get(name)) for name in names}


def _about(lab: Lab, seals: set[int]) -> list[dict[str, Any]]:
    return [each.brief() for each in ledger.verdicts(lab) if each.seal in seals]


# --------------------------------------------------------------------------------------- a row


def _row(
    lab: Lab, settings: Settings, known: dict[int, Trained], file: str, line: int
) -> dict[str, Any]:
    """What a line of an admitted file is, where it came from, and who learned it."""
    spool = Spool(lab, settings, SystemClock())
    meta = spool.find(file)
    shards = {each["file"]: each for each in noted(lab)}
    found: dict[str, Any] = {
        "row": {"file": meta.name, "id": meta.id, "line": line},
        "forge": _shard_of(meta, shards),
    }
    place, raw = _place_of(spool, meta, line)
    if place is None:
        buried = next((each for each in spool.buried(meta.id) if each.line == line), None)
        if buried is None:
            raise InputRefused(f"{meta.name} has no line {line}", next_command="r3 queue")
        return found | {"buried": buried.reason, "learned_by": [], "verdicts": []}
    order = order_of(meta.rows, meta.content_sha256, meta.pass_number, settings.queue.shuffle)
    position = next(number for number in range(meta.rows) if order(number) == place)
    learned = [
        each
        for each in known.values()
        if any(r.id == meta.id and r.first <= position < r.stop for r in each.rows)
    ]
    seals = {each.seal for each in learned}
    found["row"] |= _facts(raw) | {"position": position}
    if meta.content_deleted_at is not None:
        found["row"]["content_deleted_at"] = meta.content_deleted_at
    return found | {
        "learned_by": [{"checkpoint": each.seal, "step": each.step} for each in learned],
        "descendants": sorted(number for number in known if seals & set(_ancestors(known, number))),
        "verdicts": _about(lab, seals),
    }


def _place_of(spool: Spool, meta: FileMeta, line: int) -> tuple[int | None, bytes]:
    """The row's number among the trainable ones, and its bytes; None for a line that is none."""
    with spool.index(meta.id) as index:
        for place in range(len(index)):
            offset, length, at = index.locate(place)
            if at == line:
                if meta.content_deleted_at is not None:
                    return place, b"{}"
                with open(spool.data_path(meta.id), "rb") as data:
                    data.seek(offset)
                    return place, data.read(length)
    return None, b""


def _facts(raw: bytes) -> dict[str, Any]:
    """What the row says of itself."""
    row = json.loads(raw)
    found = {name: row[name] for name in ROW_KEYS if name in row}
    messages = row.get("messages") or [{}]
    return {**found, "reply": messages[-1].get("content")}
