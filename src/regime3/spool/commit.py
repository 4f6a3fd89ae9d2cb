"""Making a batch of files durable, then giving them their names: metas first, data last.

Everything of the batch is written without a single fsync, made durable together, renamed
together. The order is the whole point: a file in a lane has its meta on disk, whatever happens.
A kill in between leaves the data file in its slot, and the next admission finds it known but
nowhere (`homeless`) and goes on from there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from regime3 import disk
from regime3.clock import Clock
from regime3.config import Settings
from regime3.paths import Lab
from regime3.records.files import LANE_ORDER, FileMeta, file_id
from regime3.spool import projection
from regime3.spool.admission import Admission
from regime3.spool.catalog import Catalog, encoded
from regime3.spool.claims import Staged
from regime3.spool.names import shown
from regime3.spool.reading import Judged

META_NAMES = ("index.bin", "buried.jsonl")


@dataclass
class Work:
    """A staged file that was read to its end; `temp` holds its index and burials."""

    staged: Staged
    temp: Path
    name: str
    judged: Judged
    refused: str | None
    fresh: list[FileMeta] = field(default_factory=list)
    """Passes that enter the queue now."""
    homeless: list[FileMeta] = field(default_factory=list)
    """Passes with a meta whose data file is nowhere: an interrupted admission, or a lost file."""
    known: list[FileMeta] = field(default_factory=list)
    """Passes admitted before."""
    replaced: FileMeta | None = None
    """The same content, refused whole before; it is fine under today's settings."""


