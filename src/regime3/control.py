"""What the user asked of a trainer: one small file a request in `control/`.

A request names its file by id, never "the current one", so it means the same thing after a
restart. The supervisor obeys requests in order and deletes each only when the seal that covers it
exists. Pausing is a state, not an event: `paused.json` is there or it is not.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import msgspec

from regime3 import disk
from regime3.paths import Lab
from regime3.records.files import Lane

Verb = Literal["skip", "retry", "remove", "move", "seal", "rollback", "stop"]
REQUESTS_MAX = 10_000


class Request(msgspec.Struct, frozen=True):
    """One request. `id` names a file, `lane` goes with move, `seal` with rollback."""

    verb: Verb
    asked_at: float
    id: str = ""
    lane: Lane = "normal"
    seal: int = 0
    reason: str = ""


class Paused(msgspec.Struct, frozen=True):
    """Why and since when training rests."""

    reason: str
    since: float


class Pending(msgspec.Struct, frozen=True):
    """A request and the file that holds it."""

    path: Path
    request: Request


def ask(lab: Lab, request: Request) -> Path:
    """Put a request where the supervisor looks."""
    path = lab.control_request(f"{time.time_ns():020d}-{request.verb}")
    disk.write_bytes(path, msgspec.json.encode(request))
    return path


def pending(lab: Lab) -> tuple[list[Pending], list[Path]]:
    """Requests in the order asked, and files that are no request (kept, and reported)."""
    good, bad = [], []
    for path in sorted(lab.control_requests())[:REQUESTS_MAX]:
        try:
            good.append(Pending(path, msgspec.json.decode(path.read_bytes(), type=Request)))
        except msgspec.DecodeError:
            bad.append(path)
        except FileNotFoundError:
            continue  # taken back by whoever asked
    return good, bad


def pause(lab: Lab, reason: str, now: float) -> None:
    """Training rests after the current window, also across restarts."""
    disk.write_bytes(lab.paused_file, msgspec.json.encode(Paused(reason, now)))


def resume(lab: Lab) -> bool:
    """Training goes on; False when it was not paused."""
    there = lab.paused_file.exists()
    disk.remove(lab.paused_file)
    return there


def paused(lab: Lab) -> Paused | None:
    """The pause in force. An unreadable file still pauses: that is the safe reading."""
    try:
        return msgspec.json.decode(lab.paused_file.read_bytes(), type=Paused)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError:
        return Paused("control/paused.json is unreadable; r3 resume removes it", 0.0)
