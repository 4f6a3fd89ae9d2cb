"""The doctor's look at a lab: may we write, is there room, is everything where its head says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

from regime3 import disk
from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.doctor.findings import Finding, Level
from regime3.paths import Lab
from regime3.spool import Spool
from regime3.status.liveness import judge
from regime3.vault import Vault


def write_permission(lab: Lab) -> Iterator[Finding]:
    """Write, fsync and rename in every folder that must take it."""
    for folder in (lab.inbox, lab.queue, lab.checkpoints, lab.status, lab.control):
        if not folder.is_dir():
            yield Finding("write", "bad", f"{folder.name}/ is missing", f"mkdir -p {folder}")
            continue
        probe = folder / ".doctor"
        try:
            disk.write_text(probe, "")
        except OSError as error:
            yield Finding(
                "write", "bad", f"{folder.name}/: {error.strerror}", f"chmod -R u+rwX {lab.root}"
            )
            continue
        disk.remove(probe)
    yield Finding("write", "ok", "the lab's folders take writes")


def disk_room(lab: Lab, settings: Settings) -> Iterator[Finding]:
    """Room for the next checkpoint beyond the reserve."""
    free = disk.free_bytes(lab.root)
    needed = settings.checkpoint.free_gb_min * 1e9 + 3 * _model_bytes(lab)
    text = f"{free / 1e9:.1f} GB free, training rests below {needed / 1e9:.1f} GB"
    level: Level = "bad" if free < needed else "warn" if free < 3 * needed else "ok"
    fix = "" if level == "ok" else "r3 checkpoints; then lower checkpoint.keep_newest"
    yield Finding("disk", level, text, fix)


def _model_bytes(lab: Lab) -> int:
    weights = lab.current_model / "model.safetensors"
    return weights.stat().st_size if weights.exists() else 0


def current_model(lab: Lab) -> Iterator[Finding]:
    """`models/current_model` points at the head checkpoint."""
    head = Vault(lab, SystemClock()).head()
    link = lab.current_model
    if not link.exists():
        yield Finding(
            "model", "bad", "models/current_model is missing", "r3 trainer mends it at start"
        )
    elif link.resolve() != head.path.resolve():
        text = f"current_model is not the head checkpoint {head.number}"
        yield Finding("model", "warn", text, "r3 trainer mends it at start")
    else:
        yield Finding("model", "ok", f"current_model is checkpoint {head.number}")


def checkpoints(lab: Lab) -> Iterator[Finding]:
    """Every checkpoint's bytes against its manifest."""
    entries = Vault(lab, SystemClock()).list(deep=True)
    for entry in entries:
        if entry.state == "damaged":
            text = f"checkpoint {entry.number} is damaged: {entry.reason}"
            fix = "r3 trainer passes it over and removes it after some days; keep it until then"
            yield Finding("checkpoints", "bad", text, fix)
    usable = [entry for entry in entries if entry.state in ("head", "kept")]
    if usable:
        newest = usable[-1]
        text = f"the newest whole one is {newest.number} at step {newest.step}"
        yield Finding("checkpoints", "ok", text)
    else:
        yield Finding("checkpoints", "bad", "none is whole", "restore checkpoints/ from a backup")


def queue(lab: Lab, settings: Settings) -> Iterator[Finding]:
    """Orphans, files in the wrong folder, and the books."""
    spool = Spool(lab, settings, SystemClock())
    ledger = Vault(lab, SystemClock()).head().ledger
    problems = spool.problems()
    for problem in problems:
        yield Finding("queue", "warn", f"{problem.place}: {problem.what}", problem.fix)
    books = spool.books(ledger)
    if not books.ok:
        yield Finding("queue", "bad", "the books do not balance", "r3 queue books --json")
    if books.ok and not problems:
        text = f"{books.total.rows:,} rows admitted, the books balance"
        yield Finding("queue", "ok", text)
    for note in spool.inbox_notes():
        yield Finding("inbox", "note", f"{note.name}: {note.reason}")


def validation(lab: Lab) -> Iterator[Finding]:
    """Without validation rows nothing says whether training helps."""
    if not any(lab.validation.glob("*.jsonl")):
        text = "validation/ holds no rows: no validation loss, no best checkpoint"
        yield Finding("validation", "note", text, f"cp held_out.jsonl {lab.validation}/")


def trainer(lab: Lab) -> Iterator[Finding]:
    """What the status file says, against its age and the lock."""
    running = disk.is_locked(lab.supervisor_lock)
    if not lab.status_file.exists():
        yield Finding("trainer", "note", "no trainer has run here yet", f"r3 up --lab {lab.root}")
        return
    verdict = judge(json.loads(lab.status_file.read_bytes()), time.time())
    if verdict.state == "fatal":
        yield Finding("trainer", "bad", verdict.sentence, f"less {lab.log_file('worker')}")
    elif running != (verdict.state in ("alive", "paused", "stalled")):
        text = (
            f"the lock says {'running' if running else 'not running'}, the status {verdict.state}"
        )
        yield Finding("trainer", "warn", text, f"r3 up --lab {lab.root}")
    else:
        yield Finding("trainer", "ok", verdict.state)
