"""What goes, what stays, and what content may follow."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from regime3.config import Checkpoint
from regime3.vault.retention import Plan, Shelved, choose_deletions, deletable
from tests.vault.small_lab import a_ledger, a_vault, an_id, flip, line_of, roll, seal

DAY_S = 86400.0
NOON = datetime(2027, 3, 10, 12).timestamp()
GB = 10**9


def on_shelf(
    number: int, days_ago: float = 0, loss: float | None = None, **more: object
) -> Shelved:
    """A checkpoint of 1 GB; `blobs` shares bytes between several."""
    fields: dict[str, object] = {"blobs": {number: GB}, **more}
    return Shelved(number, NOON - days_ago * DAY_S, loss, **fields)  # type: ignore[arg-type]


def plan(shelf: list[Shelved], protected: set[int] | None = None, **rules: float) -> Plan:
    line = sorted((s.number for s in shelf if not s.damaged and not s.left_behind), reverse=True)
    settings = Checkpoint(
        **{"keep_newest": 2, "keep_best": 0, "keep_daily": 0, **rules}  # type: ignore[arg-type]
    )
    return choose_deletions(
        shelf, settings, head=line[0] if line else None, fallbacks=line[1:],
        protected=protected or set(), now=NOON,
    )  # fmt: skip


def test_the_newest_stay() -> None:
    assert plan([on_shelf(n) for n in range(1, 8)], keep_newest=3).deleted == [1, 2, 3, 4]


def test_the_best_by_validation_loss_stay_and_the_newer_wins_a_tie() -> None:
    losses = {1: 2.0, 2: 1.0, 3: 1.0, 4: 3.0, 5: None, 6: 5.0, 7: 6.0}
    shelf = [on_shelf(n, loss=loss) for n, loss in losses.items()]
    assert plan(shelf, keep_best=1).kept == {3: "best", 6: "fallback", 7: "head"}
    assert plan(shelf, keep_best=3).deleted == [4, 5]


def test_the_last_of_each_day_stays() -> None:
    shelf = [on_shelf(n, days_ago=(10 - n) // 2) for n in range(1, 11)]
    assert plan(shelf, keep_daily=3).kept == {
        6: "daily", 8: "daily", 9: "fallback", 10: "head",
    }  # fmt: skip


def test_protected_ones_stay_whatever_the_rules_and_the_space_say() -> None:
    result = plan([on_shelf(n) for n in range(1, 8)], {1, 3, 99}, space_gb_max=2.5)
    assert result.deleted == [2, 4, 5]
    assert result.over_budget_bytes == int(1.5 * GB), "told, because no rule allows more"


def test_for_space_the_least_precious_go_first() -> None:
    shelf = [on_shelf(n, days_ago=10 - n, loss=float(n)) for n in range(1, 11)]
    rules = {"keep_newest": 4, "keep_best": 2, "keep_daily": 7}
    assert plan(shelf, space_gb_max=9, **rules).deleted == [3]
    assert plan(shelf, space_gb_max=7, **rules).deleted == [3, 4, 5]
    assert plan(shelf, space_gb_max=1, **rules).kept == {9: "fallback", 10: "head"}


def test_bytes_shared_by_hard_links_count_once() -> None:
    shelf = [on_shelf(n, blobs={1: GB}) for n in range(1, 5)]
    result = plan(shelf, keep_newest=4, space_gb_max=1)
    assert result.deleted == [] and result.bytes_used == GB


def test_a_fallback_with_weights_of_its_own_stays() -> None:
    shelf = [on_shelf(1), on_shelf(2), *(on_shelf(n, blobs={3: GB}) for n in (3, 4, 5, 6))]
    assert plan(shelf).kept == {2: "fallback", 5: "fallback", 6: "head"}


def test_damaged_and_left_behind_ones_stay_a_while_to_be_looked_at() -> None:
    shelf = [
        on_shelf(1, 20), on_shelf(2, 19, damaged=True), on_shelf(3, 3, damaged=True),
        on_shelf(4, 3, left_behind=True), on_shelf(5, 0.5), on_shelf(6, 0.1),
    ]  # fmt: skip
    assert plan(shelf).kept == {3: "damaged", 4: "left behind", 5: "fallback", 6: "head"}
    assert plan(shelf, space_gb_max=2).kept == {5: "fallback", 6: "head"}
    older = [*shelf[:4], on_shelf(5, 2), on_shelf(6, 0.1)]
    assert plan(older).kept == {3: "damaged", 5: "fallback", 6: "head"}


def test_the_highest_number_stays_even_damaged_so_that_it_is_not_given_again() -> None:
    shelf = [on_shelf(1, 30), on_shelf(2, 30), on_shelf(3, 30, damaged=True)]
    assert plan(shelf).kept[3] == "highest number"


def test_without_a_head_nothing_goes() -> None:
    shelf = [on_shelf(n, 90, damaged=True) for n in (1, 2, 3)]
    assert plan(shelf, space_gb_max=0.01).deleted == []


def test_a_clock_that_jumped_loses_nothing_that_counts() -> None:
    for days_ago in (-400, 400):
        shelf = [on_shelf(n, days_ago) for n in range(1, 5)]
        assert set(plan(shelf).kept) == {3, 4}


def test_retain_deletes_the_folders_and_says_why_the_others_stay(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 5)
    rules = Checkpoint(keep_newest=2, keep_daily=0, keep_best=0)
    assert vault.retain(rules, {2}, vault.clock.now()) == [1, 3]
    assert [entry.number for entry in vault.list()] == [2, 4, 5]
    assert vault.last_plan is not None
    assert vault.last_plan.kept == {2: "protected", 4: "fallback", 5: "head"}
    assert vault.retain(rules, {2}, vault.clock.now()) == []


def test_the_target_of_a_rollback_stays_while_it_is_the_fallback(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    line_of(vault, 5)
    roll(vault, 3)
    vault.retain(Checkpoint(keep_newest=2, keep_daily=0), set(), vault.clock.now() + 9e5)
    assert [entry.number for entry in vault.list()] == [2, 3, 6], "3 shares its weights with 6"


def test_content_goes_only_when_over_in_every_full_checkpoint(tmp_path: Path) -> None:
    vault = a_vault(tmp_path)
    ids = [an_id(n) for n in range(1, 6)]
    assert vault.deletable_content(ids) == set()
    seal(vault, 1, a_ledger(1, ended={ids[0]: "done", ids[1]: "removed", ids[2]: "skipped"}))
    everything = {ids[0]: "done", ids[1]: "removed", ids[2]: "skipped", ids[3]: "done"}
    seal(vault, 2, a_ledger(2, ended=everything))  # type: ignore[arg-type]
    assert vault.deletable_content(ids) == {ids[0], ids[1]}
    assert vault.deletable_content([ids[1], ids[4]]) == {ids[1]}
    flip(vault.lab.seal(1) / "model.safetensors", 9)
    vault.list(deep=True)
    assert vault.deletable_content(ids) == {ids[0], ids[1]}, "a damaged one may yet be mended"
    (vault.lab.seal(1) / "manifest.json").write_bytes(b"")
    assert vault.deletable_content(ids) == set(), "nobody can read what it needs"


def test_no_checkpoint_no_deletion() -> None:
    assert deletable([], ["a"]) == set()
    assert deletable([{"a", "b"}, {"b"}], ["a", "b", "c"]) == {"b"}
    assert deletable([{"a"}, None], ["a"]) == set()
