"""Claims: files taken out of the inbox whose admission is not complete.

A batch of files is claimed in three durable steps: `claims-N.json` says where each slot's file
comes from and what its sidecar said; the files are renamed to `queue/.admitting/SLOT.jsonl`; the
sidecars leave the inbox. A kill anywhere leaves a file either in the inbox or in its slot, and
`leftovers` finds the slots again. Nobody else reads this folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from regime3 import disk
from regime3.paths import Lab
from regime3.records.files import Lane, Sidecar
from regime3.spool.inbox import Arrival
from regime3.spool.names import DATA_SUFFIX, sidecar_name, stem

SAME_NAME_MAX = 10_000


class Claim(msgspec.Struct, frozen=True):
    """One slot. `source` is the file's path below the inbox, as the bytes of the file system."""

    slot: int
    source: bytes
    lane: Lane
    sidecar_raw: bytes | None = None

    @property
    def name(self) -> str:
        """Its name in the inbox, without `.jsonl`, as it was."""
        return stem(os.path.basename(os.fsdecode(self.source)))

    @property
    def sidecar(self) -> Sidecar:
        raw = self.sidecar_raw
        return Sidecar() if raw is None else msgspec.json.decode(raw, type=Sidecar)


@dataclass(frozen=True)
class Staged:
    """A claimed file, out of the inbox."""

    claim: Claim
    path: Path


class Claims:
    """The folder `queue/.admitting` of a lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def take(self, arrivals: list[Arrival]) -> tuple[list[Staged], list[tuple[Arrival, OSError]]]:
        """Claim files; second: those that could not be moved. Gone since the look: no matter."""
        first = 1 + max((int(path.stem) for path in self._slots()), default=0)
        claims = [
            Claim(
                first + place,
                os.fsencode(arrival.path.relative_to(self._lab.inbox)),
                arrival.lane,
                arrival.sidecar_raw,
            )
            for place, arrival in enumerate(arrivals)
        ]
        disk.write_bytes(self._lab.claims_file(first), msgspec.json.encode(claims))
        staged, stuck, folders = [], [], {self._lab.admitting}
        for arrival, claim in zip(arrivals, claims, strict=True):
            path = self._lab.admitting_file(claim.slot)
            try:
                disk.rename(arrival.path, path, durable=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                stuck.append((arrival, error))
                continue
            folders.add(arrival.path.parent)
            staged.append(Staged(claim, path))
        for folder in folders:
            disk.sync_folder(folder)
        for item in staged:
            self._drop_sidecar(item.claim)
        return staged, stuck

    def leftovers(self) -> list[Staged]:
        """Files that an interrupted admission left in their slots, in order."""
        known = self._claims()
        found = []
        for path in sorted(self._slots()):
            slot = int(path.stem)
            # Only a person can put a file here without a claim: take it as it is.
            claim = known.get(slot) or Claim(slot, path.name.encode(), "normal")
            self._drop_sidecar(claim)
            found.append(Staged(claim, path))
        return found

    def clear(self) -> None:
        """Forget claims none of whose files is left here."""
        left = {int(path.stem) for path in self._slots()}
        for path in self._claims_files():
            claims = msgspec.json.decode(path.read_bytes(), type=list[Claim])
            if not any(claim.slot in left for claim in claims):
                disk.remove(path)

    def put_back(self, staged: Staged) -> Path:
        """Return a file to the inbox with its sidecar, under a free name, never over another."""
        source = self._lab.inbox / os.fsdecode(staged.claim.source)
        target = free_name(source)
        if staged.claim.sidecar_raw is not None:
            # Written here, where an interrupted write is swept; then renamed beside its file.
            written = self._lab.admitting_sidecar(staged.claim.slot)
            disk.write_bytes(written, staged.claim.sidecar_raw)
            disk.rename(written, target.with_name(sidecar_name(target.name)))
        # A link never overwrites. Killed between the two: the same content twice, trained once.
        disk.link(staged.path, target)
        disk.sync_folder(target.parent)
        disk.remove(staged.path)
        return target

    def _drop_sidecar(self, claim: Claim) -> None:
        """The claim holds its text now. One that differs or has a new file beside it stays."""
        data = self._lab.inbox / os.fsdecode(claim.source)
        path = data.with_name(sidecar_name(data.name))
        if claim.sidecar_raw is None or os.path.lexists(data):
            return
        try:
            same = path.read_bytes() == claim.sidecar_raw
        except OSError:
            return
        if same:
            disk.remove(path)

    def _slots(self) -> list[Path]:
        return [path for path in self._lab.admitting.glob("*.jsonl") if path.stem.isdigit()]

    def _claims_files(self) -> list[Path]:
        return sorted(self._lab.admitting.glob("claims-*.json"))

    def _claims(self) -> dict[int, Claim]:
        found: dict[int, Claim] = {}
        for path in self._claims_files():
            for claim in msgspec.json.decode(path.read_bytes(), type=list[Claim]):
                found[claim.slot] = claim
        return found


def free_name(path: Path) -> Path:
    """`path`, or the first of `NAME-2.jsonl`, `NAME-3.jsonl`… that is free, sidecar and all."""
    base = stem(path.name)
    for number in range(1, SAME_NAME_MAX):
        candidate = path.with_name(base + (f"-{number}" if number > 1 else "") + DATA_SUFFIX)
        companion = candidate.with_name(sidecar_name(candidate.name))
        if not os.path.lexists(candidate) and not os.path.lexists(companion):
            return candidate
    raise FileExistsError(str(path))
