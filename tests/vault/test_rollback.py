"""Rolling back: a new seal, the target's rows, the left head's verdicts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from regime3.errors import SealDamaged, SealError, SealMissing
from regime3.records.ledger import Ledger
from regime3.vault import Vault
from regime3.vault.rollback import RollbackStory, rollback_ledger
from tests.vault.small_lab import (
    STATE,
    a_file,
    a_ledger,
    a_vault,
    an_id,
    is_forge,
    line_of,
    roll,
    seal,
    states,
)


def undo(left: Ledger, target: Ledger, *forge: int) -> tuple[Ledger, RollbackStory]:
    """Roll `left` back to `target`; files 1 to 9 exist, those named are the forge's."""
    files = {an_id(n): a_file(n, generator="forge" if n in forge else "") for n in range(1, 10)}
    return rollback_ledger(left, target, files, is_forge, left_number=9, target_number=4)


def test_a_rollback_is_the_next_seal_with_the_targets_bytes(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line = line_of(vault, 4)
    outcome = vault.rollback(2, {}, is_forge)
    head = vault.head(deep=True)
    assert head.number == outcome.seal.number == 5
    assert (head.manifest.parent, head.manifest.rolled_back_from) == (2, 4)
    assert head.manifest.step == head.ledger.step == line[1].manifest.step
    assert head.manifest.abandoned == head.ledger.abandoned == [3, 4]
    for name in STATE:
        assert (head.path / name).samefile(line[1].path / name)
    assert vault.story(head) == outcome.story and vault.story(line[0]) is None


def test_the_list_is_carried_on_through_commits_and_further_rollbacks(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 4)
    roll(vault, 2)
    seal(vault, 30)
    roll(vault, 1)
    assert vault.head().manifest.abandoned == [2, 3, 4, 5, 6]
    assert seal(vault, 5).manifest.abandoned == [2, 3, 4, 5, 6]


def test_the_story_stays_with_its_own_seal(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 2)
    rolled = roll(vault, 1)
    child = vault.reseal(rolled, rolled.ledger.child(), "skip")
    assert vault.story(rolled) is not None and vault.story(child) is None


def refused(vault: Vault, target: int) -> str:
    with pytest.raises(SealError) as caught:
        roll(vault, target)
    return str(caught.value)


def test_impossible_targets_are_refused_with_the_reason(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 4)
    roll(vault, 2)
    before = states(vault)
    assert "left behind" in refused(vault, 3)
    assert "is the head already" in refused(vault, 5)
    assert "no checkpoint 77" in refused(vault, 77)
    assert states(vault) == before


def test_a_target_with_one_wrong_byte_is_refused(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 3)
    weights = vault.lab.seal(1) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[::-1])
    with pytest.raises(SealDamaged):
        roll(vault, 1)
    assert vault.head().number == 3


def test_of_a_snapshot_only_the_weights_can_be_restored(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 2)
    vault.snapshot("2027-01-15")
    seal(vault, 30)
    shutil.rmtree(vault.lab.seal(2))
    with pytest.raises(SealMissing, match=r"only the snapshot 2027-01-15 .*(\n.*)?--model"):
        roll(vault, 2)


def test_a_users_file_falls_back_and_trains_again() -> None:
    target = a_ledger(positions={an_id(1): 3})
    left = a_ledger(positions={an_id(1): 8, an_id(2): 1}, ended={an_id(3): "done"})
    ledger, story = undo(left, target)
    assert ledger.positions == {an_id(1): 3} and ledger.ended == {}
    assert ledger.rolled_back == {an_id(1): 1, an_id(2): 1, an_id(3): 1}
    assert [(c.id, c.from_row, c.to_row) for c in story.fell_back] == [
        (an_id(1), 8, 3), (an_id(2), 1, 0), (an_id(3), None, 0),
    ]  # fmt: skip


def test_a_file_untouched_since_the_target_keeps_its_place() -> None:
    same = {"positions": {an_id(1): 3}, "ended": {an_id(2): "done"}}
    ledger, story = undo(a_ledger(**same), a_ledger(**same))
    assert ledger.positions == same["positions"] and ledger.ended == same["ended"]
    assert ledger.rolled_back == {} and story.fell_back == []


def test_a_touched_forge_shard_is_quarantined_and_an_untouched_one_is_not() -> None:
    target = a_ledger(positions={an_id(1): 3, an_id(2): 5})
    left = a_ledger(positions={an_id(1): 8, an_id(2): 5}, ended={an_id(3): "done"})
    ledger, story = undo(left, target, 1, 2, 3)
    assert ledger.ended == {an_id(1): "failed", an_id(3): "failed"}
    assert ledger.positions == {an_id(1): 3, an_id(2): 5}
    assert [c.id for c in story.quarantined] == [an_id(1), an_id(3)]


def test_a_file_caught_in_a_second_rollback_is_held_with_its_story() -> None:
    left = a_ledger(positions={an_id(1): 8}, rolled_back={an_id(1): 1, an_id(5): 1})
    ledger, story = undo(left, a_ledger())
    assert ledger.ended == {an_id(1): "failed"}
    assert ledger.rolled_back == {an_id(1): 2, an_id(5): 1}
    assert story.held[0].times == 2
    assert story.held[0].story(9, 4) == "set back from row 8 to row 0 by the rollback from " \
        "checkpoint 9 to 4"  # fmt: skip


def test_the_count_comes_from_the_head_that_is_left_not_from_the_target() -> None:
    target = a_ledger(rolled_back={})
    left = a_ledger(positions={an_id(1): 2}, rolled_back={an_id(1): 4})
    assert undo(left, target)[0].rolled_back == {an_id(1): 5}


def test_the_users_later_word_stands() -> None:
    target = a_ledger(
        positions={an_id(1): 3, an_id(2): 3}, ended={an_id(2): "skipped", an_id(4): "done"}
    )
    left = a_ledger(
        positions={an_id(1): 8, an_id(2): 3},
        ended={an_id(1): "skipped", an_id(3): "removed", an_id(4): "done"},
    )
    ledger, story = undo(left, target)
    assert ledger.ended == {an_id(1): "skipped", an_id(3): "removed", an_id(4): "done"}
    assert ledger.positions == {an_id(1): 3, an_id(2): 3}, "2 was retried, so it is open again"
    assert story.verdicts_kept == [an_id(1)] and story.held == []


def test_rows_given_up_since_the_target_get_another_chance() -> None:
    target = a_ledger(positions={an_id(1): 3}, buried_at_run={an_id(1): 1})
    left = a_ledger(positions={an_id(1): 8}, buried_at_run={an_id(1): 4})
    ledger, _ = undo(left, target)
    assert ledger.buried_at_run == {an_id(1): 1} and ledger.trained == ledger.buried == []


def test_a_file_nobody_knows_any_more_is_the_users() -> None:
    left = a_ledger(positions={an_id(99): 8})
    ledger, story = undo(left, a_ledger())
    assert ledger.ended == {} and story.fell_back[0].name == ""
