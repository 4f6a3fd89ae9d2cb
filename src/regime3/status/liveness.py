"""Is it alive: judge a status by its age, never by its own word.

Two signs of life are dated in the file: the supervisor writes at least every few seconds, and
the worker reports from its training step. A file that nobody writes any more is dead, whatever
state it claims. Shared by the page, `r3 status` and `r3 top`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from regime3.records.status import TrainingStatus

Liveness = Literal["alive", "stalled", "paused", "stopped", "dead", "fatal"]
SUPERVISOR_SILENT_S = 20.0
STALL_DEFAULT_S = 60.0
WORKERLESS_STATES = ("restarting",)


class Judgement(msgspec.Struct, frozen=True):
    """`since`: time of the last sign of life; `age_s`: seconds since the worker gave one."""

    state: Liveness
    sentence: str
    what_to_do: str
    since: float | None
    age_s: float | None
    supervisor_age_s: float | None


def judge(status: TrainingStatus | Mapping[str, Any], now: float) -> Judgement:
    """What a viewer may say of this status, or of its JSON object, at `now`.

    Raises msgspec.ValidationError when the object does not fit the schema.
    """
    if not isinstance(status, TrainingStatus):
        status = msgspec.convert(dict(status), TrainingStatus)
    heard = max(status.heartbeat or 0.0, status.worker_started_at or 0.0)
    age = _age(heard, now) if heard and status.worker_pid is not None else None
    written = _age(status.timestamp, now)

    def say(state: Liveness, sentence: str, what_to_do: str = "") -> Judgement:
        since = status.heartbeat if state == "stalled" else status.timestamp
        return Judgement(state, sentence, what_to_do, since, age, written)

    reason = f": {status.state_reason}" if status.state_reason else ""
    if status.state == "fatal":
        return say(
            "fatal",
            f"The worker died too often; training has ended{reason}",
            "Read logs/worker.log, mend the cause, then run: r3 trainer",
        )
    if status.state == "stopped":
        return say("stopped", f"Stopped on purpose{reason}", "To go on, run: r3 trainer")
    if written is None or written > SUPERVISOR_SILENT_S:
        return say(
            "dead",
            "The supervisor no longer writes; nothing is being trained",
            "Nothing sealed is lost. To go on, run: r3 trainer",
        )
    if status.state == "paused":
        return say("paused", f"Paused{reason}", "To go on, run: r3 resume")
    if status.state in WORKERLESS_STATES:
        return say("stalled", f"The worker is being restarted{reason}", "Wait, or run: r3 doctor")
    return _judge_worker(status, age, say)


def _judge_worker(
    status: TrainingStatus, age: float | None, say: Callable[..., Judgement]
) -> Judgement:
    if age is None:
        judged = say("alive", "The worker is starting")
    elif age > (status.stall_after_s or STALL_DEFAULT_S):
        limit = status.dead_after_s
        then = f" At {limit:,.0f} s it is restarted." if limit else ""
        judged = say(
            "stalled",
            f"The worker has reported nothing for {age:,.0f} s.{then}",
            "Wait, or run: r3 doctor",
        )
    elif status.state == "waiting":
        judged = say("alive", "Waiting for files in inbox/")
    elif status.state == "starting":
        judged = say("alive", f"Starting: {status.activity or 'loading'}")
    elif status.state == "sealing":
        judged = say("alive", "Writing a checkpoint")
    else:
        judged = say("alive", f"Training {status.current_file or ''}".strip())
    return judged


def _age(time: float | None, now: float) -> float | None:
    """Seconds since; a clock that runs a little behind makes it 0, not negative."""
    return None if time is None else max(0.0, now - time)
