"""What supervisor and worker say to each other: one JSON object a line over two pipes.

The supervisor's end of file means "seal and leave": a worker never outlives it for long.
"""

from __future__ import annotations

import msgspec

from regime3.records.files import Ending, Lane

# ---------------------------------------------------------------- supervisor to worker


class OpenFile(msgspec.Struct, frozen=True):
    """A file that may be trained. The worker opens its bytes by id."""

    id: str
    name: str
    lane: Lane
    admission: int
    rows: int
    content_sha256: str
    pass_number: int
    format: str | None = None
    """The adapter that a sidecar forced; None: each row's own keys decide."""


class Order(msgspec.Struct, frozen=True, tag_field="kind"):
    """Base of everything the supervisor says."""


class Files(Order, frozen=True, tag="files"):
    """Files admitted or reopened. The first one, even empty, lets the worker begin."""

    files: list[OpenFile]


class MoveLane(Order, frozen=True, tag="move-lane"):
    id: str
    lane: Lane


class EndFile(Order, frozen=True, tag="end-file"):
    """Stop training a file within one window, and seal."""

    id: str
    ending: Ending
    reason: str = ""


class Reopen(Order, frozen=True, tag="reopen"):
    """Retry a file from its position, and seal."""

    file: OpenFile


class Pause(Order, frozen=True, tag="pause"):
    reason: str


class Resume(Order, frozen=True, tag="resume"):
    pass


class SealNow(Order, frozen=True, tag="seal-now"):
    reason: str


class Stop(Order, frozen=True, tag="stop"):
    """Seal and leave."""


AnyOrder = Files | MoveLane | EndFile | Reopen | Pause | Resume | SealNow | Stop

# ---------------------------------------------------------------- worker to supervisor


class Report(msgspec.Struct, frozen=True, tag_field="kind"):
    """Base of everything the worker says. Any report is a sign of life."""


class Ready(Report, frozen=True, tag="ready"):
    """The model is on its device and the head seal loaded."""

    seal: int
    step: int
    device: str
    parameters: int
    model_name: str
    context_window: int
    token_budget: int
    pid: int


class Beat(Report, frozen=True, tag="beat"):
    """Alive between steps. `state` says doing what; `slow` states get the longer timeout."""

    state: str
    """loading, rehearsing, training, waiting, paused, sealing, evaluating or leaving."""


class StepDone(Report, frozen=True, tag="step"):
    """One optimizer step, or a window that was refused (`skipped` says why)."""

    step: int
    loss: float | None
    learning_rate: float
    grad_norm: float | None
    rows: int
    examples: int
    tokens: int
    """Non-pad tokens."""
    padded_tokens: int
    supervised_tokens: int
    seconds: float
    wait_seconds: float
    """Time spent before it without anything admitted."""
    slices: int
    token_budget: int
    file_id: str
    """The file of the window's last row."""
    position: int
    """That file's rows consumed after this window."""
    memory_bytes: int | None = None
    """Peak device memory; null on a CPU."""
    think_examples: int = 0
    """Examples with thinking markers."""
    completion_tokens_max: int = 0
    skipped: str | None = None


class FileOver(Report, frozen=True, tag="file-over"):
    """All rows of a file are consumed; final once sealed."""

    id: str


class Sealed(Report, frozen=True, tag="sealed"):
    number: int
    step: int
    reason: str
    seconds: float
    size_bytes: int


class RowGivenUp(Report, frozen=True, tag="row-given-up"):
    id: str
    position: int
    line: int
    reason: str


class Answer(msgspec.Struct, frozen=True):
    """One validation prompt answered greedily."""

    prompt: str
    golden: str
    model: str
    matches: bool
    system_prompt: str = ""
    golden_tokens: int = 0
    model_tokens: int = 0


class LayerReading(msgspec.Struct, frozen=True):
    """Each layer on validation rows, first to last; see `regime3.train.layers`."""

    activity: list[float]
    """RMS of what it adds over RMS of what it is given."""
    steadiness: list[float] | None = None
    """Cosine of what it adds with what it added at the reading before; None: there was none."""


class SurenessReading(msgspec.Struct, frozen=True):
    """Of the next token on validation rows; see `regime3.train.sureness`."""

    entropy: float
    """Nats a token."""
    calibration_error: float
    """Expected calibration error, 0 to 1."""


class Validated(Report, frozen=True, tag="validated"):
    """Loss over validation rows and greedy answers; either may be missing for want of time."""

    step: int
    loss: float | None
    rows: int
    seconds: float
    answers: list[Answer] = []
    layers: LayerReading | None = None
    sureness: SurenessReading | None = None


class OutOfMemory(Report, frozen=True, tag="out-of-memory"):
    step: int
    where: str
    """forward, backward or rehearsal."""
    budget_before: int
    budget_after: int
    message: str = ""


class Alert(Report, frozen=True, tag="alert"):
    """INFO, WARN or ERROR with a stable `code` and what to do."""

    level: str
    code: str
    message: str


class Leaving(Report, frozen=True, tag="leaving"):
    """The worker ends on purpose."""

    reason: str


AnyReport = (
    Ready
    | Beat
    | StepDone
    | FileOver
    | Sealed
    | RowGivenUp
    | Validated
    | OutOfMemory
    | Alert
    | Leaving
)
