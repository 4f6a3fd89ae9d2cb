"""The queue as a projection of the ledger, and what a person can ask of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from regime3.errors import InputRefused
from regime3.paths import Lab
from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger
from regime3.spool.queue import Spool
from tests.spool.conftest import Drop, MakeSpool, rows


@pytest.fixture
def four(spool: Spool, drop: Drop) -> list[FileMeta]:
    """Four admitted files of four rows: a high, b normal, c normal, d low."""
    for name, lane in (("a", "high"), ("b", "normal"), ("c", "normal"), ("d", "low")):
        drop(f"{name}.jsonl", rows(*(f"{name}{number}" for number in range(4))), lane=lane)
    spool.admit_once()
    return list(spool.files().values())


def places(spool: Spool) -> dict[str, str]:
    return {meta.name: spool.data_path(meta.id).parent.name for meta in spool.files().values()}


def test_every_state_has_its_folder(spool: Spool, four: list[FileMeta]) -> None:
    a, b, c, d = (meta.id for meta in four)
    ledger = Ledger(positions={b: 2, c: 3}, ended={a: "done", c: "skipped"})
    moved = spool.reconcile(ledger)
    assert places(spool) == {
        "a": "recently_completed", "b": "processing", "c": "failed", "d": "low"
    }  # fmt: skip
    assert {(move.source, move.target) for move in moved} == {
        ("high", "recently_completed"), ("normal", "processing"), ("normal", "failed")
    }  # fmt: skip
    assert spool.reconcile(ledger) == []
    assert d not in {move.id for move in moved}


def test_a_rollback_brings_files_back_to_their_lanes(spool: Spool, four: list[FileMeta]) -> None:
    before = places(spool)
    done = Ledger(ended={meta.id: "done" for meta in four})
    spool.reconcile(done)
    spool.set_lane(four[3].id, "high")
    spool.reconcile(Ledger())
    assert places(spool) == {**before, "d": "high"}


@pytest.mark.parametrize("ending", ["skipped", "failed", "removed"])
def test_any_other_ending_lies_in_failed(spool: Spool, four: list[FileMeta], ending: str) -> None:
    spool.reconcile(Ledger(ended={four[0].id: ending}))  # type: ignore[dict-item]
    assert places(spool)["a"] == "failed"
    assert [file.name for file in spool.open_files(Ledger(ended={four[0].id: "done"}))] == [
        "b", "c", "d"
    ]  # fmt: skip


def test_open_files_come_by_lane_then_admission(spool: Spool, four: list[FileMeta]) -> None:
    spool.set_lane(four[2].id, "high")
    found = spool.open_files(Ledger())
    assert [(file.name, file.lane) for file in found] == [
        ("a", "high"), ("c", "high"), ("b", "normal"), ("d", "low")
    ]  # fmt: skip
    assert found[0].rows == 4 and found[0].content_sha256 == four[0].content_sha256


def test_a_file_whose_data_is_gone_is_not_offered(spool: Spool, four: list[FileMeta]) -> None:
    spool.data_path(four[1].id).unlink()
    assert [file.name for file in spool.open_files(Ledger())] == ["a", "c", "d"]
    with pytest.raises(InputRefused, match="its data is in no queue folder"):
        spool.data_path(four[1].id)


def test_a_new_lane_survives_a_restart(
    spool: Spool, make_spool: MakeSpool, four: list[FileMeta]
) -> None:
    spool.set_lane(four[3].id, "high")
    assert places(spool)["d"] == "high"
    assert make_spool().files()[four[3].id].lane == "high"


def test_a_new_lane_leaves_a_file_in_processing_where_it_is(
    spool: Spool, four: list[FileMeta]
) -> None:
    ledger = Ledger(positions={four[3].id: 1})
    spool.reconcile(ledger)
    spool.set_lane(four[3].id, "high")
    assert places(spool)["d"] == "processing" and spool.reconcile(ledger) == []


def test_a_lane_changed_without_its_rename_is_put_right(
    spool: Spool, make_spool: MakeSpool, four: list[FileMeta], lab: Lab
) -> None:
    spool.set_lane(four[3].id, "high")
    path = spool.data_path(four[3].id)
    path.rename(lab.queue_folder("low") / path.name)
    again = make_spool()
    assert [move.target for move in again.reconcile(Ledger())] == ["high"]


def test_a_file_is_found_by_name_or_start_of_id(spool: Spool, four: list[FileMeta]) -> None:
    meta = four[1]
    for text in ("b", "b.jsonl", meta.id, meta.id[:6], f"b@{meta.id[:12]}.jsonl",
                 f"queue/normal/b@{meta.id[:12]}.jsonl"):  # fmt: skip
        assert spool.find(text).id == meta.id
    for text in ("nothing", "", "*"):
        with pytest.raises(InputRefused, match="no admitted file is called"):
            spool.find(text)


def test_an_ambiguous_name_lists_what_it_could_mean(
    spool: Spool, drop: Drop, four: list[FileMeta]
) -> None:
    drop("b.jsonl", rows("other"))
    spool.admit_once()
    with pytest.raises(InputRefused, match=f"'b' means 2 files: b {four[1].id[:12]}, b "):
        spool.find("b")


def test_a_name_with_passes_means_the_first(spool: Spool, drop: Drop) -> None:
    drop("x.jsonl", rows("a"), sidecar={"passes": 3})
    spool.admit_once()
    assert spool.find("x").pass_number == 1
    second = list(spool.files().values())[1]
    assert spool.find(second.id[:8]).pass_number == 2


def test_deleted_content_keeps_its_books(
    spool: Spool, make_spool: MakeSpool, four: list[FileMeta], lab: Lab
) -> None:
    ledger = Ledger(ended={four[0].id: "done"})
    spool.reconcile(ledger)
    spool.delete_content(four[0].id)
    spool.delete_content(four[0].id)
    again = make_spool()
    books = again.books(ledger)
    account = next(item for item in books.files if item.name == "a")
    assert (account.state, account.trained) == ("content deleted", 4)
    assert books.ok and again.problems() == [] and again.reconcile(ledger) == []
    assert list(lab.queue_folder("recently_completed").iterdir()) == []


def test_a_deletion_that_was_interrupted_is_finished_by_the_next(
    spool: Spool, four: list[FileMeta]
) -> None:
    path = spool.data_path(four[0].id)
    spool.delete_content(four[0].id)
    path.write_bytes(b"")
    spool.delete_content(four[0].id)
    assert not path.exists()


def test_rows_given_up_while_training_stand_beside_the_others(spool: Spool, drop: Drop) -> None:
    drop("x.jsonl", rows("a") + b"bad\n" + rows("b"))
    spool.admit_once()
    (meta,) = spool.files().values()
    spool.note_burial(meta.id, 3, "killed the worker three times")
    spool.note_burial(meta.id, 3, "told again after a crash")
    assert [(row.line, row.reason) for row in spool.buried(meta.id)] == [
        (2, "not JSON: Expecting value at column 1"),
        (3, "killed the worker three times"),
    ]
    assert len(spool.buried(meta.id, limit=1)) == 1


def test_counts_are_the_books_in_short(spool: Spool, four: list[FileMeta], drop: Drop) -> None:
    a, b = four[0].id, four[1].id
    drop("bad.jsonl", b"bad\n")
    spool.admit_once()
    drop("later.jsonl.part", b"")
    ledger = Ledger(positions={b: 3}, ended={a: "done"}, buried_at_run={b: 1})
    counts = spool.counts(ledger)
    assert [(file.name, file.position) for file in counts.files] == [("b", 3), ("c", 0), ("d", 0)]
    assert (counts.files_open, counts.files_ended, counts.files_failed) == (3, 2, 1)
    assert (counts.rows_admitted, counts.rows_trained, counts.rows_buried) == (17, 6, 2)
    assert (counts.rows_left, counts.rows_set_aside, counts.inbox_waiting) == (9, 0, 1)
    spool.set_lane(four[3].id, "high")
    assert [file.name for file in spool.counts(ledger).files] == ["d", "b", "c"]


def test_another_process_sees_what_was_admitted_meanwhile(
    spool: Spool, make_spool: MakeSpool, drop: Drop
) -> None:
    reader = make_spool()
    assert reader.files() == {}
    drop("x.jsonl", rows("a"))
    spool.admit_once()
    assert [meta.name for meta in reader.files().values()] == ["x"]


def test_an_unknown_id_is_refused(spool: Spool) -> None:
    for ask in (spool.delete_content, spool.data_path, spool.index, spool.buried):
        with pytest.raises(InputRefused, match="no admitted file has the id ffff"):
            ask("ffff")


# ------------------------------------------------------------ what does not fit


def test_a_healthy_queue_has_no_problems(spool: Spool, four: list[FileMeta]) -> None:
    assert spool.problems() == []


def test_what_does_not_fit_is_named_with_its_remedy(
    spool: Spool, four: list[FileMeta], lab: Lab, make_spool: MakeSpool
) -> None:
    a, b, c, d = four
    (lab.queue_folder("low") / "by hand.jsonl").write_bytes(rows("x"))
    (lab.queue_folder("low") / "notes.txt").write_text("x")
    lab.meta_file(a.id).write_text("{")
    spool.data_path(b.id).unlink()
    path = spool.data_path(c.id)
    (lab.queue_folder("failed") / path.name).write_bytes(path.read_bytes())
    lab.index_file(d.id).write_bytes(b"\0" * 16)
    found = {problem.place: (problem.what, problem.fix) for problem in make_spool().problems()}
    name_a, name_c = (lab.data_name(meta.name, meta.id) for meta in (a, c))
    broken, fix = found.pop(f"queue/meta/{a.id}")
    assert broken.startswith("its meta.json cannot be read") and fix.startswith("rm -r queue/meta/")
    assert found.pop(f"queue/high/{name_a}")[0].startswith("was put here by hand")
    assert "no queue folder" in found.pop(f"queue/meta/{b.id}")[0]
    assert found.pop(f"queue/normal/{name_c}") == ("also in failed", f"rm queue/failed/{name_c}")
    assert found.pop(f"queue/meta/{d.id}/index.bin")[0] == "its index holds 1 rows of 4"
    assert found.pop("queue/low/by hand.jsonl")[1] == "mv 'queue/low/by hand.jsonl' inbox/"
    assert found.pop("queue/low/notes.txt") == ("does not belong here", "mv queue/low/notes.txt ..")
    assert found == {}


def test_a_file_in_two_folders_is_never_overwritten(
    spool: Spool, four: list[FileMeta], lab: Lab
) -> None:
    path = spool.data_path(four[0].id)
    copy: Path = lab.queue_folder("recently_completed") / path.name
    copy.write_bytes(b"other")
    assert spool.reconcile(Ledger(ended={four[0].id: "done"})) == []
    assert path.read_bytes() == rows("a0", "a1", "a2", "a3") and copy.read_bytes() == b"other"


def test_a_file_put_back_into_the_inbox_heals_a_broken_meta(
    spool: Spool, make_spool: MakeSpool, four: list[FileMeta], lab: Lab
) -> None:
    path = spool.data_path(four[0].id)
    lab.meta_file(four[0].id).unlink()
    lab.index_file(four[0].id).unlink()
    lab.meta(four[0].id).rmdir()
    path.rename(lab.inbox_lane("high") / "a.jsonl")
    again = make_spool()
    assert [item.outcome for item in again.admit_once()] == ["admitted"]
    assert again.problems() == [] and four[0].id in again.files()
