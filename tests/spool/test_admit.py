"""From the inbox to a lane: what is recorded, what is refused, what comes twice."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import msgspec
import pytest

from regime3 import disk
from regime3.errors import DiskFull
from regime3.paths import Lab
from regime3.records.files import FileMeta, file_id
from regime3.records.ledger import Ledger
from regime3.spool import admit as admit_room
from regime3.spool import lines, reading
from regime3.spool.admission import Admission, AdmitProgress
from regime3.spool.inbox import Arrival
from regime3.spool.queue import Spool
from tests.spool.conftest import Drop, MakeSpool, row, rows


def only(spool: Spool) -> FileMeta:
    (meta,) = spool.files().values()
    return meta


def folders(lab: Lab) -> dict[str, list[str]]:
    """What lies in the queue's folders, empty ones left out."""
    names = ("high", "normal", "low", "processing", "recently_completed", "failed")
    found = {name: sorted(os.listdir(lab.queue_folder(name))) for name in names}
    return {name: inside for name, inside in found.items() if inside}


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


# ------------------------------------------------------------ one file


def test_a_file_enters_its_lane_with_its_meta(spool: Spool, drop: Drop, lab: Lab) -> None:
    content = rows("a") + b"nope\n\n" + rows("b").rstrip(b"\n")
    drop("math.jsonl", content, lane="high", sidecar={"lineage": {"generator": "hand"}})
    (admission,) = spool.admit_once()
    meta = only(spool)
    assert str(admission) == "admitted math (high): 2 rows, 1 buried"
    assert (meta.name, meta.lane, meta.rows, meta.buried) == ("math", "high", 2, 1)
    assert (meta.formats, meta.lineage) == ({"messages": 2}, {"generator": "hand"})
    assert (meta.size_bytes, meta.refused, meta.admission) == (len(content), None, 1)
    assert admission.ids == [meta.id] == [file_id(meta.content_sha256, 1)]
    assert folders(lab) == {"high": [f"math@{meta.id[:12]}.jsonl"]}
    assert spool.data_path(meta.id).read_bytes() == content
    assert is_empty(lab.admitting) and is_empty(lab.inbox_lane("high"))
    (burial,) = spool.buried(meta.id)
    assert (burial.line, burial.raw, burial.raw_bytes) == (2, "nope", 4)
    assert burial.reason == "not JSON: Expecting value at column 1"


def test_every_row_can_be_read_back_through_the_index(spool: Spool, drop: Drop) -> None:
    drop("x.jsonl", b"\xef\xbb\xbf" + rows("a", "b") + b"bad\n" + rows("c"))
    spool.admit_once()
    meta = only(spool)
    data = spool.data_path(meta.id).read_bytes()
    with spool.index(meta.id) as index:
        found = [index.locate(place) for place in range(len(index))]
    assert [data[offset : offset + length].decode() for offset, length, _ in found] == [
        row("a"), row("b"), row("c")
    ]  # fmt: skip
    assert [line for _, _, line in found] == [1, 2, 4]


def test_an_adapter_is_counted_and_a_forced_one_is_kept(spool: Spool, drop: Drop) -> None:
    alpaca = json.dumps({"instruction": "q", "output": "a"}).encode()
    drop("mixed.jsonl", rows("a") + alpaca)
    drop("forced.jsonl", alpaca + b"\n", sidecar={"format": "alpaca"})
    spool.admit_once()
    metas = {meta.name: meta for meta in spool.files().values()}
    assert metas["mixed"].formats == {"messages": 1, "alpaca": 1}
    assert (metas["forced"].formats, metas["forced"].format) == ({"alpaca": 1}, "alpaca")
    assert spool.open_file(metas["forced"]).format == "alpaca"


