"""A history of five million steps, written as the history's own files, for `r3 bench web`."""

from __future__ import annotations

import json
import time

import numpy as np

from regime3.config import Settings
from regime3.paths import Lab
from regime3.status.history import SEGMENTS_KEPT, History
from regime3.status.tiers import COARSE_TYPE, COLUMN_OF, FINE_TYPE, TIERS, Array, widened

STEPS, STEP_S = 5_000_000, 6.0
SPIKE_AT, SPIKE = 2_345_678, 40.0
CHUNK = 1_000_000


def write_history(lab: Lab) -> None:
    """The files of a history of `STEPS` steps, tier by tier; its last steps at full resolution."""
    lab.status.mkdir(parents=True)
    History(lab, Settings().status.fine_steps_max).close()
    segment = json.loads(lab.history_schema.read_bytes())["segment_records"]
    draw = np.random.default_rng(0)
    began = time.time() - (STEPS + 1) * STEP_S
    for at in range(0, STEPS, CHUNK):  # buckets begin at multiples of their tier
        fine = widened(_fine(draw, at, began)[1 if at == 0 else 0 :])
        fine["count"] = 1
        _append_fine(lab, fine, segment)
        for tier in TIERS[1:]:
            fine = _coarser(fine, tier)
            with open(lab.history_segment(tier, 0), "ab") as out:
                out.write(fine.tobytes())
    for old in range(STEPS // segment - SEGMENTS_KEPT):  # as the history does as it goes
        lab.history_segment(1, old).unlink()


def _fine(draw: np.random.Generator, first: int, began: float) -> Array:
    fine = np.zeros(CHUNK, FINE_TYPE)
    fine["step"] = np.arange(first, first + CHUNK)
    fine["time"] = began + STEP_S * fine["step"]
    fine["value"] = np.nan
    smooth = 0.4 + 2.0 / (1 + fine["step"] / 50_000)
    values = {
        "loss": smooth + draw.normal(0, 0.05, CHUNK),
        "loss_smoothed": smooth,
        "tokens_per_sec": draw.normal(2600, 60, CHUNK),
        "supervised_per_sec": draw.normal(900, 30, CHUNK),
        "step_seconds": np.full(CHUNK, STEP_S),
        "learning_rate": np.full(CHUNK, 2e-5),
    }
    for name, column in values.items():
        fine["value"][:, COLUMN_OF[name]] = column
    if first <= SPIKE_AT < first + CHUNK:
        fine["value"][SPIKE_AT - first, COLUMN_OF["loss"]] = SPIKE
    return fine


def _append_fine(lab: Lab, wide: Array, segment_records: int) -> None:
    """Tier 1, in segments."""
    fine = np.zeros(len(wide), FINE_TYPE)
    fine["step"], fine["time"], fine["value"] = wide["step"], wide["time"], wide["last"]
    at = int(fine["step"][0]) - 1  # step 1 is record 0
    while len(fine):
        number, inside = divmod(at, segment_records)
        take = segment_records - inside
        with open(lab.history_segment(1, number), "ab") as out:
            out.write(fine[:take].tobytes())
        at, fine = at + min(take, len(fine)), fine[take:]


def _coarser(rows: Array, tier: int) -> Array:
    """Ten records to one; the very first bucket lacks step 0."""
    bucket = rows["start"] // tier
    cuts = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    ends = np.append(cuts[1:], len(rows)) - 1
    made = np.zeros(len(cuts), COARSE_TYPE)
    made["start"] = bucket[cuts] * tier
    made["step"], made["time"] = rows["step"][ends], rows["time"][ends]
    made["count"] = np.add.reduceat(rows["count"], cuts)
    made["min"] = np.fmin.reduceat(rows["min"], cuts)
    made["max"] = np.fmax.reduceat(rows["max"], cuts)
    weight = rows["count"][:, None].astype(float)
    made["mean"] = np.add.reduceat(rows["mean"] * weight, cuts) / made["count"][:, None]
    made["last"] = rows["last"][ends]
    return made
