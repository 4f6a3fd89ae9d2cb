"""Kills an admission before, after and half-way through every write, and looks what is left.

    python -m tests.spool.killing FOLDER KIND STORY

A process of its own, because it forks: each child admits with a fault set and dies by SIGKILL;
this process then plays the next start and checks that every row is in the queue exactly once.
Prints one JSON line: how many kills, and every broken promise.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path

from regime3 import disk
from regime3.clock import FakeClock
from regime3.paths import Lab
from regime3.records.ledger import Ledger
from regime3.spool.admission import AdmitProgress
from regime3.spool.queue import Spool
from tests.spool.conftest import make_lab, queue_settings, rows

OPERATIONS_MAX = 1000
OLD, MORE, HALF_BAD = rows("old"), rows("more"), rows("half") + b"x\ny\n"
TWICE, PLAIN = rows("t1", "t2") + b"bad\n", rows("plain")
LATE = rows("late")


def without_waiting() -> None:
    """A kill leaves the page cache whole, so these tests need no real fsync; power cuts do."""
    os.fsync = lambda descriptor: None
    library = types.SimpleNamespace(syncfs=lambda descriptor: 0)
    disk.ctypes.CDLL = lambda *_, **__: library  # type: ignore[assignment,misc]


def a_spool(lab: Lab, mostly_bad: float = 0.9) -> Spool:
    return Spool(lab, queue_settings(mostly_bad=mostly_bad), FakeClock())


def put(folder: Path, name: str, content: bytes, **sidecar: object) -> None:
    if sidecar:
        (folder / f"{name}.meta.json").write_text(json.dumps(sidecar))
    (folder / name).write_bytes(content)


def whole_story(lab: Lab) -> None:
    """New files, passes, more passes, a duplicate, an empty file, one refused before."""
    put(lab.inbox_lane("low"), "old.jsonl", OLD)
    put(lab.inbox, "more.jsonl", MORE)
    put(lab.inbox, "half.jsonl", HALF_BAD)
    a_spool(lab, mostly_bad=0.5).admit_once()
    put(lab.inbox_lane("high"), "copy of old.jsonl", OLD)
    put(lab.inbox, "more again.jsonl", MORE, passes=3)
    put(lab.inbox, "half again.jsonl", HALF_BAD)
    put(lab.inbox_lane("high"), "twice.jsonl", TWICE, passes=2, lineage={"n": 1})
    put(lab.inbox_lane("low"), "plain.jsonl", PLAIN)
    put(lab.inbox, "empty.jsonl", b"")


def few_story(lab: Lab) -> None:
    """Two files: so few that each is made durable by an fsync of its own."""
    put(lab.inbox, "plain.jsonl", PLAIN, passes=2)
    put(lab.inbox, "other.jsonl", rows("other"))


def late_story(lab: Lab) -> None:
    """A file that grows while it is read, so that it returns to the inbox."""
    put(lab.inbox, "late.jsonl", LATE, passes=2)


def grow(lab: Lab) -> Callable[[AdmitProgress], None]:
    def progress(seen: AdmitProgress) -> None:
        if seen.name == "late" and seen.bytes_done == len(LATE):
            with open(lab.admitting_file(1), "ab") as out:
                out.write(rows("later"))

    return progress


# Content, passes, lane: what the queue must hold in the end. Of a late file, either state.
Expected = list[tuple[bytes, int, str]]
STORIES: dict[str, tuple[Callable[[Lab], None], list[Expected]]] = {
    "whole": (
        whole_story,
        [[
            (OLD, 1, "high"),
            *((MORE, number, "normal") for number in (1, 2, 3)),
            (HALF_BAD, 1, "normal"),
            *((TWICE, number, "high") for number in (1, 2)),
            (PLAIN, 1, "low"),
            (b"", 1, "failed"),
        ]],
    ),
    "few": (
        few_story,
        [[*((PLAIN, number, "normal") for number in (1, 2)), (rows("other"), 1, "normal")]],
    ),
    "late": (
        late_story,
        [[(text, number, "normal") for number in (1, 2)] for text in (LATE, LATE + rows("later"))],
    ),
}  # fmt: skip


def killed(lab: Lab, kind: str, at: int) -> bool:
    """Admit in a child that dies at its `at`-th write; False when it lived to the end."""
    child = os.fork()
    if child == 0:
        disk.faults.kind, disk.faults.at, disk.faults.count = kind, at, 0
        a_spool(lab).admit_once(grow(lab))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"the child failed: {status}"
    return os.WIFSIGNALED(status)


def torn(lab: Lab) -> list[str]:
    """Promises that hold even before the next start: nothing half-made under a final name."""
    spool = a_spool(lab)
    found = [f"{name}: {why}" for name, why in spool._catalog.broken().items()]
    found += [
        f"{problem.place}: {problem.what}"
        for problem in spool.problems()
        if "by hand" in problem.what or "index" in problem.what
    ]
    return found


def wrong(lab: Lab, wanted: list[Expected]) -> list[str]:
    """Promises broken after the next start, in words."""
    spool = a_spool(lab)
    found = [f"{problem.place}: {problem.what}" for problem in spool.problems()]
    metas = list(spool.files().values())
    paths = {meta.id: spool.data_path(meta.id) for meta in metas}
    held = sorted(
        (paths[meta.id].read_bytes(), meta.pass_number, paths[meta.id].parent.name)
        for meta in metas
    )
    if held not in [sorted(expected) for expected in wanted]:
        found.append(f"the queue holds {held}")
    for meta in metas:
        with spool.index(meta.id) as index:
            data = spool.data_path(meta.id).read_bytes()
            for place in range(len(index)):
                offset, length, _ = index.locate(place)
                json.loads(data[offset : offset + length])
    if len({meta.admission for meta in metas}) != len(metas):
        found.append("an admission number was given twice")
    if any(meta.lineage != {"n": 1} for meta in metas if meta.name == "twice"):
        found.append("a sidecar did not follow its file")
    left = [str(path) for folder in (lab.inbox, lab.admitting, lab.meta_root)
            for path in folder.rglob("*")
            if path.name.startswith(".tmp-")
            or (path.is_file() and folder != lab.meta_root)]  # fmt: skip
    books = spool.books(Ledger())
    return found + [f"left behind: {path}" for path in left] + books.errors


def main(folder: Path, kind: str, story: str) -> dict[str, object]:
    without_waiting()
    tell, wanted = STORIES[story]
    template = make_lab(folder / "template")
    for unused in (template.root / "models", template.checkpoints, template.control, template.logs):
        shutil.rmtree(unused)  # copied some hundred times
    tell(template)
    kills, broken = 0, []
    for at in range(1, OPERATIONS_MAX):
        lab = Lab(folder / "lab")
        shutil.rmtree(lab.root, ignore_errors=True)
        shutil.copytree(template.root, lab.root)
        died = killed(lab, kind, at)
        kills += died
        broken += [f"{kind}@{at}: torn: {what}" for what in torn(lab)]
        # Every third time the recovery is killed as well.
        if at % 3 == 0 and killed(lab, kind, 1 + at // 2):
            kills += 1
            broken += [f"{kind}@{at} twice: torn: {what}" for what in torn(lab)]
        start = a_spool(lab)
        start.reconcile(Ledger())
        start.admit_once()
        broken += [f"{kind}@{at}: {what}" for what in wrong(lab, wanted)]
        if not died:
            return {"operations": at - 1, "kills": kills, "broken": broken}
    raise AssertionError("never lived to the end")


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])))