@pytest.mark.parametrize(
    ("content", "reason", "buried"),
    [
        (b"", "the file is empty", 0),
        (b"\n \n\r\n", "the file has no rows, only blank lines", 0),
        (b"\xef\xbb\xbf", "the file has no rows, only blank lines", 0),
        (b"bad\nworse\n", "no row of 2 can be trained; first at line 1: not JSON", 2),
        (rows("a") + b"x\ny\n", "2 of 3 rows are bad, more than queue.mostly_bad = 0.5; "
                                "first at line 2: not JSON", 3),
        (rows("a").decode().encode("utf-16"), "is UTF-16LE, not UTF-8; convert it: "
         "iconv -f UTF-16LE -t UTF-8 x.jsonl > x.utf8.jsonl", 1),
        (rows("a").decode().encode("utf-16-be"), "is UTF-16BE", 1),
        (rows("a", "b").decode().encode("utf-32"), "is UTF-32LE", 2),
        (rows("a", "b").decode().encode("utf-32-be"), "is UTF-32BE", 2),
        (b"\0" * 100, "NUL bytes from column 1", 1),
    ],
)  # fmt: skip
def test_a_hopeless_file_fails_whole_with_its_story(
    spool: Spool, drop: Drop, lab: Lab, content: bytes, reason: str, buried: int
) -> None:
    drop("x.jsonl", content)
    (admission,) = spool.admit_once()
    meta = only(spool)
    assert admission.outcome == "refused" and reason in admission.reason
    assert meta.refused == admission.reason
    assert (meta.rows, meta.buried) == (0, buried)
    assert list(folders(lab)) == ["failed"]
    assert spool.open_files(Ledger()) == []
    assert spool.books(Ledger()).ok and spool.problems() == []
    assert spool.reconcile(Ledger()) == []


def test_half_bad_is_not_mostly_bad(spool: Spool, drop: Drop) -> None:
    drop("x.jsonl", rows("a", "b") + b"x\ny\n")
    spool.admit_once()
    assert (only(spool).rows, only(spool).buried) == (2, 2)


def test_a_long_line_is_buried_and_the_others_train(make_spool: MakeSpool, drop: Drop) -> None:
    spool = make_spool(row_bytes_max=200)
    drop("x.jsonl", rows("a") + rows("b" * 300) + rows("c"))
    spool.admit_once()
    assert (only(spool).rows, only(spool).buried) == (2, 1)
    (burial,) = spool.buried(only(spool).id)
    assert burial.line == 2 and "queue.row_bytes_max is 200" in burial.reason


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("ünï 🤔", "ünï 🤔"),
        ("a\nb\x1b[2Jc", "a_b_[2Jc"),
        ("evil\u202egnp", "evil_gnp"),
        ("-rf", "_rf"),
        ('what?"<x>|*', "what___x___"),
        ("é" * 100, "é" * 80),
        ("   ", "unnamed"),
    ],
)
def test_a_name_is_made_safe_and_stays_legible(
    spool: Spool, drop: Drop, lab: Lab, name: str, kept: str
) -> None:
    drop(f"{name}.jsonl", rows("a"), sidecar={"passes": 1})
    spool.admit_once()
    assert only(spool).name == kept
    assert spool.data_path(only(spool).id).exists()
    assert [path.name for path in lab.inbox.iterdir() if not path.is_dir()] == []


def test_a_name_that_is_not_utf8_is_admitted(spool: Spool, lab: Lab) -> None:
    path = os.path.join(os.fsencode(lab.inbox), b"caf\xe9.jsonl")
    with open(path, "wb") as out:
        out.write(rows("a"))
    spool.admit_once()
    assert only(spool).name == "caf_"


# ------------------------------------------------------------ the same content, the same name


