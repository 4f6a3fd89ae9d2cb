"""The ledger as bytes: `ledger.json` for what is open, `ended.bin` for what is over.

`ended.bin` holds 17 bytes for each file that ever ended: the 16 bytes of its id (32 hex
characters) and one code byte, sorted by id. It only grows, and 10,000 files cost 170 kB.
Decoding is strict: anything the encoder would not have written is refused, never mended.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping

import msgspec

from regime3.records.files import ID_HEX_CHARACTERS, Ending
from regime3.records.ledger import Ledger
from regime3.vault.checked import Unreadable

ENDED_BYTES = 17
CODE_OF: dict[Ending, int] = {"done": 1, "skipped": 2, "failed": 3, "removed": 4}
ENDING_OF: dict[int, Ending] = {code: ending for ending, code in CODE_OF.items()}
RECORD = struct.Struct("16sB")
ID = re.compile(f"[0-9a-f]{{{ID_HEX_CHARACTERS}}}")


def encode_ended(ended: Mapping[str, Ending]) -> bytes:
    """Sorted records; the same mapping always gives the same bytes."""
    return b"".join(
        RECORD.pack(bytes.fromhex(file_id), CODE_OF[ended[file_id]]) for file_id in sorted(ended)
    )


def decode_ended(data: bytes) -> dict[str, Ending]:
    """The mapping; raises `Unreadable` for a torn, unsorted, doubled or unknown record."""
    if len(data) % ENDED_BYTES:
        raise Unreadable(f"ended.bin: {len(data)} bytes are not whole records")
    ended: dict[str, Ending] = {}
    before = b""
    for raw, code in RECORD.iter_unpack(data):
        if raw <= before:
            raise Unreadable("ended.bin: its records are not in order")
        if code not in ENDING_OF:
            raise Unreadable(f"ended.bin: unknown code {code}")
        ended[raw.hex()] = ENDING_OF[code]
        before = raw
    return ended


def done_ids(data: bytes, endings: frozenset[Ending]) -> set[str]:
    """Only the ids that ended in one of `endings`; the quick way for retention."""
    return {file_id for file_id, ending in decode_ended(data).items() if ending in endings}


def encode_ledger(ledger: Ledger) -> tuple[bytes, bytes]:
    """The bytes of `ledger.json` and of `ended.bin`."""
    body = msgspec.to_builtins(ledger)
    del body["ended"]
    text = msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n"
    return text, encode_ended(ledger.ended)


def decode_ledger(ledger_json: bytes, ended_bin: bytes) -> Ledger:
    """The ledger; raises `Unreadable` with the reason."""
    try:
        ledger = msgspec.json.decode(ledger_json, type=Ledger)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"ledger.json: {error}") from None
    if ledger.ended:
        raise Unreadable("ledger.json: `ended` belongs into ended.bin")
    ledger.ended = decode_ended(ended_bin)
    problem = _problem(ledger)
    if problem:
        raise Unreadable(f"ledger.json: {problem}")
    return ledger


def _problem(ledger: Ledger) -> str | None:
    named = [*ledger.positions, *ledger.buried_at_run, *ledger.rolled_back]
    named += [item.id for item in ledger.trained] + [item.id for item in ledger.buried]
    for file_id in named:
        if not ID.fullmatch(file_id):
            return f"{file_id[:40]!r} is not a file id"
    for file_id, position in ledger.positions.items():
        if position < 0:
            return f"the position of {file_id} is negative"
        if ledger.ended.get(file_id) == "done":
            return f"{file_id} is done and has a position too"
    if any(not 0 <= item.first < item.stop for item in ledger.trained):
        return "a trained range is empty or backwards"
    if ledger.step < 0:
        return "the step is negative"
    return None