class Committer:
    """Plans and commits batches for one lab."""

    def __init__(self, lab: Lab, settings: Settings, clock: Clock, catalog: Catalog) -> None:
        self._lab, self._settings = lab, settings
        self._clock, self._catalog = clock, catalog

    def commit(self, works: list[Work]) -> list[Admission]:
        """Admit every file of the batch; those whose content is known are let go."""
        planned: dict[str, FileMeta] = {}
        where: dict[str, list[str]] | None = None
        for work in works:
            if where is None and self._first_known(work) is not None:
                with self._catalog.lock:  # `reconcile` must not rename while we list
                    where = projection.listing(self._lab)
            self._plan(work, planned, where or {})
            planned.update({meta.id: meta for meta in work.fresh})
        placing = [work for work in works if work.fresh or work.homeless]
        self._seal_metas(placing)
        self._place(placing)
        raised = {id(work): self._raise_lanes(work) for work in works}
        self._let_go([work for work in works if not (work.fresh or work.homeless)])
        return [self._told(work, raised[id(work)]) for work in works]

    # ------------------------------------------------------------ what is to be done

    def _first_known(self, work: Work) -> FileMeta | None:
        return self._catalog.get(file_id(work.judged.sha256, 1))

    def _plan(self, work: Work, planned: dict[str, FileMeta], where: dict[str, list[str]]) -> None:
        """Sort the file's passes into fresh, known and homeless."""
        sidecar = work.staged.claim.sidecar
        passes = sidecar.passes if sidecar.passes is not None else self._settings.queue.passes
        first = self._first_known(work)
        if first is not None and first.refused is not None and work.refused is None:
            work.replaced = first
        for number in range(1, (passes if work.refused is None else 1) + 1):
            name = file_id(work.judged.sha256, number)
            known = planned.get(name) or self._catalog.get(name)
            if known is None or (number == 1 and work.replaced is not None):
                work.fresh.append(self._meta(work, name, number, passes))
                continue
            work.known.append(known)
            gone = self._lab.data_name(known.name, known.id) not in where
            if gone and known.id not in planned and known.content_deleted_at is None:
                work.homeless.append(known)

    def _meta(self, work: Work, name: str, number: int, passes: int) -> FileMeta:
        judged, claim = work.judged, work.staged.claim
        refused = work.refused is not None
        return FileMeta(
            id=name,
            content_sha256=judged.sha256,
            pass_number=number,
            passes=passes,
            name=work.name,
            lane=claim.lane,
            admission=self._catalog.next_admission(),
            rows=0 if refused else judged.rows,
            buried=judged.buried + (judged.rows if refused else 0),
            size_bytes=judged.size_bytes,
            admitted_at=self._clock.now(),
            formats=dict(judged.formats),
            lineage=claim.sidecar.lineage,
            refused=work.refused,
            format=claim.sidecar.format,
        )

    # ------------------------------------------------------------ metas

    def _seal_metas(self, works: list[Work]) -> None:
        """Write what is missing, make all of it and the data durable, publish the metas."""
        pairs: list[tuple[Path, Path]] = []
        durable: list[Path] = []
        for work in works:
            durable.append(work.staged.path)
            for place, meta in enumerate(work.fresh):
                temp = work.temp if place == 0 else self._copied_meta(work, meta)
                disk.write_bytes(temp / "meta.json", encoded(meta), durable=False)
                durable += [*sorted(temp.iterdir()), temp]
                pairs.append((temp, self._lab.meta(meta.id)))
            if not work.fresh:
                disk.remove_folder(work.temp)
        if durable:
            disk.sync_together(durable)
        for work in works:
            if work.replaced is not None:
                self._forget(work.replaced)
        disk.rename_together(pairs)
        for work in works:
            for meta in work.fresh:
                self._catalog.admitted(meta)

    def _copied_meta(self, work: Work, meta: FileMeta) -> Path:
        """A later pass has the same index and burials under its own id."""
        temp = disk.temp_folder(self._lab.meta_root, meta.id)
        for name in META_NAMES:
            if (work.temp / name).exists():
                disk.link(work.temp / name, temp / name)
        return temp

    def _forget(self, meta: FileMeta) -> None:
        """Make room for a new judgement of the same content, which is safe in its slot."""
        disk.remove(self._lab.queue_folder("failed") / self._lab.data_name(meta.name, meta.id))
        self._catalog.forget(meta.id)

    # ------------------------------------------------------------ data

    def _place(self, works: list[Work]) -> None:
        """Every data file into its folder: links for all passes but one, then the rename."""
        renames: list[tuple[Path, Path]] = []
        linked: set[Path] = set()
        for work in works:
            targets = [self._target(meta) for meta in (*work.homeless, *work.fresh)]
            for target in targets[1:]:
                disk.link(work.staged.path, target)
                linked.add(target.parent)
            renames.append((work.staged.path, targets[0]))
        for folder in sorted(linked):
            disk.sync_folder(folder)
        disk.rename_together(renames)

    def _target(self, meta: FileMeta) -> Path:
        folder = meta.lane if meta.rows else "failed"
        return self._lab.queue_folder(folder) / self._lab.data_name(meta.name, meta.id)

    # ------------------------------------------------------------ duplicates

    def _raise_lanes(self, work: Work) -> list[str]:
        """Known passes follow a copy that was dropped in a higher lane."""
        rank = LANE_ORDER.index(work.staged.claim.lane)
        raised = []
        for meta in work.known:
            if meta.rows and LANE_ORDER.index(self._catalog.known(meta.id).lane) > rank:
                self._catalog.set_lane(meta.id, work.staged.claim.lane)
                raised.append(meta.id)
        return raised

    def _let_go(self, works: list[Work]) -> None:
        """Record duplicates, then remove the copies: the first one is safe in its folder."""
        if not works:
            return
        with disk.Appender(self._lab.duplicates_file) as log:
            for work in works:
                log.append(msgspec.json.encode(self._record(work)) + b"\n")
            log.sync()
        for work in works:
            disk.remove(work.staged.path)
            disk.remove_folder(work.temp)
        disk.sync_folder(self._lab.admitting)

    def _record(self, work: Work) -> dict[str, object]:
        return {
            "at": self._clock.now(),
            "name": work.name,
            "lane": work.staged.claim.lane,
            "id": work.known[0].id,
            "admitted_as": work.known[0].name,
            "lineage": work.staged.claim.sidecar.lineage,
        }

    def _told(self, work: Work, raised: list[str]) -> Admission:
        placed = [*work.homeless, *work.fresh]
        first = (placed or work.known)[0]
        outcome = "duplicate" if not placed else "admitted" if first.rows else "refused"
        reason = work.refused or ""
        if outcome == "duplicate":
            same = "refused before" if first.refused else "admitted before"
            reason = f"the same content was {same} as {shown(first.name)} ({first.id[:12]})"
        return Admission(
            outcome=outcome,  # type: ignore[arg-type]
            name=work.name,
            lane=work.staged.claim.lane,
            ids=[meta.id for meta in (placed or work.known)],
            rows=first.rows,
            buried=first.buried,
            size_bytes=first.size_bytes,
            reason=reason,
            raised=raised,
        )
