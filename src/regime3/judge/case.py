"""A checkpoint under judgement: how far that has come, so that a restart goes on there.

`judge/case.json` holds it. Jobs are named before they are waited for; a job that a kill left
unnamed is work done in vain and nothing worse.
"""

from __future__ import annotations

import msgspec

from regime3 import disk
from regime3.paths import Lab
from regime3.score.sequential import Rates, Trial

Pair = tuple[str, bool, bool]
"""Family, whether the challenger solved it, whether the other did."""


class Case(msgspec.Struct):
    """One judgement under way."""

    seal: int
    step: int
    model: str
    champion: int
    champion_model: str
    first_problem: int
    """Fresh problems begin here."""
    next_problem: int
    began_at: float
    pairs: list[Pair] = []
    """Against the champion, in the order of the problems."""
    best_pairs: list[Pair] = []
    """Against the best ever; its answers are asked when they are needed."""
    job: str | None = None
    """What is waited for."""
    retries: int = 0
    """Of the job in hand."""
    cells: list[tuple[str, int]] = []
    """Families and levels as they were when it began: the forge opens others meanwhile."""
    fixed_done: bool = False
    fixed_job: str | None = None
    """The job that measured the fixed set."""

    def trial(self, rates: Rates, family: str | None = None) -> Trial:
        """The test over all pairs, or over those of a family."""
        return trial_of(self.pairs, rates, family)


def trial_of(pairs: list[Pair], rates: Rates, family: str | None = None) -> Trial:
    """The test over pairs in their order."""
    found = Trial(rates)
    for name, first, second in pairs:
        if family is None or name == family:
            found.add(first, second)
    return found


def read_case(lab: Lab) -> Case | None:
    """The judgement under way; None when there is none, or its file is no case any more."""
    try:
        return msgspec.json.decode(lab.judge_case_file.read_bytes(), type=Case)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def write_case(lab: Lab, case: Case | None) -> None:
    """Note how far it has come; None: it is over."""
    if case is None:
        disk.remove(lab.judge_case_file)
    else:
        disk.make_folder(lab.judge_case_file.parent)
        disk.write_bytes(lab.judge_case_file, msgspec.json.encode(case))
