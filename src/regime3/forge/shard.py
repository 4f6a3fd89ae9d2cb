"""A shard's way onto the disk: staged whole, then dropped into the inbox by one rename, then noted.

    stage(lab, number, rows, made)     # loop/forge-000007.jsonl and what is remembered of it
    drop(lab, number, lane, sidecar)   # inbox/LANE/forge-000007.jsonl, with its sidecar first
    note(lab, line)                    # a line of loop/shards.jsonl

Each can be done again after a kill, with the same outcome: what is dropped is no longer staged, and
what is noted is not noted twice. `remembered` reads back what the last shards held.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from regime3 import disk
from regime3.forge.rows import Made
from regime3.paths import Lab
from regime3.records.files import FORGE, Sidecar
from regime3.spool.names import sidecar_name

TAIL_BYTES = 1 << 20
"""Of shards.jsonl that is read to see what was noted last."""
LATELY = 1000
"""Lines of these in which a shard noted a moment ago must stand."""
_made = msgspec.json.Decoder(Made)


def stage(lab: Lab, number: int, rows: Sequence[dict[str, Any]], made: Sequence[Made]) -> str:
    """Write the shard whole, where nobody admits it yet; the sha256 of its bytes."""
    disk.make_folder(lab.forge_made)
    data = "".join(
        json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows
    ).encode()
    lines = b"".join(msgspec.json.encode(each) + b"\n" for each in made)
    disk.write_bytes(lab.forge_made_file(number), lines)
    disk.write_bytes(lab.forge_staged(number), data)
    return hashlib.sha256(data).hexdigest()


def drop(lab: Lab, number: int, lane: str, passes: int, lineage: dict[str, Any]) -> None:
    """Give a staged shard to admission; one that is no longer staged was given before."""
    staged = lab.forge_staged(number)
    if not staged.exists():
        return
    target = lab.inbox_lane(lane) / staged.name
    sidecar = Sidecar(passes=passes, lineage={"generator": FORGE, **lineage})
    disk.write_bytes(
        target.with_name(sidecar_name(target.name)), msgspec.json.encode(sidecar) + b"\n"
    )
    disk.rename(staged, target)


def note(lab: Lab, line: dict[str, Any]) -> None:
    """Append to shards.jsonl, once; a line that a kill tore is cut away first."""
    path = lab.forge_shards_file
    if path.exists():
        size_bytes = path.stat().st_size
        torn = _torn_bytes(path.read_bytes() if size_bytes <= TAIL_BYTES else _tail(lab))
        if torn:
            disk.truncate(path, size_bytes - torn)
        if any(each["shard"] == line["shard"] for each in noted(lab, LATELY)):
            return
    data = json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    with disk.Appender(path) as out:
        out.append(data)
        out.sync()


def noted(lab: Lab, limit: int | None = None) -> list[dict[str, Any]]:
    """The last lines of shards.jsonl, or all, oldest first; a torn one is no line."""
    if not lab.forge_shards_file.exists():
        return []
    if limit is None:
        whole = lab.forge_shards_file.read_bytes().rpartition(b"\n")[0].split(b"\n")
        return [json.loads(line) for line in whole if line]
    whole = _tail(lab).rpartition(b"\n")[0].split(b"\n")
    if lab.forge_shards_file.stat().st_size > TAIL_BYTES:
        whole = whole[1:]
    return [json.loads(line) for line in whole[-limit:] if line]


def _tail(lab: Lab) -> bytes:
    with open(lab.forge_shards_file, "rb") as source:
        source.seek(0, 2)
        source.seek(max(0, source.tell() - TAIL_BYTES))
        return source.read()


def _torn_bytes(tail: bytes) -> int:
    """Bytes after the last newline."""
    return len(tail) - (tail.rfind(b"\n") + 1)


def remembered(lab: Lab, before: int, shards: int, besides: int) -> list[list[Made]]:
    """What each of the last `shards` shards before number `before` held, newest first.

    Not number `besides`, which is being made: a kill may have left its own rows there.
    """
    numbers = range(before - 1, max(0, before - 1 - shards), -1)
    paths = [lab.forge_made_file(number) for number in numbers if number != besides]
    return [_made.decode_lines(path.read_bytes()) for path in paths if path.exists()]


def forget(lab: Lab, numbers: Iterable[int]) -> None:
    """Delete what is remembered of old shards."""
    for number in numbers:
        path = lab.forge_made_file(number)
        if path.exists():
            disk.remove(path)