def test_the_same_content_enters_once(spool: Spool, drop: Drop, lab: Lab) -> None:
    drop("first.jsonl", rows("a"))
    spool.admit_once()
    drop("second.jsonl", rows("a"), sidecar={"lineage": {"from": "elsewhere"}})
    (admission,) = spool.admit_once()
    first = only(spool)
    assert admission.outcome == "duplicate" and admission.ids == [first.id]
    assert f"admitted before as first ({first.id[:12]})" in str(admission)
    assert folders(lab) == {"normal": [f"first@{first.id[:12]}.jsonl"]}
    (record,) = map(json.loads, lab.duplicates_file.read_text().splitlines())
    assert (record["name"], record["id"], record["admitted_as"]) == ("second", first.id, "first")
    assert record["lineage"] == {"from": "elsewhere"}
    assert [path for path in lab.inbox.iterdir() if path.is_file()] == []
    assert is_empty(lab.admitting)


def test_twins_in_one_batch_enter_once(spool: Spool, drop: Drop) -> None:
    drop("a.jsonl", rows("same"), lane="low")
    drop("b.jsonl", rows("same"), lane="high")
    outcomes = [(item.outcome, item.name) for item in spool.admit_once()]
    assert outcomes == [("admitted", "b"), ("duplicate", "a")]
    assert only(spool).lane == "high"


def test_a_duplicate_in_a_higher_lane_raises_the_one_that_waits(
    spool: Spool, drop: Drop, lab: Lab
) -> None:
    drop("a.jsonl", rows("x"), lane="low")
    spool.admit_once()
    drop("b.jsonl", rows("x"), lane="high")
    (admission,) = spool.admit_once()
    assert admission.raised == [only(spool).id] and str(admission).endswith("raised to high")
    assert only(spool).lane == "high" and list(folders(lab)) == ["high"]
    drop("c.jsonl", rows("x"), lane="low")
    (admission,) = spool.admit_once()
    assert admission.raised == [] and only(spool).lane == "high"


def test_the_same_name_with_other_content_is_another_file(
    spool: Spool, drop: Drop, lab: Lab
) -> None:
    for question in ("one", "two"):
        drop("x.jsonl", rows(question))
        spool.admit_once()
    assert [meta.name for meta in spool.files().values()] == ["x", "x"]
    assert len(folders(lab)["normal"]) == 2


def test_the_same_name_in_two_lanes_at_once_is_two_files(spool: Spool, drop: Drop) -> None:
    drop("x.jsonl", rows("one"), sidecar={"lineage": {"n": 1}})
    drop("x.jsonl", rows("two"), lane="normal", sidecar={"lineage": {"n": 2}})
    spool.admit_once()
    assert sorted(meta.lineage["n"] for meta in spool.files().values()) == [1, 2]


def test_content_that_was_deleted_after_training_is_not_trained_again(
    spool: Spool, drop: Drop, lab: Lab
) -> None:
    drop("x.jsonl", rows("a"))
    spool.admit_once()
    spool.delete_content(only(spool).id)
    drop("x.jsonl", rows("a"))
    (admission,) = spool.admit_once()
    assert admission.outcome == "duplicate"
    assert folders(lab) == {}


def test_a_lost_data_file_comes_back_with_the_same_content(
    spool: Spool, drop: Drop, lab: Lab
) -> None:
    drop("x.jsonl", rows("a"), lane="high")
    spool.admit_once()
    spool.data_path(only(spool).id).unlink()
    assert [problem.what for problem in spool.problems()] == [
        "x: its data file is in no queue folder; the same content brings it back"
    ]
    drop("y.jsonl", rows("a"))
    (admission,) = spool.admit_once()
    assert admission.outcome == "admitted"
    assert spool.data_path(only(spool).id).parent.name == "high"
    assert spool.problems() == []


def test_a_refused_file_is_judged_anew_under_other_settings(
    make_spool: MakeSpool, drop: Drop, lab: Lab
) -> None:
    content = rows("a") + b"x\ny\n"
    drop("x.jsonl", content)
    make_spool().admit_once()
    drop("x.jsonl", content)
    (again,) = make_spool().admit_once()
    assert again.outcome == "duplicate" and "refused before as x" in again.reason
    drop("x.jsonl", content)
    spool = make_spool(mostly_bad=0.9)
    (admission,) = spool.admit_once()
    assert admission.outcome == "admitted" and admission.rows == 1
    assert list(folders(lab)) == ["normal"] and spool.problems() == []
    assert only(spool).admission == 2


