"""The vault: the one place where a lab's checkpoints are made, chosen, set back and let go.

    vault = Vault(lab, SystemClock())
    temp = vault.begin()                  # torch writes its state into temp
    seal = vault.commit(temp, parent=head.number, step=120, reason="steps", ledger=ledger)
    vault.head()                          # the single truth about the lab

Rules: `docs/protocol.md`. One process at a time may write (the worker while it lives, else the
supervisor; they hold the locks, not this class); any process may read. What it does not do:
move queue folders, decide when to seal, load a tensor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import msgspec

from regime3 import disk
from regime3.clock import Clock
from regime3.config import Checkpoint
from regime3.errors import SealDamaged, SealError, SealMissing
from regime3.paths import Lab
from regime3.records.checkpoint import Manifest, Seal, SealedFile, SealEntry
from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger
from regime3.vault.checked import Unreadable, read_bounded
from regime3.vault.choice import (
    Entry,
    check_continues,
    choose_head,
    fallbacks,
    left_behind,
    plan_publication,
)
from regime3.vault.holdings import ContentNeeds, shelved, shown
from regime3.vault.reading import Progress, Shelf, check_deep, check_hashes, read_seal
from regime3.vault.retention import Plan, choose_deletions, deletable
from regime3.vault.rollback import ROLLBACK_NAME, RollbackStory, rollback_ledger
from regime3.vault.sealing import (
    cleared,
    link_files,
    promise,
    publish,
    state_of,
    temp_folder,
    write_ledger,
)
from regime3.vault.snapshots import Snapshots, due_day
from regime3.vault.verdicts import Verdicts, decode_verdicts, encode_verdicts

Entries = list[Entry]
SealEntries = list[SealEntry]
Numbers = list[int]
Days = list[str]


class RollbackOutcome(msgspec.Struct, frozen=True):
    """The new head and what became of which file."""

    seal: Seal
    story: RollbackStory


class Vault:
    """Checkpoints of one lab. Cheap to make; keeps only caches."""

    def __init__(self, lab: Lab, clock: Clock) -> None:
        self.lab, self.clock = lab, clock
        self.snapshots = Snapshots(lab)
        self.last_plan: Plan | None = None
        """What the last `retain` decided; `over_budget_bytes` > 0 deserves an alert."""
        self._shelf = Shelf(lab)
        self._content = ContentNeeds(lab)

    # ------------------------------------------------------------ reading

    def head(self, *, deep: bool = False, progress: Progress | None = None) -> Seal:
        """The head; with `deep`, the highest whose every byte is as promised.

        A deep check writes its verdict, so that every process agrees afterwards: only who may
        write asks for it. Raises `SealMissing` when no valid checkpoint is left.
        """
        while True:
            number = self.head_number()
            if number is None:
                raise self._no_head()
            try:
                return self.open(number, deep=deep, progress=progress)
            except SealDamaged:
                if not deep:
                    raise

    def head_number(self) -> int | None:
        """The head's number without reading its ledger; None when there is none."""
        return choose_head(*self._look())

    def open(self, number: int, *, deep: bool = False, progress: Progress | None = None) -> Seal:
        """Any valid checkpoint, left behind or not. Raises `SealMissing` or `SealDamaged`."""
        verdicts = self._verdicts()
        entry = self._entry(self._shelf.entries({} if deep else verdicts.damaged), number)
        if entry.damage is not None or entry.manifest is None:
            raise SealDamaged(number, entry.damage or "unreadable")
        try:
            if deep:
                check_deep(self.lab.seal(number), entry.manifest, progress)
            seal = read_seal(self.lab.seal(number), entry.manifest)
        except SealDamaged as damaged:
            if deep:
                self._judge(verdicts, number, damaged.reason)
            raise
        if deep and number in verdicts.damaged:
            self._judge(verdicts, number, None)
        return seal

    def list(self, *, deep: bool = False, progress: Progress | None = None) -> SealEntries:
        """Everything numbered, ascending, damaged and left behind included.

        `deep` hashes every byte of each; it writes no verdict, so anyone may ask.
        """
        entries, verdicts = self._look()
        if deep:
            entries = [self._deep(entry, progress) for entry in entries]
        head, gone = choose_head(entries, verdicts), left_behind(entries, verdicts)
        return [shown(entry, head, gone) for entry in entries]

    def story(self, seal: Seal) -> RollbackStory | None:
        """What a rollback seal did to files; None for other seals."""
        if ROLLBACK_NAME not in seal.manifest.files:
            return None
        check_hashes(seal.path, seal.manifest, [ROLLBACK_NAME])
        return msgspec.json.decode((seal.path / ROLLBACK_NAME).read_bytes(), type=RollbackStory)

    # ------------------------------------------------------------ committing

    def begin(self) -> Path:
        """A fresh temp folder for the state; only `commit` makes it a checkpoint."""
        disk.make_folder(self.lab.checkpoints)
        return disk.temp_folder(self.lab.checkpoints, "seal")

    def sweep(self) -> int:
        """Delete what killed writers left; the caller holds both locks."""
        return sum(
            disk.sweep_temp(folder)
            for folder in (self.lab.checkpoints, self.lab.snapshots)
            if folder.is_dir()
        )

    def commit(
        self,
        temp: Path,
        *,
        parent: int | None,
        step: int,
        reason: str,
        ledger: Ledger,
        model_name: str = "",
        validation_loss: float | None = None,
        versions: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> Seal:
        """Publish `temp` as the next checkpoint and new head.

        Raises `SealError` when another commit or a rollback came between; `temp` is gone then,
        and after any other failure (OSError) too.
        """
        draft = Manifest(
            number=0,
            parent=parent,
            step=step,
            created_at=self.clock.now(),
            reason=reason,
            files={},
            model_name=model_name,
            validation_loss=validation_loss,
            versions=dict(versions or {}),
        )
        with cleared(temp):
            check_continues(*self._look(), parent)
            return self._publish(temp, draft, ledger, {}, progress)

    def reseal(self, parent: Seal, ledger: Ledger, reason: str) -> Seal:
        """The head's state under a new ledger, by hard links: for verdicts while nothing trains."""
        state = state_of(parent.manifest)
        draft = msgspec.structs.replace(
            parent.manifest, parent=parent.number, reason=reason, created_at=self.clock.now(),
            rolled_back_from=None,
        )  # fmt: skip
        check_continues(*self._look(), parent.number)
        with temp_folder(self.lab.checkpoints, "reseal") as temp:
            link_files(parent.path, temp, state)
            return self._publish(temp, draft, ledger, state)

    def rollback(
        self,
        target: int,
        files: Mapping[str, FileMeta],
        is_forge: Callable[[FileMeta], bool],
        progress: Progress | None = None,
    ) -> RollbackOutcome:
        """Make the target's state the head again, under the next number.

        The target is hashed whole first. Raises `SealMissing`, `SealDamaged`, or `SealError`
        when it was left behind or is the head. What happened to files is in the outcome and,
        for good, in `rollback.json` of the new seal.
        """
        left = self.head()
        goal = self._target(target, left.number, progress)
        ledger, story = rollback_ledger(
            left.ledger, goal.ledger, files, is_forge,
            left_number=left.number, target_number=target,
        )  # fmt: skip
        ledger.abandoned = sorted({*ledger.abandoned, *left.ledger.abandoned})
        draft = msgspec.structs.replace(
            goal.manifest, parent=target, reason="rollback", created_at=self.clock.now(),
            rolled_back_from=left.number,
        )  # fmt: skip
        state = state_of(goal.manifest)
        with temp_folder(self.lab.checkpoints, "rollback") as temp:
            link_files(goal.path, temp, state)
            text = msgspec.json.format(msgspec.json.encode(story), indent=1)
            disk.write_bytes(temp / ROLLBACK_NAME, text)
            return RollbackOutcome(self._publish(temp, draft, ledger, state), story)

    def point_current_model(self, seal: Seal) -> None:
        """`models/current_model` becomes a relative link to the seal."""
        link = self.lab.current_model
        disk.make_folder(link.parent)
        disk.replace_link(link, os.path.relpath(seal.path, link.parent))

    # ------------------------------------------------------------ letting go

    def retain(self, settings: Checkpoint, protected: Collection[int], now: float) -> Numbers:
        """Delete by rule; returns the numbers. `last_plan` says why, and whether space sufficed."""
        verdicts = self._confirm()
        entries = self._shelf.entries(verdicts.damaged)
        head, gone = choose_head(entries, verdicts), left_behind(entries, verdicts)
        plan = choose_deletions(
            [shelved(self.lab, entry, gone) for entry in entries],
            settings,
            head=head,
            fallbacks=fallbacks(entries, verdicts),
            protected=protected,
            now=now,
        )
        for number in plan.deleted:
            disk.remove_folder(self.lab.seal(number))
        self.last_plan = plan
        return plan.deleted

    def deletable_content(self, files: Iterable[str]) -> set[str]:
        """Ids among `files` whose bytes no checkpoint can ask for again.

        Done, or removed by the user, in every full checkpoint on disk, left behind and damaged
        ones included; while one that is not left behind cannot be read, none.
        """
        entries, verdicts = self._look()
        gone = left_behind(entries, verdicts)
        return deletable(self._content.over_in_each(entries, gone), files)

    def snapshot_due(self, settings: Checkpoint, now: float) -> str | None:
        """The day whose snapshot is due, or None."""
        if settings.snapshots_max == 0:
            return None
        made = [e.manifest.created_at for e in self._look()[0] if e.manifest is not None]
        days = self.snapshots.days()
        return due_day(now, settings.snapshot_at, days, min(made, default=None))

    def snapshot(self, day: str) -> Path:
        """Weights, config and tokenizer of the head under `snapshots/DAY`."""
        return self.snapshots.take(self.head(), day, self.clock.now())

    def prune_snapshots(self, snapshots_max: int) -> Days:
        """Keep the newest; returns the days deleted."""
        return self.snapshots.prune(snapshots_max)

    # ------------------------------------------------------------ inside

    def _look(self) -> tuple[Entries, Verdicts]:
        verdicts = self._verdicts()
        return self._shelf.entries(verdicts.damaged), verdicts

    def _verdicts(self) -> Verdicts:
        """Lost or torn counts as empty: see `verdicts`."""
        try:
            return decode_verdicts(read_bounded(self.lab.verdicts_file))
        except (FileNotFoundError, Unreadable):
            return Verdicts()

    def _settle(self) -> Verdicts:
        """What was pending stood or fell: for a writer about to publish."""
        verdicts = self._verdicts()
        if verdicts.pending is None:
            return verdicts
        return self._record(verdicts.settled({e.number for e in self._shelf.entries({})}))

    def _confirm(self) -> Verdicts:
        """What was pending stands by itself, should its claimer be deleted now."""
        verdicts = self._verdicts()
        confirmed = verdicts.confirmed({e.number for e in self._shelf.entries({})})
        return verdicts if confirmed is verdicts else self._record(confirmed)

    def _record(self, verdicts: Verdicts) -> Verdicts:
        disk.write_bytes(self.lab.verdicts_file, encode_verdicts(verdicts))
        return verdicts

    def _judge(self, verdicts: Verdicts, number: int, reason: str | None) -> None:
        self._record(verdicts.with_damage(number, reason))

    def _publish(
        self,
        temp: Path,
        draft: Manifest,
        ledger: Ledger,
        known: Mapping[str, SealedFile],
        progress: Progress | None = None,
    ) -> Seal:
        verdicts = self._settle()
        entries = self._shelf.entries(verdicts.damaged)
        plan = plan_publication(entries, verdicts, draft.parent, ledger.abandoned)
        ledger = ledger.copy()
        ledger.step, ledger.abandoned = draft.step, plan.abandoned
        write_ledger(temp, ledger)
        manifest = msgspec.structs.replace(
            draft, number=plan.number, abandoned=plan.abandoned,
            files=promise(temp, known, progress),
        )  # fmt: skip
        if plan.verdicts_first is not None:
            self._record(plan.verdicts_first)
        return publish(temp, self.lab.seal(plan.number), manifest, ledger)

    def _entry(self, entries: Iterable[Entry], number: int) -> Entry:
        for entry in entries:
            if entry.number == number:
                return entry
        day = self.snapshots.day_of(number)
        if day is not None:
            raise SealMissing(
                f"of checkpoint {number} only the snapshot {day} is left: its weights can be "
                "restored into a new lab, not rolled back to",
                f"r3 init NEW_LAB --model {self.lab.snapshot(day)}",
            )
        raise SealMissing(f"there is no checkpoint {number}", "r3 checkpoints")

    def _target(self, target: int, head: int, progress: Progress | None) -> Seal:
        entries, verdicts = self._look()
        self._entry(entries, target)
        if target in left_behind(entries, verdicts):
            raise SealError(
                f"checkpoint {target} was left behind by a rollback and cannot be a target",
                "r3 checkpoints",
            )
        if target == head:
            raise SealError(f"checkpoint {target} is the head already", "r3 checkpoints")
        return self.open(target, deep=True, progress=progress)

    def _deep(self, entry: Entry, progress: Progress | None) -> Entry:
        if entry.manifest is None:
            return entry
        try:
            check_deep(self.lab.seal(entry.number), entry.manifest, progress)
        except SealDamaged as damaged:
            return Entry(entry.number, entry.manifest, damaged.reason)
        return Entry(entry.number, entry.manifest)

    def _no_head(self) -> SealMissing:
        found = self.list()
        if not found:
            return SealMissing("this lab has no checkpoint", "r3 init")
        broken = sum(entry.state == "damaged" for entry in found)
        return SealMissing(
            f"none of {len(found)} checkpoints can be used: {broken} damaged, "
            f"{len(found) - broken} left behind by rollbacks",
            "r3 doctor",
        )
