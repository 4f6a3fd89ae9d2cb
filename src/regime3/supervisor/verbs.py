"""Obeying the user: queue verbs, rollback, stop. With a worker by order, without one by reseal.

A verb that changes which rows count as trained (skip, retry, remove, rollback) is done only when
a seal covers it; its request file is deleted after that seal, so a kill in between repeats the
request, and each verb is idempotent.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from regime3 import control, disk
from regime3.control import Pending, Request
from regime3.errors import InputRefused, Regime3Error
from regime3.records import messages as say
from regime3.records.files import Ending, FileMeta, is_forged
from regime3.records.ledger import Ledger

if TYPE_CHECKING:
    from regime3.daemon import Supervisor

_ENDINGS: dict[str, Ending] = {"skip": "skipped", "remove": "removed"}


class Verbs:
    """The requests of one lab, obeyed in order."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._sup = supervisor
        self._given: dict[Path, Request] = {}
        """Requests passed to the worker that wait for the seal that covers them."""
        self._bad: set[Path] = set()
        self.refusals: dict[Path, Regime3Error] = {}
        """Requests that could not be obeyed, for whoever asked."""

    def drop_stale_stops(self) -> None:
        """A stop asked of an earlier trainer is not meant for this one."""
        for item in control.pending(self._sup.lab)[0]:
            if item.request.verb == "stop" and item.request.asked_at < self._sup.born_at:
                disk.remove(item.path)

    def obey(self) -> None:
        """Take up every request that is new."""
        good, bad = control.pending(self._sup.lab)
        for path in bad:
            if path not in self._bad:
                self._bad.add(path)
                self._sup.board.event("bad-request", f"Not a request: {path.name}; delete it")
        for item in good:
            # A skip and a retry of one file, asked in one breath: the second waits for the seal
            # of the first, or it would be judged by a head that does not know the first.
            busy = {request.id for request in self._given.values()}
            if item.path not in self._given and item.request.id not in busy:
                self._obey_one(item)

    def forget_given(self) -> None:
        """A new worker knows nothing of orders given to the one before: they are given again."""
        self._given.clear()

    def settle(self) -> None:
        """After a seal: delete the requests that it covers."""
        for path, request in list(self._given.items()):
            if covered(self._sup.head_seal.ledger, request):
                disk.remove(path)
                del self._given[path]

    def _obey_one(self, item: Pending) -> None:
        sup = self._sup
        try:
            match item.request.verb:
                case "skip" | "remove" | "retry":
                    self._end_or_reopen(item)
                    return
                case "move":
                    self._move(item.request)
                case "seal":
                    if sup.worker is not None:
                        sup.worker.send(say.SealNow(item.request.reason or "asked"))
                case "rollback":
                    self._roll_back(item.request)
                case "stop":
                    sup.stopping = True
        except Regime3Error as error:  # a request may name what is not there any more
            sup.board.event("request-refused", f"Refused to {item.request.verb}: {error.message}")
            sup.say_line(f"refused: {error.message}")
            self.refusals[item.path] = error
        except OSError as error:  # a full disk, say: the request stays and is tried again
            sup.say_line(f"{item.request.verb} must wait: {error}")
            return
        disk.remove(item.path)

    def _end_or_reopen(self, item: Pending) -> None:
        """Skip, remove or retry: the worker acts and seals; without one we seal ourselves."""
        sup, request = self._sup, item.request
        meta = sup.spool.find(request.id)
        ledger = sup.head_seal.ledger
        if covered(ledger, request) or not possible(ledger, meta, request):
            now = ledger.ended.get(meta.id) or ("refused" if meta.refused else "open")
            raise InputRefused(f"nothing to {request.verb}: {meta.name} is {now}")
        if sup.worker is not None:
            self._given[item.path] = request
            if request.verb == "retry":
                sup.worker.send(say.Reopen(sup.spool.open_file(meta)))
            else:
                sup.worker.send(say.EndFile(meta.id, _ENDINGS[request.verb], request.reason))
            return
        sup.take_head(sup.vault.reseal(sup.head_seal, applied(ledger, meta, request), request.verb))
        disk.remove(item.path)

    def _move(self, request: Request) -> None:
        sup = self._sup
        meta = sup.spool.find(request.id)
        sup.spool.set_lane(meta.id, request.lane)
        sup.spool.reconcile(sup.head_seal.ledger)
        if sup.worker is not None:
            sup.worker.send(say.MoveLane(meta.id, request.lane))

    def _roll_back(self, request: Request) -> None:
        """Worker away, a seal whose parent is the target, history branched, worker back."""
        sup = self._sup
        sup.vault.open(request.seal)  # refuse what is not there before training is disturbed
        sup.housekeeping.protected = {request.seal}  # the worker's last seal prunes older ones
        sup.end_worker()
        outcome = sup.vault.rollback(request.seal, sup.spool.files(), is_forge)
        sup.housekeeping.protected = set()
        sup.take_head(outcome.seal)
        sup.board.begin(outcome.seal.manifest.step)
        story = outcome.story
        sup.board.event("rollback", f"Rolled back to checkpoint {request.seal}: {request.reason}")
        sup.say_line(f"rolled back to checkpoint {request.seal}")
        for what, caught in (
            ("trains again", story.fell_back),
            ("is held until retried", story.held),
            ("is quarantined", story.quarantined),
        ):
            for item in caught:
                text = f"{item.name} {what}: {item.story(story.left, story.target)}"
                sup.board.event("rollback-file", f"File {text}")
                sup.say_line(text)


def is_forge(meta: FileMeta) -> bool:
    """Whether the lab made this file itself; a rollback quarantines what it taught."""
    return is_forged(meta.lineage)


def covered(ledger: Ledger, request: Request) -> bool:
    """Whether the ledger already says what the request wants."""
    ending = ledger.ended.get(request.id)
    return ending is None if request.verb == "retry" else ending is not None


def possible(ledger: Ledger, meta: FileMeta, request: Request) -> bool:
    """Whether there is anything to end or to reopen."""
    if request.verb != "retry":
        return meta.rows > 0
    return ledger.ended.get(meta.id) != "done" and meta.content_deleted_at is None


def applied(ledger: Ledger, meta: FileMeta, request: Request) -> Ledger:
    """The ledger after the request, for a seal made without a worker."""
    after = ledger.child()
    if request.verb == "retry":
        after.reopen(meta.id)
        if after.positions.get(meta.id, 0) >= meta.rows:
            after.positions.pop(meta.id)
            after.ended[meta.id] = "done"
    else:
        after.end(meta.id, _ENDINGS[request.verb])
    return after
