"""The decisions of the protocol as shipped, in one place where a mutant can replace them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from regime3.config import Checkpoint
from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger
from regime3.spool.projection import folder_of
from regime3.vault import choice, retention
from regime3.vault.choice import Entry, Publication
from regime3.vault.retention import Plan, Shelved
from regime3.vault.rollback import rollback_ledger
from regime3.vault.verdicts import Verdicts


def is_forge(meta: FileMeta) -> bool:
    """As the daemon tells them apart."""
    return meta.lineage.get("generator") == "forge"


class Rules:
    """Shipped behaviour. Subclasses in `test_mutants` break one rule each."""

    control_deleted_after_seal = True
    meta_before_lane = True

    def choose_head(self, entries: Iterable[Entry], verdicts: Verdicts) -> int | None:
        return choice.choose_head(entries, verdicts)

    def fallbacks(self, entries: Iterable[Entry], verdicts: Verdicts) -> list[int]:
        return choice.fallbacks(entries, verdicts)

    def plan_publication(
        self, entries: list[Entry], verdicts: Verdicts, parent: int | None, carried: list[int]
    ) -> Publication:
        return choice.plan_publication(entries, verdicts, parent, carried)

    def rollback_ledger(
        self, left: Ledger, target: Ledger, files: Mapping[str, FileMeta], numbers: tuple[int, int]
    ) -> Ledger:
        ledger, _ = rollback_ledger(
            left, target, files, is_forge, left_number=numbers[0], target_number=numbers[1]
        )
        return ledger

    def choose_deletions(
        self,
        shelf: list[Shelved],
        settings: Checkpoint,
        head: int | None,
        fallbacks: list[int],
        protected: Collection[int],
        now: float,
    ) -> Plan:
        return retention.choose_deletions(
            shelf, settings, head=head, fallbacks=fallbacks, protected=protected, now=now
        )

    def deletable(
        self, over_in_each: Mapping[int, set[str] | None], head: int, ids: set[str]
    ) -> set[str]:
        return retention.deletable(list(over_in_each.values()), ids)

    def folder_of(self, meta: FileMeta, ledger: Ledger) -> str:
        return folder_of(meta, ledger)
