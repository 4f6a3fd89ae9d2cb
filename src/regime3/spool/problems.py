"""What does not fit together in the queue's folders, for `r3 doctor`: found here, mended by hand.

Nothing is repaired in silence: each finding says what it is and the command that mends it, typed
in the lab's folder.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from regime3.paths import LANES, Lab
from regime3.records.files import FileMeta
from regime3.spool.index import RECORD
from regime3.spool.names import DATA_SUFFIX, shown
from regime3.spool.projection import listing


class Problem(msgspec.Struct, frozen=True):
    """`place` is a path below the lab; `fix` a command."""

    place: str
    what: str
    fix: str


def problems(lab: Lab, files: dict[str, FileMeta], broken: dict[str, str]) -> list[Problem]:
    """Everything odd in the queue, most serious first."""
    where = listing(lab)
    by_name = {lab.data_name(meta.name, meta.id): meta for meta in files.values()}
    found = [_broken(lab, name, why) for name, why in sorted(broken.items())]
    for name, meta in by_name.items():
        folders = where.get(name, [])
        if not folders and meta.content_deleted_at is None:
            found.append(_lost(lab, meta))
        if len(folders) > 1:
            found.append(_twice(lab, name, folders))
        found += _index_problem(lab, meta)
    for name in sorted(where.keys() - by_name.keys()):
        found += [_unknown(lab, lab.queue_folder(folder) / name) for folder in where[name]]
    for path in sorted(lab.admitting.glob(f"*{DATA_SUFFIX}")):
        what = "a file whose admission was interrupted; the trainer finishes it when it starts"
        found.append(Problem(_place(lab, path), what, "r3 trainer"))
    return found


def _place(lab: Lab, path: Path) -> str:
    return shown(str(path.relative_to(lab.root)))


def _broken(lab: Lab, name: str, why: str) -> Problem:
    folder = _place(lab, lab.meta_root / name)
    data = " ".join(f"queue/{lane}/*@{name[:12]}{DATA_SUFFIX}" for lane in LANES)
    what = f"{why}; its file can be admitted anew"
    return Problem(folder, what, f"rm -r {shlex.quote(folder)}; mv {data} inbox/")


def _lost(lab: Lab, meta: FileMeta) -> Problem:
    what = (
        f"{shown(meta.name)}: its data file is in no queue folder; the same content brings it back"
    )
    return Problem(_place(lab, lab.meta(meta.id)), what, f"r3 add {shlex.quote(meta.name)}.jsonl")


def _twice(lab: Lab, name: str, folders: list[str]) -> Problem:
    places = [shlex.quote(_place(lab, lab.queue_folder(folder) / name)) for folder in folders]
    return Problem(places[0], f"also in {' and '.join(folders[1:])}", f"rm {' '.join(places[1:])}")


def _index_problem(lab: Lab, meta: FileMeta) -> list[Problem]:
    path = lab.index_file(meta.id)
    try:
        rows = path.stat().st_size / RECORD.size
    except OSError:
        rows = -1
    if rows == meta.rows:
        return []
    what = "its index is missing" if rows < 0 else f"its index holds {rows:g} rows of {meta.rows}"
    return [Problem(_place(lab, path), what, f"r3 queue remove {meta.id[:12]}")]


def _unknown(lab: Lab, path: Path) -> Problem:
    """Something in a queue folder that was never admitted."""
    place = _place(lab, path)
    if path.suffix != DATA_SUFFIX or not path.is_file():
        return Problem(place, "does not belong here", f"mv {shlex.quote(place)} ..")
    fix = f"mv {shlex.quote(place)} inbox/"
    return Problem(place, "was put here by hand; files enter by the inbox", fix)