# ------------------------------------------------------------ passes


def test_passes_enter_as_files_of_their_own(spool: Spool, drop: Drop, lab: Lab) -> None:
    drop("x.jsonl", rows("a", "b"), sidecar={"passes": 3})
    (admission,) = spool.admit_once()
    metas = list(spool.files().values())
    assert [meta.pass_number for meta in metas] == [1, 2, 3]
    assert [meta.id for meta in metas] == admission.ids
    assert [meta.id for meta in metas] == [
        file_id(metas[0].content_sha256, number) for number in (1, 2, 3)
    ]
    assert str(admission) == "admitted x (normal): 2 rows, 3 passes"
    assert {spool.data_path(meta.id).stat().st_ino for meta in metas} == {
        spool.data_path(metas[0].id).stat().st_ino
    }
    assert [len(spool.index(meta.id)) for meta in metas] == [2, 2, 2]
    assert len(folders(lab)["normal"]) == 3 and spool.problems() == []
    assert [file.pass_number for file in spool.open_files(Ledger())] == [1, 2, 3]


def test_more_passes_add_only_the_new_ones(spool: Spool, drop: Drop) -> None:
    drop("x.jsonl", rows("a"), sidecar={"passes": 2})
    spool.admit_once()
    drop("x.jsonl", rows("a"), sidecar={"passes": 4})
    (admission,) = spool.admit_once()
    assert len(admission.ids) == 2
    assert [meta.pass_number for meta in spool.files().values()] == [1, 2, 3, 4]
    drop("x.jsonl", rows("a"), sidecar={"passes": 3})
    assert [item.outcome for item in spool.admit_once()] == ["duplicate"]


def test_a_setting_gives_every_file_its_passes(make_spool: MakeSpool, drop: Drop) -> None:
    spool = make_spool(passes=2)
    drop("x.jsonl", rows("a"))
    drop("y.jsonl", rows("b"), sidecar={"passes": 1})
    spool.admit_once()
    assert sorted((meta.name, meta.pass_number) for meta in spool.files().values()) == [
        ("x", 1), ("x", 2), ("y", 1)
    ]  # fmt: skip


# ------------------------------------------------------------ validation rows


def test_a_row_of_validation_is_never_trained(spool: Spool, drop: Drop, lab: Lab) -> None:
    held_out = json.dumps({"conversations": [{"from": "human", "value": "b"},
                                             {"from": "gpt", "value": "yes"}]})  # fmt: skip
    (lab.validation / "v.jsonl").write_text("bad row\n" + held_out + "\n")
    drop("x.jsonl", rows("a", "b", "c"))
    spool.admit_once()
    (burial,) = spool.buried(only(spool).id)
    assert (burial.line, burial.reason) == (2, "a row of validation/: never trained")
    assert only(spool).rows == 2


def test_validation_is_read_again_when_it_changes(spool: Spool, drop: Drop, lab: Lab) -> None:
    drop("x.jsonl", rows("a", "b", "c"))
    spool.admit_once()
    (lab.validation / "v.jsonl").write_bytes(rows("d"))
    drop("y.jsonl", rows("c", "d"))
    spool.admit_once()
    (lab.validation / "v.jsonl").unlink()
    drop("z.jsonl", rows("d", "e"))
    spool.admit_once()
    assert [meta.buried for meta in spool.files().values()] == [0, 1, 0]


# ------------------------------------------------------------ while it is read


def during(what: object) -> object:
    """A progress callback that acts once, at the first block."""
    acts = [what]

    def progress(seen: AdmitProgress) -> None:
        if acts:
            acts.pop()()  # type: ignore[operator]

    return progress


