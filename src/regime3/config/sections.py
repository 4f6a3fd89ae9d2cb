"""The sections of regime3.toml: every setting with its default, meaning and bounds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


def setting(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A documented field. `low` and `high` are inclusive bounds."""
    metadata = {"doc": doc, "low": low, "high": high, "choices": choices}
    if isinstance(default, tuple):
        return field(default_factory=lambda: default, metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Model:
    """The model being trained."""

    name: str = setting("", "Shown by viewers; empty: the name of the model's folder or hub id.")
    max_length: int = setting(4096, "Longest example, tokens.", low=16, high=1 << 20)
    attention: str = setting(
        "sdpa", "Attention implementation.", choices=("sdpa", "eager", "flash_attention_2")
    )
    gradient_checkpointing: str = setting(
        "auto", "Trade compute for memory; auto: on with a GPU.", choices=("auto", "on", "off")
    )


@dataclass(frozen=True)
class Train:
    """The optimizer. The schedule is a warm-up, then constant."""

    learning_rate: float = setting(2e-5, "Constant rate after the warm-up.", low=0.0, high=1.0)
    warmup_steps: int = setting(20, "Steps to reach the rate; at least 1.", low=1, high=10**6)
    weight_decay: float = setting(0.0, "AdamW decay.", low=0.0, high=1.0)
    beta1: float = setting(0.9, "AdamW first moment.", low=0.0, high=0.999999)
    beta2: float = setting(0.95, "AdamW second moment.", low=0.0, high=0.999999)
    average_steps: int = setting(
        0,
        "Steps that the weights' moving average looks back over; it is sealed and served. 0: none.",
        low=0,
        high=1_000_000,
    )
    max_grad_norm: float = setting(1.0, "Gradient clipping; 0 switches it off.", low=0.0, high=1e6)
    window_tokens: int = setting(
        16384, "Tokens an optimizer step gathers before it closes.", low=16, high=1 << 24
    )
    window_rows_max: int = setting(64, "Rows an optimizer step gathers at most.", low=1, high=65536)
    seed: int = setting(0, "Seed of dropout and of everything else drawn.", low=0, high=2**31 - 1)
    device: str = setting("auto", "auto: CUDA where there is one.", choices=("auto", "cpu", "cuda"))
    threads: int = setting(
        0, "CPU threads of the worker; 0: the machine's cores.", low=0, high=1024
    )
    spike_factor: float = setting(
        10.0, "A loss this many times its running mean raises an alert.", low=1.0, high=1e6
    )
    bad_windows_max: int = setting(
        20, "Non-finite windows in a row before the worker gives up.", low=1, high=10**6
    )
    report_to: str = setting(
        "", "Where the Trainer reports too: wandb, trackio, tensorboard, ...; commas between."
    )
    report_steps: int = setting(10, "Steps from one such report to the next.", low=1, high=10**6)


@dataclass(frozen=True)
class Memory:
    """Token budget of a micro-batch: learned, remembered, halved on out of memory."""

    token_budget: int = setting(
        0, "First budget, padded tokens; 0: derive it.", low=0, high=1 << 24
    )
    token_budget_max: int = setting(65536, "The budget never grows past it.", low=16, high=1 << 24)
    grow_after_windows: int = setting(
        200, "Clean windows before the budget grows by an eighth.", low=1, high=10**9
    )
    rehearse: bool = setting(True, "Find the first budget on a GPU before any data is touched.")
    loss_chunk_tokens: int = setting(
        1024, "Supervised positions whose logits exist at one time.", low=16, high=1 << 20
    )


@dataclass(frozen=True)
class Checkpoint:
    """When to seal and what to keep."""

    save_steps: int = setting(1000, "Seal after this many steps.", low=1, high=10**9)
    save_minutes: float = setting(30.0, "Seal after this many minutes.", low=0.05, high=10**6)
    keep_newest: int = setting(3, "Newest full checkpoints kept.", low=2, high=10**6)
    keep_best: int = setting(1, "Best checkpoints by validation loss kept.", low=0, high=1000)
    keep_daily: int = setting(7, "Days of which the last checkpoint is kept.", low=0, high=10**5)
    space_gb_max: float = setting(
        100.0, "Checkpoints together stay under this, protected ones excepted.", low=0.01, high=1e6
    )
    snapshot_at: str = setting("03:00", "Local time of the daily snapshot; empty: none.")
    snapshots_max: int = setting(14, "Daily snapshots kept.", low=0, high=10**5)
    free_gb_min: float = setting(
        2.0, "Training pauses when less than this plus one checkpoint is free.", low=0.0, high=1e6
    )


@dataclass(frozen=True)
class Queue:
    """Admission."""

    settle_s: float = setting(
        2.0,
        "A file in the inbox is whole when its size and time stood still so long.",
        low=0.0,
        high=86400.0,
    )
    poll_s: float = setting(
        0.5, "How often inbox and control are looked at.", low=0.05, high=3600.0
    )
    row_bytes_max: int = setting(8 << 20, "A longer line is buried.", low=64, high=1 << 30)
    shuffle: bool = setting(True, "Rows of a file come in a shuffled order, keyed by its content.")
    check_problems: bool = setting(
        True,
        "Prove every row about a problem of the language again; what fails is buried.",
    )
    passes: int = setting(1, "Times a file is trained unless its sidecar says.", low=1, high=1000)
    passes_max: int = setting(100, "More passes than this are refused.", low=1, high=10**6)
    mostly_bad: float = setting(
        0.5, "A file fails whole when more than this share of its rows is bad.", low=0.0, high=1.0
    )


@dataclass(frozen=True)
class Examples:
    """How rows become supervised tokens."""

    system_prompt: str = setting("", "Put before conversations that have none; empty: nothing.")
    profile: str = setting(
        "emoji",
        "How thinking is written: emoji runs, or the template's think tags.",
        choices=("emoji", "think-tags"),
    )
    think_emoji: str = setting("🤔", "Opens thinking.")
    think_count: int = setting(4, "Think emojis in a run.", low=1, high=16)
    stop_emoji: str = setting("🛑", "Closes thinking.")
    stop_count_min: int = setting(2, "Fewest stop emojis in a run.", low=1, high=16)
    stop_count_max: int = setting(4, "Most stop emojis in a run.", low=1, high=16)


@dataclass(frozen=True)
class Validation:
    """Rows of validation/, never trained."""

    every_steps: int = setting(50, "Evaluate so often.", low=1, high=10**9)
    rows_max: int = setting(64, "Rows evaluated each time, at most.", low=0, high=10**6)
    preview_rows: int = setting(4, "Greedy answers written each time.", low=0, high=10**4)
    preview_tokens_max: int = setting(64, "Longest greedy answer, tokens.", low=1, high=1 << 16)
    time_share_max: float = setting(0.02, "Share of training time it may take.", low=0.0, high=1.0)


@dataclass(frozen=True)
class Supervisor:
    """The process that owns the queue and the worker."""

    heartbeat_timeout_s: float = setting(
        300.0, "A worker silent for longer is killed and restarted.", low=1.0, high=86400.0
    )
    start_timeout_s: float = setting(
        900.0, "The same while it loads, rehearses or writes a checkpoint.", low=5.0, high=86400.0
    )
    restarts_max: int = setting(5, "Deaths without progress before FATAL.", low=1, high=10**6)
    backoff_s: float = setting(
        1.0, "First wait before a restart; it doubles.", low=0.0, high=3600.0
    )
    backoff_s_max: float = setting(60.0, "Longest wait before a restart.", low=0.0, high=86400.0)
    stop_timeout_s: float = setting(
        120.0, "How long a worker may take to seal and leave.", low=1.0, high=86400.0
    )


@dataclass(frozen=True)
class Status:
    """What viewers read."""

    write_s: float = setting(0.5, "Fastest rewrite of the status file.", low=0.05, high=60.0)
    recent_examples: int = setting(8, "Validation answers kept for viewers.", low=0, high=1000)
    log_mb_max: float = setting(20.0, "A log file is rotated past this.", low=0.1, high=10**5)
    fine_steps_max: int = setting(
        2_000_000, "Steps kept at full resolution; coarser tiers keep all.", low=1000, high=10**9
    )


@dataclass(frozen=True)
class Web:
    """The viewer: live page, memory and system, lab; three ports in a row."""

    host: str = setting("127.0.0.1", "Address to bind; others than loopback need a token.")
    port: int = setting(
        8080,
        "Port of the live page; the two above are the others'. 0: free ones.",
        low=0,
        high=65533,
    )
    token: str = setting("", "Asked of every viewer when the page is not on loopback.")


@dataclass(frozen=True)
class Notify:
    """Who is told of alerts and verdicts while nobody looks. `r3 up` notifies once one is set."""

    webhook: str = setting("", "Address that every note is POSTed to, as JSON.")
    ntfy: str = setting("", "Address of an ntfy topic, https://HOST/TOPIC.")
    ntfy_token: str = setting("", "Access token of that ntfy server.")
    level: str = setting("WARN", "Alerts from this level on.", choices=("INFO", "WARN", "ERROR"))
    verdicts: bool = setting(True, "Promotions and rollbacks too, whatever the level.")


@dataclass(frozen=True)
class Node:
    """The inference node."""

    host: str = setting("127.0.0.1", "Address to bind; others than loopback need a token.")
    port: int = setting(8765, "Port of the node.", low=0, high=65535)
    engine: str = setting(
        "hf", "What computes; fake answers without a model.", choices=("hf", "vllm", "fake")
    )
    device: str = setting("auto", "auto: CUDA where there is one.", choices=("auto", "cpu", "cuda"))
    dtype: str = setting(
        "auto",
        "Of the weights served; auto: bfloat16 on CUDA, float32 on a CPU.",
        choices=("auto", "float32", "bfloat16"),
    )
    threads: int = setting(
        1, "CPU threads of the engine; 0: the machine's cores.", low=0, high=1024
    )
    slots: int = setting(64, "Sequences that are decoded together, at most.", low=1, high=4096)
    slots_reserved: int = setting(8, "Of them, how many no job may take.", low=0, high=4096)
    pool_tokens: int = setting(
        0, "Tokens of all sequences together; 0: derive it from memory.", low=0, high=1 << 30
    )
    memory_share: float = setting(
        0.9, "Share of the card's memory that the engine may take.", low=0.05, high=1.0
    )
    waiting_max: int = setting(
        256, "Requests that wait; more are answered with 429.", low=1, high=1 << 20
    )
    samples_max: int = setting(64, "Samples (n) of one request.", low=1, high=4096)
    prompts_max: int = setting(256, "Prompts of one request.", low=1, high=1 << 16)
    request_mb_max: float = setting(8.0, "Largest body of a request.", low=0.01, high=1024.0)
    request_s_max: float = setting(
        600.0, "Longest time for a request, its sending included.", low=1.0, high=86400.0
    )
    stream_ms: float = setting(
        50.0, "A stream sends at most one event in so long.", low=0.0, high=10_000.0
    )
    upload_gb_max: float = setting(50.0, "Largest model that is taken.", low=0.001, high=10_000.0)
    residents_max: int = setting(2, "Models held in memory at one time.", low=1, high=16)
    drain_s: float = setting(
        30.0, "How long requests of a model that leaves may take.", low=0.0, high=3600.0
    )
    restarts_max: int = setting(
        5,
        "Deaths of the engine without an answer between before it is left dead.",
        low=1,
        high=10**6,
    )
    job_requests: int = setting(
        32, "Requests that jobs keep in the batch at one time.", low=1, high=4096
    )
    models_keep: int = setting(
        16,
        "Newest pushed models that are kept on disk, besides those in use; 0: all.",
        low=0,
        high=256,
    )
    jobs_keep_days: float = setting(
        30.0, "Days after which a job that has ended is deleted; 0: never.", low=0.0, high=36500.0
    )
    jobs_keep_gb: float = setting(
        4.0,
        "Output of ended jobs that is kept, GB, the oldest go first; 0: all. The job store grows "
        "to about the same again.",
        low=0.0,
        high=10**6,
    )
    push_to: str = setting("", "Address of the node that seals are pushed to; empty: none.")
    push_token: str = setting("", "Admin token of that node.")
    push_activate: bool = setting(True, "A seal that was pushed becomes that node's champion.")


@dataclass(frozen=True)
class Loop:
    """Improvement: which node the forge and the judge work with."""

    node: str = setting("", "Address of the node; empty: the node of this lab.")
    token: str = setting("", "Admin token of that node.")


@dataclass(frozen=True)
class Judge:
    """Who is champion: each sealed checkpoint is compared with the best so far."""

    on: bool = setting(True, "Judge sealed checkpoints while `r3 loop` or `r3 up` runs.")
    regime: int = setting(3, "Regime in which champion and challenger are compared.", low=1, high=3)
    constrained: bool = setting(False, "Compare under the grammar of the regime (2 and 3).")
    temperature: float = setting(0.0, "Of the answers compared; 0 is greedy.", low=0.0, high=2.0)
    p1: float = setting(
        0.6, "Share of differing problems won that counts as better.", low=0.51, high=0.99
    )
    alpha: float = setting(
        0.01, "Chance to call equal models better; and as much, worse.", low=1e-6, high=0.2
    )
    beta: float = setting(0.1, "Chance to miss a difference of p1.", low=1e-6, high=0.5)
    differing_max: int = setting(
        400, "Problems on which the two differ before it is a hold.", low=10, high=10**6
    )
    problems_max: int = setting(2400, "Problems asked before it is a hold.", low=10, high=10**6)
    batch: int = setting(240, "Problems asked at one time.", low=1, high=1000)
    losses_to_roll_back: int = setting(
        2, "So many checkpoints in a row that test worse send the trainer back.", low=1, high=100
    )
    families: str = setting("", "Families that are judged, with commas; empty: all.")
    levels: int = setting(
        2, "Levels judged where no forge says which are open: 1 to this.", low=1, high=10
    )
    fixed_per_cell: int = setting(
        20, "Fixed problems of each family, level and regime; 0: none.", low=0, high=1000
    )
    fixed_regimes: str = setting("3", "Regimes of the fixed set, with commas.")
    full_hours: float = setting(
        24.0, "The whole fixed set is asked so often; else a rotating tenth.", low=0.0, high=10**6
    )


@dataclass(frozen=True)
class Evolution:
    """The probes: fixed problems that every evaluated checkpoint answers."""

    on: bool = setting(True, "Ask the probes after each verdict.")
    levels: int = setting(3, "Levels that probes are of, from 1.", low=1, high=10)
    per_level: int = setting(4, "Probes of each family and level.", low=1, high=1000)
    regimes: str = setting("3", "Regimes in which each is asked, with commas.")


@dataclass(frozen=True)
class Power:
    """The card's power limit; profiles are clamped to what the card allows."""

    profile: str = setting(
        "none",
        "Set at start; none: leave the card alone.",
        choices=("none", "quiet", "normal", "max"),
    )
    quiet_w: float = setting(220.0, "Limit of the quiet profile, W.", low=1.0, high=2000.0)
    normal_w: float = setting(280.0, "Limit of the normal profile, W.", low=1.0, high=2000.0)
    max_w: float = setting(350.0, "Limit of the max profile, W.", low=1.0, high=2000.0)
    quiet_slots: int = setting(16, "Sequences at one time in quiet.", low=1, high=4096)
    normal_slots: int = setting(64, "Sequences at one time in normal.", low=1, high=4096)
    max_slots: int = setting(128, "Sequences at one time in max.", low=1, high=4096)
    quiet_hours: str = setting("", "Local hours of the quiet profile, as 22:00-07:00; empty: none.")
    temperature_c_max: float = setting(
        87.0, "A card hotter than this is stepped down a profile, °C.", low=40.0, high=110.0
    )
    simulated: bool = setting(False, "Pretend to have a card, labelled as simulated everywhere.")


@dataclass(frozen=True)
class Forge:
    """Rows that the lab makes itself. A share is of a shard's rows; attempts take what is left."""

    on: bool = setting(True, "Make rows when the queue runs low.")
    families: str = setting("", "Families to ask, with commas; empty: all.")
    queue_rows_min: int = setting(3000, "Rows waiting below which it begins.", low=0, high=10**9)
    cooldown_s: float = setting(5.0, "Rest between two shards.", low=0.0, high=86400.0)
    rows_a_day_max: int = setting(2_000_000, "Rows made in one UTC day.", low=0, high=10**9)
    shard_rows: int = setting(1200, "Rows of a shard.", low=8, high=100_000)
    shrink_min: float = setting(
        0.4,
        "When attempts bring little, a shard has at least this share of shard_rows; oracles fill.",
        low=0.0,
        high=1.0,
    )
    shard_passes: int = setting(1, "Times a shard is trained.", low=1, high=100)
    lane: str = setting("low", "Where shards queue.", choices=("normal", "low"))
    alone: bool = setting(True, "While no node answers, make shards of oracle and replay rows.")
    attempts: int = setting(8, "Attempts at a problem.", low=1, high=64)
    problems_max: int = setting(240, "Problems asked for a shard.", low=1, high=100_000)
    cells_max: int = setting(18, "Of family and level; jobs for a shard.", low=1, high=60)
    regime: int = setting(3, "In which attempts are written.", low=1, high=3)
    temperature: float = setting(0.9, "Of attempts.", low=0.0, high=2.0)
    top_p: float = setting(1.0, "Of attempts.", low=0.01, high=1.0)
    job_max_tokens: int = setting(
        0, "Longest attempt, tokens; 0: from the oracle's length.", low=0, high=32_768
    )
    job_priority: int = setting(50, "Of its jobs at the node; higher is first.", low=0, high=100)
    job_wait_s: float = setting(
        900.0, "Jobs that take longer are cancelled, and do without.", low=1.0, high=86400.0
    )
    pass_low: float = setting(0.3, "Lowest pass rate that counts as the edge.", low=0.0, high=1.0)
    pass_high: float = setting(0.7, "Highest pass rate that does.", low=0.0, high=1.0)
    explore_share: float = setting(
        0.15, "Of problems: levels of which too little is known, or that rarely pass.",
        low=0.0, high=1.0,
    )  # fmt: skip
    old_share: float = setting(
        0.1, "Of problems: levels that mostly pass by now.", low=0.0, high=1.0
    )
    level_first: int = setting(1, "Levels up to it are open from the start.", low=1, high=10)
    level_max: int = setting(10, "No level above it opens.", low=1, high=10)
    open_pass: float = setting(
        0.5, "Pass rate of the highest open level that opens the next.", low=0.0, high=1.0
    )
    close_pass: float = setting(
        0.01, "Pass rate below which the highest level closes again.", low=0.0, high=1.0
    )
    evidence_attempts: int = setting(
        64, "Attempts at a level before its pass rate is believed.", low=1, high=10**6
    )
    half_life_attempts: int = setting(
        800, "After so many more attempts at a level, older ones count half.", low=1, high=10**9
    )
    close_shards: int = setting(
        12, "Shards for which a level that closed stays closed.", low=0, high=10**6
    )
    rows_per_problem_max: int = setting(
        4, "Right attempts kept of a problem: the shortest.", low=1, high=64
    )
    oracle_share: float = setting(0.3, "Rows with an oracle's answer, at least.", low=0.0, high=1.0)
    oracle_level_max: int = setting(
        0, "No oracle's answer above this level; 0: of every open one.", low=0, high=10
    )
    replay_share: float = setting(0.2, "Rows of earlier shards, respelled.", low=0.0, high=1.0)
    correction_share: float = setting(
        0.1, "Rows that show a wrong attempt and answer with a right one.", low=0.0, high=1.0
    )
    schedule: str = setting(
        "transitional",
        "In which regimes rows are written.",
        choices=("english", "mixed", "transitional", "pure"),
    )
    schedule_rows: int = setting(
        60_000, "Rows made until the transitional schedule ends.", low=1, high=10**9
    )
    duplicate_shards: int = setting(
        20, "No row is made again within so many shards.", low=0, high=10_000
    )
    replay_shards: int = setting(60, "How far back replay reaches.", low=0, high=10_000)
    collapse_share: float = setting(
        0.5,
        "Diversity below this share of a family's own earlier one stops it.",
        low=0.0,
        high=1.0,
    )
    collapse_attempts: int = setting(
        200, "Attempts at a family before its diversity is judged.", low=8, high=10**6
    )
    collapse_shards: int = setting(
        10, "Shards for which a stopped family is not asked.", low=1, high=10**6
    )
