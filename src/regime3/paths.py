"""Every path of a lab, in one place. Nobody else joins path strings.

A lab is one folder that holds all state and no absolute path, so it can be moved or rsynced.
This module only names places; it creates and reads nothing (`disk` writes).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SETTINGS_NAME = "regime3.toml"
LANES = ("high", "normal", "low")
STATE_FOLDERS = ("processing", "recently_completed", "failed")
SEAL_DIGITS = 8
ID12 = 12


@dataclass(frozen=True)
class Lab:
    """The lab at `root`. Properties are folders and files; methods take what names them."""

    root: Path

    @property
    def settings_file(self) -> Path:
        return self.root / SETTINGS_NAME

    @property
    def inbox(self) -> Path:
        return self.root / "inbox"

    def inbox_lane(self, lane: str) -> Path:
        return self.inbox / lane

    @property
    def queue(self) -> Path:
        return self.root / "queue"

    def queue_folder(self, name: str) -> Path:
        """A lane (high, normal, low) or a state (processing, recently_completed, failed)."""
        return self.queue / name

    @property
    def admitting(self) -> Path:
        """Files taken from the inbox whose admission is not complete."""
        return self.queue / ".admitting"

    def admitting_file(self, slot: int) -> Path:
        """Where the file of claim `slot` waits while it is read."""
        return self.admitting / f"{slot:0{SEAL_DIGITS}d}.jsonl"

    def admitting_sidecar(self, slot: int) -> Path:
        """A sidecar on its way back to the inbox; swept after a crash, its claim still has it."""
        return self.admitting / f".tmp-{slot:0{SEAL_DIGITS}d}.sidecar"

    def claims_file(self, slot: int) -> Path:
        """Where the files of a batch came from; named by the batch's first slot."""
        return self.admitting / f"claims-{slot:0{SEAL_DIGITS}d}.json"

    @property
    def duplicates_file(self) -> Path:
        """One JSON line for every file whose content had been admitted before."""
        return self.queue / "duplicates.jsonl"

    @property
    def meta_root(self) -> Path:
        return self.queue / "meta"

    def meta(self, file_id: str) -> Path:
        return self.meta_root / file_id

    def meta_file(self, file_id: str) -> Path:
        return self.meta(file_id) / "meta.json"

    def meta_draft(self, file_id: str) -> Path:
        """Where a changed `meta.json` is written before it is renamed; swept after a crash."""
        return self.meta_root / f".tmp-{file_id}.json"

    def index_file(self, file_id: str) -> Path:
        return self.meta(file_id) / "index.bin"

    def buried_file(self, file_id: str) -> Path:
        return self.meta(file_id) / "buried.jsonl"

    def data_name(self, name: str, file_id: str) -> str:
        """`NAME@id12.jsonl`, the same in every queue folder."""
        return f"{name}@{file_id[:ID12]}.jsonl"

    @property
    def model_base(self) -> Path:
        return self.root / "models" / "base"

    @property
    def current_model(self) -> Path:
        """A relative link to the head checkpoint."""
        return self.root / "models" / "current_model"

    @property
    def validation(self) -> Path:
        return self.root / "validation"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    def seal(self, number: int) -> Path:
        return self.checkpoints / f"{number:0{SEAL_DIGITS}d}"

    @property
    def verdicts_file(self) -> Path:
        """What is known about checkpoints outside of themselves."""
        return self.checkpoints / "verdicts.json"

    @property
    def snapshots(self) -> Path:
        return self.root / "snapshots"

    def snapshot(self, day: str) -> Path:
        """`day` is YYYY-MM-DD."""
        return self.snapshots / day

    @property
    def status(self) -> Path:
        return self.root / "status"

    @property
    def status_file(self) -> Path:
        return self.status / "training_status.json"

    @property
    def history(self) -> Path:
        """Metric history tiers."""
        return self.status / "history"

    @property
    def history_schema(self) -> Path:
        """Names of the metric columns, widths of the tiers."""
        return self.history / "schema.json"

    @property
    def history_branches(self) -> Path:
        """One JSON line a branch: where a rollback or restart continued the history."""
        return self.history / "branches.jsonl"

    def history_segment(self, tier: int, segment: int) -> Path:
        """Binary records of buckets `tier` steps wide."""
        return self.history / f"tier-{tier}-{segment:06d}.bin"

    def machine_log(self, tier: str, box: str = "trainer") -> Path:
        """Readings of a box over time, fixed-width records; the node writes its own."""
        return (self.node if box == "node" else self.status) / f"machine-{tier}.bin"

    @property
    def events_file(self) -> Path:
        """One JSON line an event: seals, restarts, OOMs, alerts."""
        return self.status / "events.jsonl"

    @property
    def events_rotated_file(self) -> Path:
        """The events before the last rotation."""
        return self.status / "events.1.jsonl"

    @property
    def layers_file(self) -> Path:
        """One JSON line a validation: what each layer did."""
        return self.status / "layers.jsonl"

    @property
    def layers_rotated_file(self) -> Path:
        """The lines before the last rotation."""
        return self.status / "layers.1.jsonl"

    @property
    def control(self) -> Path:
        """Requests of the user to a running trainer, one JSON file each."""
        return self.root / "control"

    def control_request(self, name: str) -> Path:
        return self.control / "requests" / f"{name}.json"

    def control_requests(self) -> list[Path]:
        """Every request that waits, in no order."""
        return list((self.control / "requests").glob("[!.]*.json"))

    @property
    def paused_file(self) -> Path:
        """There while training rests."""
        return self.control / "paused.json"

    @property
    def supervisor_lock(self) -> Path:
        return self.control / "supervisor.lock"

    @property
    def worker_lock(self) -> Path:
        return self.control / "worker.lock"

    @property
    def window_note(self) -> Path:
        """What the worker is about to train; evidence after a death."""
        return self.control / "window.json"

    @property
    def deaths_file(self) -> Path:
        """Deaths on the same note, and the rows condemned by them."""
        return self.control / "deaths.json"

    @property
    def web_address_file(self) -> Path:
        """Where the live page of this lab answers."""
        return self.control / "web.json"

    @property
    def node(self) -> Path:
        """What the node keeps."""
        return self.root / "node"

    @property
    def web_tokens_file(self) -> Path:
        """Digests of the tokens that the viewer knows, and their scopes."""
        return self.control / "web-tokens.json"

    @property
    def web_tokens_lock(self) -> Path:
        """Held while the viewer's tokens are changed."""
        return self.control / "web-tokens.lock"

    @property
    def notify_file(self) -> Path:
        """What a person was told, and what is not delivered yet."""
        return self.control / "notify.json"

    @property
    def notify_lock(self) -> Path:
        return self.control / "notify.lock"

    @property
    def node_lock(self) -> Path:
        return self.node / "node.lock"

    @property
    def node_address_file(self) -> Path:
        """Where the node of this lab answers."""
        return self.node / "address.json"

    @property
    def node_tokens_file(self) -> Path:
        """Digests of the tokens that the node knows, and their scopes."""
        return self.node / "tokens.json"

    @property
    def node_tokens_lock(self) -> Path:
        """Held while the tokens are changed."""
        return self.node / "tokens.lock"

    @property
    def node_models(self) -> Path:
        """One folder a model that may be served; a folder of a lone name is its id."""
        return self.node / "models"

    def node_model(self, model_id: str) -> Path:
        return self.node_models / model_id

    @property
    def node_registry_file(self) -> Path:
        """Registered models and aliases."""
        return self.node / "registry.json"

    @property
    def node_uploads(self) -> Path:
        """Uploads under way, one folder each."""
        return self.node / "uploads"

    def node_upload(self, upload_id: str) -> Path:
        return self.node_uploads / upload_id

    def node_upload_note(self, upload_id: str) -> Path:
        """Which manifest an upload promised."""
        return self.node_upload(upload_id) / "upload.json"

    def node_upload_files(self, upload_id: str) -> Path:
        """The folder that becomes the model's."""
        return self.node_upload(upload_id) / "files"

    def node_upload_offset(self, upload_id: str, file: str) -> Path:
        """How much of a file is safe on disk."""
        return self.node_upload(upload_id) / f"{file}.offset"

    @property
    def node_exports(self) -> Path:
        """Exports on their way to a node, one folder each."""
        return self.node / "exports"

    def node_export(self, model_id: str) -> Path:
        return self.node_exports / model_id

    @property
    def node_jobs_file(self) -> Path:
        """SQLite: jobs, their items, and what came of them."""
        return self.node / "jobs.sqlite"

    @property
    def node_jobs(self) -> Path:
        """One sealed folder a finished job."""
        return self.node / "jobs"

    def node_job(self, job_id: str) -> Path:
        """What a job made: shards and a manifest. It is there only when it is whole."""
        return self.node_jobs / job_id

    def node_job_file(self, job_id: str, name: str) -> Path:
        """A file of a job's output; `name` as its manifest has it."""
        return self.node_job(job_id) / name

    @property
    def node_datasets(self) -> Path:
        """JSONL files that evaluation jobs may name."""
        return self.node / "datasets"

    def node_dataset(self, name: str) -> Path:
        return self.node_datasets / f"{name}.jsonl"

    @property
    def node_power_file(self) -> Path:
        """The limit that the card had before, to restore it even after a kill."""
        return self.node / "power.json"

    @property
    def node_power_log_file(self) -> Path:
        """When and how the power changed."""
        return self.node / "power.jsonl"

    @property
    def node_power_log_rotated_file(self) -> Path:
        return self.node / "power.1.jsonl"

    @property
    def node_simulated_card_file(self) -> Path:
        """The limit of the simulated card, which outlives a process as a real one does."""
        return self.node / "simulated_card.json"

    @property
    def loop(self) -> Path:
        """What the loop keeps between its turns."""
        return self.root / "loop"

    @property
    def loop_lock(self) -> Path:
        return self.loop / "loop.lock"

    @property
    def forge_file(self) -> Path:
        """What the forge knows: levels, pass rates, the shards that it is making."""
        return self.loop / "forge.json"

    @property
    def forge_attempts_file(self) -> Path:
        """Some of the last attempts, for people to look at."""
        return self.loop / "attempts.json"

    @property
    def forge_shards_file(self) -> Path:
        """One JSON line a shard that the forge has dropped, or given up."""
        return self.loop / "shards.jsonl"

    def forge_name(self, shard: int) -> str:
        """Of a shard's file, without `.jsonl`."""
        return f"forge-{shard:06d}"

    def forge_staged(self, shard: int) -> Path:
        """A whole shard that has yet to be dropped into the inbox."""
        return self.loop / f"{self.forge_name(shard)}.jsonl"

    @property
    def forge_made(self) -> Path:
        """One file a shard: the bodies in it, for replay and against duplicates."""
        return self.loop / "made"

    def forge_made_file(self, shard: int) -> Path:
        return self.forge_made / f"{shard:06d}.jsonl"

    @property
    def evolution(self) -> Path:
        """Answers to the probes, one file a checkpoint, kept for ever."""
        return self.root / "evolution"

    def evolution_file(self, seal: int) -> Path:
        return self.evolution / f"{seal:0{SEAL_DIGITS}d}.jsonl"

    @property
    def trained_file(self) -> Path:
        """Which rows each checkpoint trained, one JSON line each; outlives the checkpoints."""
        return self.checkpoints / "trained.jsonl"

    @property
    def judge(self) -> Path:
        return self.root / "judge"

    @property
    def ledger_file(self) -> Path:
        """Every verdict with its numbers, one JSON line each."""
        return self.judge / "ledger.jsonl"

    @property
    def judge_lock(self) -> Path:
        """Held while a verdict is added."""
        return self.judge / "ledger.lock"

    @property
    def judge_case_file(self) -> Path:
        """The judgement under way."""
        return self.judge / "case.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def log_file(self, component: str) -> Path:
        return self.logs / f"{component}.log"

    def folders(self) -> list[Path]:
        """Every folder that `r3 init` makes."""
        lanes = [self.inbox_lane(lane) for lane in LANES]
        queue = [self.queue_folder(name) for name in (*LANES, *STATE_FOLDERS)]
        rest = [
            self.admitting,
            self.meta_root,
            self.model_base.parent,
            self.validation,
            self.checkpoints,
            self.snapshots,
            self.history,
            self.control / "requests",
            self.logs,
            self.root / "evals",
            self.root / "evolution",
            self.node_models,
            self.node_uploads,
            self.node_datasets,
        ]
        return [self.inbox, *lanes, *queue, *rest]