def test_a_file_that_changes_while_it_is_read_goes_back(
    spool: Spool, drop: Drop, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 64)
    path = drop("x.jsonl", rows("a", "b"), lane="high", sidecar={"passes": 2})

    def write_on() -> None:
        with open(lab.admitting_file(1), "ab") as out:
            out.write(rows("c"))

    done = spool.admit_once(during(write_on))
    assert [str(item) for item in done] == ["returned x: changed while it was read; it waits again"]
    assert path.read_bytes() == rows("a", "b", "c")
    assert is_empty(lab.admitting) and spool.files() == {} and is_empty(lab.meta_root)
    spool.admit_once()
    assert [(meta.rows, meta.passes) for meta in spool.files().values()] == [(3, 2), (3, 2)]


def test_a_file_opened_for_writing_while_it_is_read_goes_back(
    spool: Spool, drop: Drop, lab: Lab
) -> None:
    path = drop("x.jsonl", rows("a"))
    held: list[int] = []
    staged = lab.admitting_file(1)
    spool.admit_once(during(lambda: held.append(os.open(staged, os.O_WRONLY))))
    assert path.exists() and spool.files() == {}
    os.close(held[0])
    spool.admit_once()
    assert only(spool).rows == 1


def test_a_returned_file_never_overwrites_a_new_one(spool: Spool, drop: Drop, lab: Lab) -> None:
    drop("x.jsonl", rows("old"))

    def meddle() -> None:
        with open(lab.admitting_file(1), "ab") as out:
            out.write(b"\n")
        drop("x.jsonl", rows("new"))

    spool.admit_once(during(meddle))
    assert (lab.inbox / "x.jsonl").read_bytes() == rows("new")
    assert (lab.inbox / "x-2.jsonl").read_bytes() == rows("old") + b"\n"


def test_a_file_deleted_while_it_is_read_breaks_nothing_else(
    spool: Spool, drop: Drop, lab: Lab
) -> None:
    drop("a.jsonl", rows("a"), lane="high")
    drop("b.jsonl", rows("b"))
    done = spool.admit_once(during(lambda: lab.admitting_file(1).unlink()))
    assert [str(item) for item in done] == [
        "lost a: deleted while it was read",
        "admitted b (normal): 1 rows",
    ]
    assert only(spool).name == "b" and spool.problems() == []
    assert is_empty(lab.admitting)


