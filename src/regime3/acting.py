"""What a person does to a lab, under the command line and the page alike. Never imports torch.

    done = act(lab, settings, Act("skip", id="forge-000003"))
    done.text                    # what became of it
    done.undo                    # the act that takes it back; None where nothing can

A trainer that runs obeys in its own time; where none runs, training's verbs are obeyed here. Each
raises what its refusal says: `InputRefused`, `LabLocked`, `Unavailable`, `NodeRefused`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from regime3 import control, disk
from regime3.client import Client, node_address
from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.errors import InputRefused, LabLocked, Unavailable
from regime3.judge import ledger
from regime3.judge.person import decide
from regime3.paths import LANES, Lab
from regime3.records.files import Lane
from regime3.spool import Spool
from regime3.vault import Vault

Verb = Literal[
    "pause", "resume", "seal", "skip", "retry", "remove", "move", "promote", "rollback",
    "cancel", "power", "guest",
]  # fmt: skip
TEXT_CHARACTERS_MAX = 200
NODE_S_MAX = 10.0
LOAD_S_MAX = 120.0
"""A model of 1.2 GB is loaded in some 20 s."""
PROFILES = ("quiet", "normal", "max", "auto")


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done. `id` names a file, job, power profile or model; `number` a checkpoint."""

    verb: Verb
    id: str = ""
    lane: Lane = "normal"
    number: int = 0
    reason: str = "asked by the user"


class Done(msgspec.Struct, frozen=True):
    """What became of it."""

    act: Act
    text: str
    done: bool = True
    """False: a trainer that runs has it in hand."""
    undo: Act | None = None
    name: str = ""
    """Of the file."""
    number: int | None = None
    """The head after a rollback; the verdict of a promotion."""


def act(lab: Lab, settings: Settings, wanted: Act) -> Done:
    """Do it, or hand it to whoever does."""
    if max(len(wanted.id), len(wanted.reason)) > TEXT_CHARACTERS_MAX:
        raise InputRefused(f"a name or reason is at most {TEXT_CHARACTERS_MAX} characters")
    return _ACTS[wanted.verb](lab, settings, wanted)


def obey_here(lab: Lab, settings: Settings, asked: Path) -> bool:
    """Obey waiting requests ourselves if no trainer holds the lab; False if one does.

    Raises what the request `asked` was refused with.
    """
    from regime3.daemon import Supervisor

    try:
        supervisor = Supervisor(lab, settings)
        supervisor.obey_once()
    except LabLocked:
        return False
    if asked in supervisor.verbs.refusals:
        raise supervisor.verbs.refusals[asked]
    return True


# ------------------------------------------------------------------------------------ training


def _pause(lab: Lab, settings: Settings, wanted: Act) -> Done:
    was = control.paused(lab)
    control.pause(lab, wanted.reason, time.time())
    note = "" if disk.is_locked(lab.supervisor_lock) else " (no trainer is running now)"
    undo = Act("resume") if was is None else Act("pause", reason=was.reason)
    return Done(wanted, f"paused: {wanted.reason}{note}", undo=undo)


def _resume(lab: Lab, settings: Settings, wanted: Act) -> Done:
    was = control.paused(lab)
    if not control.resume(lab):
        return Done(wanted, "was not paused", done=False)
    return Done(wanted, "resumed", undo=Act("pause", reason=was.reason if was else wanted.reason))


def _seal(lab: Lab, settings: Settings, wanted: Act) -> Done:
    if not disk.is_locked(lab.supervisor_lock):
        raise Unavailable("no trainer runs that could seal", "r3 trainer")
    control.ask(lab, control.Request("seal", time.time(), reason=wanted.reason))
    return Done(wanted, "the trainer seals after the current window", done=False)


_UNDONE: dict[str, Verb] = {"skip": "retry", "remove": "retry", "retry": "skip"}


