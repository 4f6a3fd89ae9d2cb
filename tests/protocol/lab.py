"""The lab of the model: the same steps as the daemon, worker and vault take, in the same order.

Decisions come from `rules` (the shipped functions); this file adds the order of writes. Nothing
here is random: a history chooses the actions and their arguments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from regime3.config import Checkpoint
from regime3.errors import SealError
from regime3.records.checkpoint import Manifest
from regime3.records.files import LANE_ORDER, FileMeta, Lane
from regime3.records.ledger import Ledger, RowBurial
from regime3.vault.choice import check_continues, left_behind
from regime3.vault.retention import Shelved
from tests.protocol.rules import Rules, is_forge
from tests.protocol.world import Content, Disk, Request, Rows, SealFolder, Violation, consumed

WINDOW_ROWS = 4


@dataclass
class Worker:
    """A training process: everything in it dies with it."""

    parent: int
    ledger: Ledger
    weights: dict[str, Rows]
    caught: dict[str, int]


class Lab:
    """One lab on one disk. `worker` and the object itself are lost by a kill."""

    def __init__(self, disk: Disk, rules: Rules) -> None:
        self.disk, self.rules = disk, rules
        self.worker: Worker | None = None

    # ------------------------------------------------------------ start

    def found(self) -> None:
        """Checkpoint zero."""
        self._publish(None, Ledger(), {}, {}, "genesis", None)

    def recover(self) -> None:
        """What a start does: a verified head, half-admitted files, folders, then requests."""
        self.deep_head()
        self._take_in()
        self.reconcile()
        self.obey()

    def head(self) -> int:
        number = self.rules.choose_head(self.disk.entries(), self.disk.verdicts)
        if number is None:
            raise Violation("no head, although a good checkpoint is there")
        return number

    def head_folder(self) -> SealFolder:
        return self.disk.seals[self.head()]

    def deep_head(self) -> int:
        """Hash everything; a finding becomes a verdict that all share."""
        while True:
            number = self.head()
            if self.disk.seals[number].damage is None:
                return number
            self._judge(number, "rot")

    def _judge(self, number: int, reason: str) -> None:
        self.disk.write()
        self.disk.verdicts = self.disk.verdicts.with_damage(number, reason)

    # ------------------------------------------------------------ spool

    def admit(self) -> None:
        """Take everything from the inbox."""
        for name in sorted(self.disk.inbox):
            self.disk.write()
            self.disk.admitting[name] = self.disk.inbox.pop(name)
        self._take_in()

    def _take_in(self) -> None:
        for name, content in sorted(self.disk.admitting.items()):
            known = self.disk.meta.get(content.id)
            placed = content.id in self.disk.data
            if known is not None and (placed or known.content_deleted_at is not None):
                self.disk.write()
                del self.disk.admitting[name]
                continue
            first, second = self._record, self._place
            if not self.rules.meta_before_lane:
                first, second = second, first
            if known is None:
                first(content, name)
                second(content, name)
            else:
                self._place(content, name)

    def _record(self, content: Content, name: str) -> None:
        self.disk.write()
        admission = 1 + max((m.admission for m in self.disk.meta.values()), default=0)
        self.disk.meta[content.id] = FileMeta(
            id=content.id, content_sha256=content.id * 2, pass_number=1, passes=1, name=name,
            lane=content.lane, admission=admission, rows=content.rows, buried=1, size_bytes=1,
            admitted_at=0.0, lineage={"generator": "forge"} if content.forge else {},
        )  # fmt: skip

    def _place(self, content: Content, name: str) -> None:
        self.disk.write()
        self.disk.data[content.id] = content.lane
        self.disk.contents[content.id] = content
        self.disk.admitting.pop(name, None)

    def reconcile(self) -> None:
        """Folders become f(head, meta)."""
        ledger = self.head_folder().ledger
        for file_id, meta in self.disk.meta.items():
            wanted = self.rules.folder_of(meta, ledger)
            if self.disk.data.get(file_id, wanted) != wanted:
                self.disk.write()
                self.disk.data[file_id] = wanted

    def move(self, file_id: str, lane: Lane) -> None:
        meta = self.disk.meta[file_id]
        self.disk.write()
        self.disk.meta[file_id] = msgspec.structs.replace(meta, lane=lane)
        self.reconcile()

    # ------------------------------------------------------------ worker

    def start_worker(self) -> None:
        folder = self.disk.seals[number := self.deep_head()]
        self.worker = Worker(
            number, folder.ledger.child(), dict(folder.weights), dict(folder.caught)
        )

    def train(self) -> bool:
        """One window in memory; False when dry. One lane at a time, first in first out."""
        worker = self._worker()
        files = self._open_files(worker.ledger)
        if not files:
            return False
        room = WINDOW_ROWS
        for meta in files:
            if meta.lane != files[0].lane or room == 0:
                break
            first = worker.ledger.positions.get(meta.id, 0)
            rows = min(room, meta.rows - first)
            for row in range(first, first + rows):
                self._train_row(worker, meta.id, row)
            worker.ledger.consume(meta.id, rows, meta.rows)
            room -= rows
        worker.ledger.step += 1
        return True

    def _open_files(self, ledger: Ledger) -> list[FileMeta]:
        found = [
            m for m in self.disk.meta.values()
            if m.rows > 0 and m.id not in ledger.ended and m.id in self.disk.data
        ]  # fmt: skip
        return sorted(found, key=lambda m: (LANE_ORDER.index(m.lane), m.admission))

    def _train_row(self, worker: Worker, file_id: str, row: int) -> None:
        if row in consumed(worker.weights, file_id):
            raise Violation(f"row {row} of {file_id[-4:]} trained twice")
        trained, buried = worker.weights.get(file_id, (frozenset(), frozenset()))
        if row in self.disk.contents[file_id].poison:
            worker.ledger.bury(RowBurial(file_id, row, row + 1, "poison"))
            worker.weights[file_id] = (trained, buried | {row})
        else:
            worker.weights[file_id] = (trained | {row}, buried)

    def _worker(self) -> Worker:
        if self.worker is None:
            self.start_worker()
        assert self.worker is not None
        return self.worker

    def seal(self, reason: str = "steps") -> None:
        """The worker commits; one that missed something is refused and dies."""
        worker = self._worker()
        try:
            check_continues(self.disk.entries(), self.disk.verdicts, worker.parent)
        except SealError:
            self.worker = None
            return
        worker.parent = self._publish(
            worker.parent, worker.ledger, worker.weights, worker.caught, reason, None
        )
        worker.ledger = worker.ledger.child()
        self._after_seal()

    def _after_seal(self) -> None:
        self.reconcile()
        ledger = self.head_folder().ledger
        for key, request in sorted(self.disk.control.items()):
            if _covered(ledger, request):
                self._drop_request(key)

    # ------------------------------------------------------------ the user

    def obey(self) -> None:
        """Skip, remove and retry: by the worker where there is one, else by a reseal."""
        for key, request in sorted(self.disk.control.items()):
            if key not in self.disk.control:
                continue
            ledger = self.worker.ledger if self.worker else self.head_folder().ledger.child()
            if not self.rules.control_deleted_after_seal:
                self._drop_request(key)
            if not self._possible(ledger, request):
                if self.rules.control_deleted_after_seal and self.worker is None:
                    self._drop_request(key)
                elif self.worker is not None:
                    self.seal("asked")
                    self._drop_request(key)
                continue
            if request.verb == "retry":
                ledger.reopen(request.id)
            else:
                ledger.end(request.id, "skipped" if request.verb == "skip" else "removed")
            if self.worker:
                self.seal(request.verb)
            else:
                self.reseal(ledger, request.verb)

    def _drop_request(self, key: int) -> None:
        """The user's word may go only when the head has it, or can never have it."""
        if key not in self.disk.control:
            return
        self.disk.write()
        request = self.disk.control.pop(key)
        ledger = self.head_folder().ledger
        if not _covered(ledger, request) and self._possible(ledger, request):
            raise Violation(
                f"asked to {request.verb} {request.id[-4:]}, deleted before it was done"
            )

    def _possible(self, ledger: Ledger, request: Request) -> bool:
        ending = ledger.ended.get(request.id)
        if request.verb == "retry":
            return ending not in (None, "done") and request.id in self.disk.data
        return ending is None and self.disk.meta[request.id].rows > 0

    def reseal(self, ledger: Ledger, reason: str) -> None:
        number = self.head()
        folder = self.disk.seals[number]
        self._publish(number, ledger, folder.weights, folder.caught, reason, folder.blob)
        self._after_seal()

    def rollback(self, target: int, seal_first: bool) -> None:
        """Worker away, then a seal whose parent is the target."""
        if self.worker is not None and seal_first:
            self.seal("stop")
        self.worker = None
        number = self.head()
        if target not in self.targets():
            return
        left, goal = self.disk.seals[number], self.disk.seals[target]
        ledger = self.rules.rollback_ledger(
            left.ledger, goal.ledger, self.disk.meta, (number, target)
        )
        ledger.abandoned = sorted({*ledger.abandoned, *left.ledger.abandoned})
        ids = {*left.weights, *goal.weights}
        touched = {i for i in ids if consumed(left.weights, i) != consumed(goal.weights, i)}
        caught = {**left.caught, **{i: left.caught.get(i, 0) + 1 for i in touched}}
        self._check_caught(touched, caught, ledger)
        self._publish(target, ledger, goal.weights, caught, "rollback", goal.blob)
        self._after_seal()

    def targets(self) -> list[int]:
        """Numbers that `r3 rollback` would accept."""
        entries, verdicts = self.disk.entries(), self.disk.verdicts
        gone, head = left_behind(entries, verdicts), self.head()
        return [
            e.number for e in entries
            if e.damage is None and e.number not in gone and e.number < head
            and self.disk.seals[e.number].damage is None
        ]  # fmt: skip

    def _check_caught(self, touched: set[str], caught: dict[str, int], ledger: Ledger) -> None:
        for file_id in touched:
            must_rest = is_forge(self.disk.meta[file_id]) or caught[file_id] >= 2
            if must_rest and file_id not in ledger.ended:
                raise Violation(f"{file_id[-4:]} trains again after rollback {caught[file_id]}")

    # ------------------------------------------------------------ vault

    def _publish(
        self,
        parent: int | None,
        ledger: Ledger,
        weights: dict[str, Rows] | object,
        caught: dict[str, int] | object,
        reason: str,
        blob: int | None,
    ) -> int:
        disk = self.disk
        if disk.verdicts.pending is not None:
            disk.write()
            disk.verdicts = disk.verdicts.settled(set(disk.seals))
        plan = self.rules.plan_publication(disk.entries(), disk.verdicts, parent, ledger.abandoned)
        ledger = ledger.copy()
        ledger.abandoned = plan.abandoned
        disk.write()  # state and ledger, into a temp folder: nobody looks there
        if plan.verdicts_first is not None:
            disk.write()
            disk.verdicts = plan.verdicts_first
        disk.write()  # the manifest, still in the temp folder
        disk.write()  # the rename
        if plan.number <= disk.truth.highest:
            raise Violation(f"number {plan.number} is used twice")
        disk.seals[plan.number] = SealFolder(
            Manifest(
                plan.number, parent, ledger.step, disk.now, reason, {}, abandoned=plan.abandoned
            ),
            ledger,
            dict(weights),  # type: ignore[call-overload]
            dict(caught),  # type: ignore[call-overload]
            plan.number if blob is None else blob,
        )
        between = {n for n in disk.seals if (parent or 0) < n < plan.number}
        disk.truth = replace(
            disk.truth, highest=plan.number, abandoned=disk.truth.abandoned | between
        )
        return plan.number

    def retain(self, settings: Checkpoint, protected: set[int]) -> None:
        """Checkpoints go by rule; then contents that none may ask for."""
        disk, rules = self.disk, self.rules
        confirmed = disk.verdicts.confirmed(set(disk.seals))
        if confirmed is not disk.verdicts:
            disk.write()
            disk.verdicts = confirmed
        entries, head = disk.entries(), self.head()
        gone = left_behind(entries, disk.verdicts)
        shelf = [
            Shelved(
                e.number, disk.seals[e.number].manifest.created_at, None, e.damage is not None,
                e.number in gone, {disk.seals[e.number].blob: 1},
            )
            for e in entries
        ]  # fmt: skip
        fallbacks = rules.fallbacks(entries, disk.verdicts)
        for number in rules.choose_deletions(
            shelf, settings, head, fallbacks, protected, disk.now
        ).deleted:
            disk.write()
            del disk.seals[number]
        self._delete_contents(head)

    def _delete_contents(self, head: int) -> None:
        gone = left_behind(self.disk.entries(), self.disk.verdicts)
        over: dict[int, set[str] | None] = {}
        for number, folder in self.disk.seals.items():
            if folder.damage != "manifest":
                ended = folder.ledger.ended.items()
                over[number] = {i for i, ending in ended if ending in ("done", "removed")}
            elif number not in gone:
                over[number] = None
        for file_id in sorted(self.rules.deletable(over, head, set(self.disk.meta))):
            meta = self.disk.meta[file_id]
            if meta.content_deleted_at is None:
                self.disk.write()
                self.disk.meta[file_id] = msgspec.structs.replace(meta, content_deleted_at=1.0)
            if file_id in self.disk.data:
                self.disk.write()
                del self.disk.data[file_id]


def _covered(ledger: Ledger, request: Request) -> bool:
    ending = ledger.ended.get(request.id)
    return ending is None if request.verb == "retry" else ending is not None
