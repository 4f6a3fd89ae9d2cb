"""Which checkpoint is the head, decided over manifests alone."""

from __future__ import annotations

import pytest

from regime3.errors import SealError
from regime3.records.checkpoint import Manifest
from regime3.vault.choice import (
    Entry,
    check_continues,
    choose_head,
    fallbacks,
    left_behind,
    next_number,
    plan_publication,
)
from regime3.vault.verdicts import Verdicts

NOTHING = Verdicts()


def entry(
    number: int, parent: int | None, abandoned: tuple[int, ...] = (), damage: str | None = None
) -> Entry:
    return Entry(
        number, Manifest(number, parent, 0, 0.0, "steps", {}, abandoned=list(abandoned)), damage
    )


def a_line(*numbers: int) -> list[Entry]:
    return [entry(n, numbers[i - 1] if i else None) for i, n in enumerate(numbers)]


ROLLED = [*a_line(1, 2, 3, 4, 5), entry(6, 3)]


def test_the_highest_valid_number_is_the_head() -> None:
    assert choose_head(a_line(1, 2, 3), NOTHING) == 3
    assert choose_head([], NOTHING) is None


def test_a_damaged_head_falls_to_its_parent() -> None:
    assert choose_head([*a_line(1, 2), entry(3, 2, damage="torn")], NOTHING) == 2


def test_a_damaged_rollback_falls_to_its_target_not_to_what_it_abandoned() -> None:
    assert choose_head([*ROLLED[:5], entry(6, 3, damage="torn")], NOTHING) == 3


def test_a_rollback_without_readable_manifest_is_remembered_by_the_verdicts() -> None:
    unreadable = [*ROLLED[:5], Entry(6, None, "torn")]
    assert choose_head(unreadable, Verdicts({6: [4, 5]}, 6)) == 3
    assert choose_head(unreadable, NOTHING) == 5, "nothing else can know: two losses at once"


def test_a_claim_stands_only_once_its_claimer_was_published() -> None:
    assert choose_head(ROLLED[:5], Verdicts({6: [4, 5]}, pending=6)) == 5
    assert choose_head(ROLLED[:5], Verdicts({6: [4, 5]}, pending=None)) == 3


def test_the_list_is_carried_when_the_rollback_itself_is_deleted() -> None:
    later = [*ROLLED[:5], entry(7, 6, (4, 5)), entry(8, 7, (4, 5), "torn")]
    assert choose_head([later[i] for i in (0, 1, 2, 3, 4, 6)], NOTHING) == 3
    assert left_behind(later, NOTHING) == {4, 5}


def test_what_a_left_behind_checkpoint_claimed_is_not_heard() -> None:
    healed = [*a_line(1, 2, 3), entry(4, 1), entry(5, 3)]
    assert left_behind(healed, NOTHING) == {4}
    assert choose_head([*healed[:4], entry(5, 3, damage="torn")], NOTHING) == 3


def test_fallbacks_hear_what_the_head_says() -> None:
    assert fallbacks(ROLLED, NOTHING) == [3, 2, 1]


def test_a_number_is_never_used_twice() -> None:
    assert next_number([]) == 1
    assert next_number([*a_line(1, 2), Entry(9, None, "torn")]) == 10
    assert next_number([entry(3, 2, (1,))]) == 4


def test_an_ordinary_commit_leaves_nothing_behind_and_writes_no_verdicts() -> None:
    plan = plan_publication(a_line(1, 2, 3), NOTHING, 3, [])
    assert (plan.number, plan.abandoned, plan.verdicts_first) == (4, [], None)


def test_a_rollback_lists_all_after_its_target_and_what_was_listed_before() -> None:
    plan = plan_publication([*ROLLED, entry(7, 6, (4, 5))], NOTHING, 6, [2])
    assert plan.abandoned == [2, 4, 5, 7]
    assert plan.verdicts_first is not None
    assert plan.verdicts_first.pending == plan.number == 8


def test_lost_verdicts_are_told_again_at_the_next_commit() -> None:
    plan = plan_publication(ROLLED, NOTHING, 6, [])
    assert plan.verdicts_first is not None and plan.verdicts_first.claims == {7: [4, 5]}
    assert plan_publication(ROLLED, Verdicts({6: [4, 5]}), 6, []).verdicts_first is None


def test_who_missed_a_rollback_or_a_commit_may_not_commit() -> None:
    for parent in (5, 4, 3, None):
        with pytest.raises(SealError):
            check_continues(ROLLED, NOTHING, parent)
    check_continues(ROLLED, NOTHING, 6)


def test_a_parent_damaged_while_its_child_trained_is_accepted() -> None:
    check_continues([*a_line(1, 2), entry(3, 2, damage="torn")], NOTHING, 3)