def _file(lab: Lab, settings: Settings, wanted: Act) -> Done:
    """Skip, remove, retry or move a file, named by name or the start of an id."""
    assert wanted.verb in ("skip", "remove", "retry", "move")
    if wanted.lane not in LANES:
        raise InputRefused(f"{wanted.lane!r} is no lane; want one of {', '.join(LANES)}")
    meta = Spool(lab, settings, SystemClock()).find(wanted.id)
    request = control.Request(
        wanted.verb, time.time(), id=meta.id, lane=wanted.lane, reason=wanted.reason
    )
    done = obey_here(lab, settings, control.ask(lab, request))
    if wanted.verb == "move":
        undo = Act("move", id=meta.id, lane=meta.lane)
    else:
        undo = Act(_UNDONE[wanted.verb], id=meta.id)
    return Done(wanted, f"{wanted.verb} {meta.name} ({meta.id[:12]}): {_how(done)}", done, undo,
                meta.name)  # fmt: skip


def _how(done: bool) -> str:
    return "done" if done else "the trainer has it in hand"


# --------------------------------------------------------------------------------- checkpoints


def _promote(lab: Lab, settings: Settings, wanted: Act) -> Done:
    seal = Vault(lab, SystemClock()).open(wanted.number)
    before = ledger.standing_of(lab).champion
    verdict = decide(lab, "promote", seal, wanted.reason, SystemClock())
    running = disk.is_locked(lab.loop_lock)
    later = "" if running else "; the node serves it once r3 up or r3 loop runs"
    undo = None if before in (None, wanted.number) else Act("promote", number=before or 0)
    text = f"checkpoint {wanted.number} is the champion{later}"
    return Done(wanted, text, running, undo, number=verdict.number)


def _rollback(lab: Lab, settings: Settings, wanted: Act) -> Done:
    # Nothing takes it back: what a rollback leaves behind cannot be gone on from.
    target = Vault(lab, SystemClock()).open(wanted.number)
    request = control.Request("rollback", time.time(), seal=wanted.number, reason=wanted.reason)
    done = obey_here(lab, settings, control.ask(lab, request))
    if lab.ledger_file.exists():  # the judge measures by what the user went back to
        decide(lab, "rollback", target, wanted.reason, SystemClock())
    head = Vault(lab, SystemClock()).head().number if done else None
    text = f"rolled back; the head is checkpoint {head}" if done else "the trainer has it in hand"
    return Done(wanted, text, done, number=head)


# -------------------------------------------------------------------------------------- node


def _cancel(lab: Lab, settings: Settings, wanted: Act) -> Done:
    with _node(lab, settings) as node:
        state = node.cancel(wanted.id)["state"]
    return Done(wanted, f"{wanted.id}: {state}")


def _power(lab: Lab, settings: Settings, wanted: Act) -> Done:
    if wanted.id not in PROFILES:
        raise InputRefused(f"{wanted.id!r} is no profile; want one of {', '.join(PROFILES)}")
    with _node(lab, settings) as node:
        before = node.call("GET", "/settings/power_profile")
        node.call("PUT", "/settings/power_profile", {"profile": wanted.id})
    was = str(before["profile"]) if before.get("by") == "hand" else "auto"
    undo = Act("power", id=was) if was in PROFILES and was != wanted.id else None
    return Done(wanted, f"power profile {wanted.id}", undo=undo)


def _guest(lab: Lab, settings: Settings, wanted: Act) -> Done:
    """Load a model beside champion and challenger, to be talked to."""
    with _node(lab, settings, LOAD_S_MAX) as node:
        node.call("PUT", "/models/aliases/guest", {"id": wanted.id})
    return Done(wanted, f"{wanted.id} is loaded, until the loop needs its place")


def _node(lab: Lab, settings: Settings, reply_s: float = NODE_S_MAX) -> Client:
    return Client(*node_address(lab, settings), reply_s=reply_s)


_ACTS: dict[str, Callable[[Lab, Settings, Act], Done]] = {
    "pause": _pause, "resume": _resume, "seal": _seal,
    "skip": _file, "retry": _file, "remove": _file, "move": _file,
    "promote": _promote, "rollback": _rollback,
    "cancel": _cancel, "power": _power, "guest": _guest,
}  # fmt: skip
