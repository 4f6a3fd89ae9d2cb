"""What a job made, as a sealed folder: shards of JSONL and a manifest. There only when whole.

    publish(lab, store, job, work)       # blocks; off the event loop
    manifest(lab, job.id)

Shards are rebuilt from the items' results, in order, so that they are the same whatever was killed
in between; a folder that is there is whole, and stays as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from regime3 import disk
from regime3.errors import NodeRefused
from regime3.jobs.kinds import Work
from regime3.jobs.record import Job
from regime3.jobs.store import Store
from regime3.lang import signature
from regime3.paths import Lab

SHARD_LINES_MAX = 10_000
MANIFEST = "manifest.json"
BUFFER_BYTES = 1 << 20


class Shard(msgspec.Struct):
    """A file of the output, as its manifest tells of it."""

    name: str
    lines: int = 0
    size_bytes: int = 0
    sha256: str = ""


def publish(lab: Lab, store: Store, job: Job, work: Work) -> dict[str, Any]:
    """Write and seal the output of a job whose items are all there; returns its summary."""
    summary = work.summary(store.results(job.id))
    target = lab.node_job(job.id)
    if target.exists():  # killed between the seal and the store: it is the same, byte for byte
        return summary
    disk.make_folder(lab.node_jobs)
    temp = disk.temp_folder(lab.node_jobs, job.id)
    shards = _write_shards(temp, work.lines(store.results(job.id)))
    told = {
        "schema_version": 1,
        "job": job.id,
        "kind": job.kind,
        "order": job.order,
        "models": msgspec.to_builtins(job.bound),
        "facts": job.facts,
        "checker": signature.VERSION,
        "language_sha256": signature.SHA256,
        "shards": msgspec.to_builtins(shards),
        "summary": summary,
    }
    disk.write_json(temp / MANIFEST, told)
    disk.seal_folder(temp, target)
    return summary


def _write_shards(folder: Path, lines: Iterable[tuple[str, dict[str, Any]]]) -> list[Shard]:
    """Every line in its shard; a new shard of that name begins when one is full."""
    shards: list[Shard] = []
    pens: dict[str, _Pen] = {}
    for stem, line in lines:
        pen = pens.get(stem)
        if pen is None or pen.shard.lines >= SHARD_LINES_MAX:
            number = 0 if pen is None else pen.number + 1
            if pen is not None:
                pen.close()
            pen = pens[stem] = _Pen(folder, stem, number)
            shards.append(pen.shard)
        pen.write(line)
    for pen in pens.values():
        pen.close()
    return shards


class _Pen:
    """Writes one shard, and counts and digests it."""

    def __init__(self, folder: Path, stem: str, number: int) -> None:
        self.number = number
        self.shard = Shard(f"{stem}-{number:05d}.jsonl")
        self._out = disk.Appender(folder / self.shard.name)
        self._digest = hashlib.sha256()
        self._held = bytearray()

    def write(self, line: dict[str, Any]) -> None:
        data = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        self._held += data
        self._digest.update(data)
        self.shard.lines += 1
        self.shard.size_bytes += len(data)
        if len(self._held) >= BUFFER_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._out.close()
        self.shard.sha256 = self._digest.hexdigest()

    def _flush(self) -> None:
        self._out.append(bytes(self._held))
        self._held.clear()


def manifest(lab: Lab, job_id: str) -> dict[str, Any]:
    """What the output holds. Raises `NodeRefused` 404 if there is none (yet)."""
    try:
        data = lab.node_job_file(job_id, MANIFEST).read_bytes()
    except FileNotFoundError:
        raise NodeRefused(
            404, "output_not_found", f"job {job_id} has published nothing", param="job_id"
        ) from None
    found: dict[str, Any] = json.loads(data)
    return found


def shard_file(lab: Lab, job_id: str, name: str) -> Path:
    """The file of a shard that the manifest names. Raises `NodeRefused` 404."""
    names = {each["name"] for each in manifest(lab, job_id)["shards"]}
    if name not in names:
        raise NodeRefused(404, "shard_not_found", f"job {job_id} has no such shard", param="shard")
    return lab.node_job_file(job_id, name)


def withdraw(lab: Lab, job_id: str) -> None:
    """Delete the output of a job that is not done after all."""
    disk.remove_folder(lab.node_job(job_id))


def sizes(lab: Lab, job_ids: list[str]) -> list[int]:
    """Bytes of the output of each; 0 where there is none."""
    folders = (lab.node_job(job_id) for job_id in job_ids)
    return [
        sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0
        for folder in folders
    ]


def sweep(lab: Lab) -> None:
    """Delete what a killed process had not sealed."""
    if lab.node_jobs.is_dir():
        disk.sweep_temp(lab.node_jobs)
