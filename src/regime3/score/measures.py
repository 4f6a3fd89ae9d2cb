"""Measures of single answers, and what they come to over many. Arithmetic alone: no torch.

    same_answer("  Forty-two. ", "forty-two")       # exact match, spacing and case aside
    calibration(confidences, rights).error           # expected calibration error, 15 bins
    cross_entropy(logprobs)                          # nats a token
    interval(right=7, of=10)                         # Wilson's 95 % interval of a share

Shares are 0 to 1, log-probabilities and cross-entropies in nats.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

BINS = 15
"""Of equal width, as in Guo et al. 2017."""
Z95 = 1.959963984540054


def normalised(text: str) -> str:
    """An answer as it is compared: NFKC, lower case, single spaces, no full stop at its end."""
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded[:-1].rstrip() if folded.endswith(".") and folded != "." else folded


def same_answer(found: str, wanted: str) -> bool:
    """Exact match after `normalised`."""
    return normalised(found) == normalised(wanted)


def cross_entropy(logprobs: Sequence[float]) -> float:
    """Mean nats a token; raises ValueError for none."""
    if not logprobs:
        raise ValueError("no tokens have no cross-entropy")
    return -math.fsum(logprobs) / len(logprobs)


def confidence(logprobs: Sequence[float]) -> float | None:
    """Probability of a whole sequence, the product of its tokens'; None for no tokens.

    Not the mean of the log-probabilities (Malinin & Gales 2021 compare the two): a mean makes
    answers of different length comparable and is the probability of nothing, and a body of fifty
    tokens with one bad guess in it looks sure.
    """
    return min(1.0, math.exp(math.fsum(logprobs))) if logprobs else None


@dataclass(frozen=True)
class Bin:
    """Answers of like confidence."""

    low: float
    high: float
    answers: int
    confidence: float
    """Mean."""
    right: float
    """Share."""


@dataclass(frozen=True)
class Calibration:
    """How far confidence and truth are apart."""

    error: float
    """Expected calibration error: the mean gap of the bins, weighted by their answers."""
    bins: list[Bin]
    """Those that hold answers."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def calibration(
    confidences: Sequence[float], rights: Sequence[bool], bins: int = BINS
) -> Calibration | None:
    """Of answers with their confidence, 0 to 1, and whether they are right; None of none.

    Bin i holds (i / bins, (i + 1) / bins]; 0 is in the first.
    """
    groups: dict[int, list[tuple[float, bool]]] = {}
    for sure, right in zip(confidences, rights, strict=True):
        place = min(bins - 1, max(0, math.ceil(sure * bins) - 1))
        groups.setdefault(place, []).append((sure, right))
    if not groups:
        return None
    found = []
    for place, group in sorted(groups.items()):
        mean = math.fsum(sure for sure, _ in group) / len(group)
        share = sum(right for _, right in group) / len(group)
        found.append(Bin(place / bins, (place + 1) / bins, len(group), mean, share))
    gap = math.fsum(each.answers * abs(each.confidence - each.right) for each in found)
    return Calibration(gap / len(confidences), found)


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share; (0, 1) when nothing was tried."""
    if not of:
        return 0.0, 1.0
    share, spread = right / of, Z95 * Z95 / of
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    low = 0.0 if right == 0 else middle - half
    high = 1.0 if right == of else middle + half
    return low, high


@dataclass(frozen=True)
class Marked:
    """One answer's measures; None is "not measured", never zero."""

    right: bool | None = None
    """Exact match: the answer is right, whatever the steps."""
    valid: bool | None = None
    """The checker accepts every step and the answer."""
    steps: float | None = None
    """Share of steps before the first bad one."""
    confidence: float | None = None
    reference_nats: float | None = None
    """Of the reference completion, all its tokens together."""
    reference_tokens: int = 0
    tokens: int | None = None
    """Written."""


def summary(marks: Iterable[Marked], bins: bool = True) -> dict[str, Any]:
    """What many answers come to, for JSON; null where nothing was measured."""
    all_ = list(marks)
    rights = [each.right for each in all_ if each.right is not None]
    valids = [each.valid for each in all_ if each.valid is not None]
    sure = [
        (each.confidence, each.right)
        for each in all_
        if each.confidence is not None and each.right is not None
    ]
    curve = calibration([one for one, _ in sure], [right for _, right in sure])
    reference = sum(each.reference_tokens for each in all_ if each.reference_nats is not None)
    nats = math.fsum(each.reference_nats for each in all_ if each.reference_nats is not None)
    found: dict[str, Any] = {
        "answers": len(all_),
        "exact_match": _mean([float(each) for each in rights]),
        "exact_match_interval": list(interval(sum(rights), len(rights))) if rights else None,
        "solved": _mean([float(each) for each in valids]),
        "solved_interval": list(interval(sum(valids), len(valids))) if valids else None,
        "steps_valid": _mean([each.steps for each in all_ if each.steps is not None]),
        "cross_entropy": nats / reference if reference else None,
        "calibration_error": curve.error if curve else None,
        "tokens": _mean([float(each.tokens) for each in all_ if each.tokens is not None]),
    }
    if bins and curve:
        found["calibration_bins"] = curve.as_dict()["bins"]
    return found


def _mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None
