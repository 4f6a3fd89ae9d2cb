"""The model can fail: each broken rule is found within sixty histories."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec
import pytest

from regime3.config import Checkpoint
from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger
from regime3.vault.choice import Entry, Publication
from regime3.vault.retention import Plan, Shelved
from regime3.vault.verdicts import Verdicts
from tests.protocol import model
from tests.protocol.rules import Rules
from tests.protocol.world import Violation

HISTORIES_MAX = 60


class HeadByStep(Rules):
    """The newest is the one with the most steps: steps repeat after a rollback."""

    def choose_head(self, entries: Iterable[Entry], verdicts: Verdicts) -> int | None:
        valid = [e for e in entries if e.damage is None and e.manifest is not None]
        steps = {e.number: (e.manifest.step, e.number) for e in valid if e.manifest}
        return max(steps, key=lambda number: steps[number], default=None)


class HeadIgnoresRollbacks(Rules):
    """The highest valid number, whoever left it behind."""

    def choose_head(self, entries: Iterable[Entry], verdicts: Verdicts) -> int | None:
        return max((e.number for e in entries if e.damage is None), default=None)


class TornManifestsTakeTheirListAlong(Rules):
    """Nothing is told a second time outside the manifests."""

    def plan_publication(
        self, entries: list[Entry], verdicts: Verdicts, parent: int | None, carried: list[int]
    ) -> Publication:
        plan = super().plan_publication(entries, verdicts, parent, carried)
        return msgspec.structs.replace(plan, verdicts_first=None)


class VerdictsBeforeTheDeed(Rules):
    """What a commit is about to leave behind counts before the commit is there."""

    def plan_publication(
        self, entries: list[Entry], verdicts: Verdicts, parent: int | None, carried: list[int]
    ) -> Publication:
        plan = super().plan_publication(entries, verdicts, parent, carried)
        if plan.verdicts_first is None:
            return plan
        early = msgspec.structs.replace(plan.verdicts_first, pending=None)
        return msgspec.structs.replace(plan, verdicts_first=early)


class NumbersFromTheHead(Rules):
    """One more than the head, damaged higher ones forgotten."""

    def plan_publication(
        self, entries: list[Entry], verdicts: Verdicts, parent: int | None, carried: list[int]
    ) -> Publication:
        plan = super().plan_publication(entries, verdicts, parent, carried)
        return msgspec.structs.replace(plan, number=(parent or 0) + 1)


class DeletesWhatTheHeadHasDone(Rules):
    """Content goes as soon as the head is through with it."""

    def deletable(
        self, over_in_each: Mapping[int, set[str] | None], head: int, ids: set[str]
    ) -> set[str]:
        return ids & (over_in_each.get(head) or set())


class DeletesWhileSomeAreUnreadable(Rules):
    """A checkpoint that cannot be read needs nothing, does it? Rare: it must be mended later."""

    first_seed = 425

    def deletable(
        self, over_in_each: Mapping[int, set[str] | None], head: int, ids: set[str]
    ) -> set[str]:
        readable = {n: over for n, over in over_in_each.items() if over is not None}
        return super().deletable(readable, head, ids)


class KeepsOnlyTheNewest(Rules):
    """Retention without a thought for the fall back or for numbers."""

    def choose_deletions(
        self,
        shelf: list[Shelved],
        settings: Checkpoint,
        head: int | None,
        fallbacks: list[int],
        protected: Collection[int],
        now: float,
    ) -> Plan:
        return Plan([item.number for item in shelf if item.number != head], {}, 0, 0)


class NoQuarantine(Rules):
    """Forge shards train again after a rollback, as a user's file does."""

    def rollback_ledger(
        self, left: Ledger, target: Ledger, files: Mapping[str, FileMeta], numbers: tuple[int, int]
    ) -> Ledger:
        plain = {i: msgspec.structs.replace(meta, lineage={}) for i, meta in files.items()}
        return super().rollback_ledger(left, target, plain, numbers)


class CountsFromTheTarget(Rules):
    """How often a file was caught is read from the target, where it was not caught yet."""

    def rollback_ledger(
        self, left: Ledger, target: Ledger, files: Mapping[str, FileMeta], numbers: tuple[int, int]
    ) -> Ledger:
        forgetful = left.copy()
        forgetful.rolled_back = dict(target.rolled_back)
        return super().rollback_ledger(forgetful, target, files, numbers)


class PositionsFromTheLeftHead(Rules):
    """Weights of the target, positions of the head that is left."""

    def rollback_ledger(
        self, left: Ledger, target: Ledger, files: Mapping[str, FileMeta], numbers: tuple[int, int]
    ) -> Ledger:
        ledger = super().rollback_ledger(left, target, files, numbers)
        ledger.positions = dict(left.positions)
        return ledger


class LaneBeforeMeta(Rules):
    """A file enters its lane before anything is known of it."""

    meta_before_lane = False


class RequestsGoBeforeTheSeal(Rules):
    """The control file is deleted when its request is taken up."""

    control_deleted_after_seal = False


class ForgetsSkippedFolders(Rules):
    """Skipped files stay in their lane."""

    def folder_of(self, meta: FileMeta, ledger: Ledger) -> str:
        skipped = ledger.ended.get(meta.id) == "skipped"
        return meta.lane if skipped else super().folder_of(meta, ledger)


MUTANTS = [
    HeadByStep, HeadIgnoresRollbacks, TornManifestsTakeTheirListAlong, VerdictsBeforeTheDeed,
    NumbersFromTheHead, DeletesWhatTheHeadHasDone, DeletesWhileSomeAreUnreadable,
    KeepsOnlyTheNewest, NoQuarantine, CountsFromTheTarget, PositionsFromTheLeftHead,
    LaneBeforeMeta, RequestsGoBeforeTheSeal, ForgetsSkippedFolders,
]  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_broken_rule_is_found(mutant: type[Rules]) -> None:
    with pytest.raises(Violation):
        model.run(HISTORIES_MAX, seed=getattr(mutant, "first_seed", 0), rules=mutant())
