"""Lasting conditions that raise an alert: too little disk, slow, silent, hot, not learning.

Each has a threshold to raise and a calmer one to clear (`AlertBook.hold`).
"""

from __future__ import annotations

from regime3.records.status import TrainingStatus
from regime3.status.alerts import AlertBook
from regime3.status.learning import PLATEAU_STEPS, Losses
from regime3.status.rates import CLEAR_SHARE, LOW_SHARE

DISK_CLEAR = 1.1
GAPS = (("gap", 0.3, 0.25), ("gap-wide", 0.5, 0.45))
"""Validation loss above training loss, nats: where an alert is raised, and where it clears."""
HEATS = (("gpu-warm", 80.0, 76.0), ("gpu-hot", 85.0, 81.0))
"""Degrees Celsius of the hottest card, likewise."""
DIVERGES, DIVERGES_CLEAR = 1.3, 1.15
"""Times the lowest smoothed loss so far."""


def disk_room(
    alerts: AlertBook, status: TrainingStatus, free_bytes: int, limit_bytes: float, now: float
) -> None:
    """ERROR below the limit plus one checkpoint, where training rests; WARN at twice that."""
    limit = limit_bytes + (status.head_size_bytes or 0)
    free = f"{free_bytes / 1e9:.1f} GB free on the lab's disk"
    for code, bound, then in (
        ("disk-paused", limit, "training rests below"),
        ("disk-low", 2 * limit, "training will rest below"),
    ):
        alerts.hold(
            code,
            raise_when=free_bytes < bound,
            clear_when=free_bytes >= DISK_CLEAR * bound,
            message=f"{free}; {then} {limit / 1e9:.1f} GB",
            now=now,
        )


def speed(alerts: AlertBook, status: TrainingStatus, share: float | None, now: float) -> None:
    """Under 60 % of the usual speed; cleared at 75 %. `share` None: not known."""
    if share is None:
        return
    alerts.hold(
        "throughput-low",
        raise_when=share < LOW_SHARE and status.state == "training",
        clear_when=share >= CLEAR_SHARE,
        message=f"Training runs at {100 * share:.0f} % of its usual speed",
        now=now,
    )


def silence(alerts: AlertBook, status: TrainingStatus, now: float) -> None:
    """A worker that should report does not."""
    heard = max(status.heartbeat or 0.0, status.worker_started_at or 0.0)
    patience = status.stall_after_s
    expected = status.worker_pid is not None and status.state not in ("stopped", "fatal")
    late = bool(expected and heard and patience and now - heard > patience)
    message = f"The worker has reported nothing for {now - heard:,.0f} s"
    alerts.hold("stall", raise_when=late, clear_when=not late, message=message, now=now)


def queue(alerts: AlertBook, status: TrainingStatus, now: float) -> None:
    """Nothing is left to train."""
    left = None if status.queue is None else status.queue.rows_left
    dry = left == 0 and status.state == "waiting"
    alerts.hold(
        "queue-dry",
        raise_when=dry,
        clear_when=not dry,
        message="The queue is dry: everything admitted is trained",
        now=now,
    )


def learning(alerts: AlertBook, status: TrainingStatus, losses: Losses, now: float) -> None:
    """The loss climbs away from its lowest, or has not moved for long."""
    smoothed, lowest = losses.smoothed, losses.lowest
    if smoothed is not None and lowest:
        alerts.hold(
            "divergence",
            raise_when=smoothed > DIVERGES * lowest and status.loss_trend == "rising",
            clear_when=smoothed < DIVERGES_CLEAR * lowest,
            message=f"The loss rose to {smoothed:.3f} from {lowest:.3f}",
            now=now,
        )
    moved = losses.moved()
    alerts.hold(
        "plateau",
        raise_when=moved is False,
        clear_when=moved is True,
        message=f"The loss has not fallen for {PLATEAU_STEPS:,} steps",
        now=now,
    )


def gap(alerts: AlertBook, status: TrainingStatus, now: float) -> None:
    """Training rows are known much better than others."""
    found = status.val_train_gap
    if found is None:
        return
    for code, high, low in GAPS:
        alerts.hold(
            code,
            raise_when=found > high,
            clear_when=found < low,
            message=f"Validation loss is {found:.2f} above training loss",
            now=now,
        )


def heat(alerts: AlertBook, status: TrainingStatus, now: float) -> None:
    """The hottest card of this box."""
    known = [card for card in status.gpu or [] if card.temperature_c is not None]
    if not known:
        return
    hottest = max(known, key=lambda card: card.temperature_c or 0.0)
    degrees = hottest.temperature_c or 0.0
    for code, high, low in HEATS:
        alerts.hold(
            code,
            raise_when=degrees >= high,
            clear_when=degrees < low,
            message=f"{hottest.name} is at {degrees:.0f} C",
            now=now,
        )