def test_a_file_gone_before_it_is_claimed_breaks_nothing(
    spool: Spool, drop: Drop, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop("a.jsonl", rows("a"))
    drop("b.jsonl", rows("b"))
    look = spool._inbox.ready

    def ready() -> list[Arrival]:
        found = look()
        path.unlink()
        return found

    monkeypatch.setattr(spool._inbox, "ready", ready)
    assert [item.name for item in spool.admit_once()] == ["b"]
    assert is_empty(lab.admitting)


def test_an_error_of_the_disk_puts_the_file_back_and_holds_it(
    spool: Spool, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = drop("x.jsonl", rows("a"))

    def broken(*_: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(reading, "read_blocks", broken)
    assert [str(item) for item in spool.admit_once()] == [
        "returned x: cannot be read: Input/output error"
    ]
    assert spool.admit_once() == [] and path.exists()
    (note,) = spool.inbox_notes()
    assert (note.kind, note.reason) == ("refused", "cannot be read: Input/output error")
    monkeypatch.undo()
    os.utime(path, (1, 1))
    assert [item.outcome for item in spool.admit_once()] == ["admitted"]


def test_a_full_disk_while_writing_is_told_and_the_next_call_goes_on(
    spool: Spool, drop: Drop, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop("x.jsonl", rows("a"), sidecar={"passes": 2})
    monkeypatch.setattr(disk, "faults", disk.Faults("enospc", 8))
    with pytest.raises(DiskFull):
        spool.admit_once()
    monkeypatch.undo()
    assert [item.outcome for item in spool.admit_once()] == ["admitted"]
    assert len(spool.files()) == 2 and spool.problems() == []


def test_a_stop_leaves_the_file_for_the_next_start(
    make_spool: MakeSpool, drop: Drop, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 64)
    drop("x.jsonl", rows("a", "b"), sidecar={"passes": 2})
    asked: list[int] = []
    spool = make_spool()
    assert spool.admit_once(should_stop=lambda: len(asked) > 2 or bool(asked.append(1))) == []
    (problem,) = spool.problems()
    assert "interrupted" in problem.what and spool.files() == {}
    again = make_spool()
    assert [item.rows for item in again.admit_once()] == [2]
    assert len(again.files()) == 2 and again.problems() == []


def test_progress_names_the_file_and_grows(
    spool: Spool, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK_BYTES", 100)
    drop("x.jsonl", rows("a", "b", "c"))
    seen: list[AdmitProgress] = []
    spool.admit_once(seen.append)
    assert {item.name for item in seen} == {"x"} and len(seen) > 2
    assert [item.bytes_done for item in seen] == sorted(item.bytes_done for item in seen)
    assert (seen[-1].bytes_done, seen[-1].rows) == (seen[-1].bytes_total, 3)


def test_the_queue_can_be_asked_while_a_file_is_read(spool: Spool, drop: Drop) -> None:
    drop("a.jsonl", rows("a"))
    spool.admit_once()
    drop("b.jsonl", rows("b"))
    meta = only(spool)
    answers: list[object] = []

    def ask() -> None:
        spool.set_lane(meta.id, "high")
        spool.reconcile(Ledger(positions={}))
        answers.extend([spool.books(Ledger()).ok, len(spool.open_files(Ledger()))])

    def from_another_thread() -> None:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(timeout=20)
        answers.append("joined" if not thread.is_alive() else "blocked")

    spool.admit_once(during(from_another_thread))  # type: ignore[arg-type]
    assert answers == [True, 1, "joined"]


# ------------------------------------------------------------ many, and in what order


def test_thousands_of_tiny_files_are_made_durable_together(
    spool: Spool, drop: Drop, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admit_room, "BATCH_FILES_MAX", 200)
    for number in range(1000):
        drop(f"f{number:04}.jsonl", rows(str(number)))
    operations: list[str] = []
    monkeypatch.setattr(disk.faults, "on_operation", lambda name, path: operations.append(name))
    started = time.monotonic()
    assert len(spool.admit_once()) == 1000
    assert time.monotonic() - started < 60
    assert sum(name.startswith("sync") for name in operations) < 100
    assert len(folders(lab)["normal"]) == 1000 and is_empty(lab.admitting)
    assert spool.books(Ledger()).total.pending == 1000


def test_a_meta_is_durable_before_its_file_enters_a_lane(
    spool: Spool, drop: Drop, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        drop(f"{number}.jsonl", rows(str(number)), sidecar={"passes": 2})
    seen: list[tuple[str, Path]] = []
    monkeypatch.setattr(disk.faults, "on_operation", lambda *event: seen.append(event))
    spool.admit_once()
    lane = lab.queue_folder("normal")
    into_lane = [at for at, (_, path) in enumerate(seen) if path.parent == lane]
    into_meta = [at for at, (name, path) in enumerate(seen)
                 if name == "rename" and path.parent == lab.meta_root]  # fmt: skip
    meta_synced = [at for at, event in enumerate(seen) if event == ("sync-folder", lab.meta_root)]
    content_synced = [at for at, (name, _) in enumerate(seen) if name == "sync-together"]
    assert len(into_lane) == 40 and len(into_meta) == 40
    assert max(content_synced) < min(into_meta)
    assert max(into_meta) < max(meta_synced) < min(into_lane)


def test_a_leftover_without_a_claim_is_taken_as_it_is(spool: Spool, lab: Lab) -> None:
    lab.admitting_file(7).write_bytes(rows("a"))
    assert [str(item) for item in spool.admit_once()] == ["admitted 00000007 (normal): 1 rows"]


def test_an_admission_is_plain_data() -> None:
    text = msgspec.json.encode(Admission("lost", "x", "low", reason="why"))
    assert json.loads(text)["outcome"] == "lost"
