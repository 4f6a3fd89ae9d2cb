"""The random-code swap: does the answer rest on the steps, or would any steps do?

The model writes its steps; every term in them is replaced by a random one that may stand there,
rules and shape kept; then the model writes the answer. A model whose steps carry nothing answers as
well as before. With `qed!` the test would be vacuous, so it runs on codes without prediction.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regime3.bench.forms.form import tokenizer
from regime3.lang import codes
from regime3.model.generate import greedy
from regime3.model.nano_tokenizer import TEXT_VOCABULARY
from regime3.tasks.family import Sample

if TYPE_CHECKING:
    from regime3.bench.arm import Arm

BATCH = 64
ANSWER_TOKENS_MAX = 64


@dataclass(frozen=True)
class Swapped:
    """Exact match with the model's own steps, and with their terms replaced."""

    kept: float
    swapped: float


def swap_test(arm: Arm, samples: list[Sample]) -> Swapped:
    """Both figures on the same problems, the answer forced after `qed` in both."""
    arm.model.eval()
    written = [_steps(ids) for ids in arm.answers(samples)]
    swapped = [
        _swap(ids, sample.problem.constants, _keyed(number))
        for number, (ids, sample) in enumerate(zip(written, samples, strict=True))
    ]
    return Swapped(_exact(arm, samples, written), _exact(arm, samples, swapped))


def _steps(ids: list[int]) -> list[int]:
    """What stands before the answer; all of it if none was written."""
    qed = TEXT_VOCABULARY + codes.BASE.index("qed")
    return ids[: ids.index(qed)] if qed in ids else ids


def _keyed(number: int) -> random.Random:
    return random.Random(hashlib.sha256(f"swap|{number}".encode()).digest())


def _swap(ids: list[int], constants: int, rng: random.Random) -> list[int]:
    """Atoms, negatives, digits, pairs, constants, truth values become others of their own class."""
    return [_other(token, constants, rng) for token in ids]


_CLASSES = [
    [
        TEXT_VOCABULARY + code
        for name, code in codes.CODE.items()
        if name[0] == letter and name[1:].isdigit()
    ]
    for letter in "ADTPN"
] + [[TEXT_VOCABULARY + codes.BASE.index("true"), TEXT_VOCABULARY + codes.BASE.index("false")]]
_CLASS = {token: members for members in _CLASSES for token in members}
_FIRST_CONSTANT = TEXT_VOCABULARY + codes.BASE.index("c0")


def _other(token: int, constants: int, rng: random.Random) -> int:
    if _FIRST_CONSTANT <= token < _FIRST_CONSTANT + constants:
        return _FIRST_CONSTANT + rng.randrange(constants)
    members = _CLASS.get(token)
    return rng.choice(members) if members else token


def _exact(arm: Arm, samples: list[Sample], steps: list[list[int]]) -> float:
    """Share of right answers when the model goes on after these steps and `qed`."""
    from regime3.bench.arm import judge

    qed = TEXT_VOCABULARY + codes.BASE.index("qed")
    right = 0
    for cut in range(0, len(samples), BATCH):
        group = list(zip(samples[cut : cut + BATCH], steps[cut : cut + BATCH], strict=True))
        prompts = [[*arm.prompt(sample), *ids, qed] for sample, ids in group]
        for (sample, _), answer in zip(
            group, greedy(arm.model, tokenizer(), prompts, ANSWER_TOKENS_MAX), strict=True
        ):
            right += judge(arm.form, sample, [qed, *answer]).right
    return right / len(samples)
