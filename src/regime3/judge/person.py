"""What a person says of a checkpoint: it stands in the ledger like a verdict, and it wins."""

from __future__ import annotations

from typing import Literal

from regime3.clock import Clock
from regime3.judge import ledger
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.records.models import id_of
from regime3.records.verdict import Verdict
from regime3.ship.export import origin_of


def decide(
    lab: Lab, word: Literal["promote", "rollback"], seal: Seal, reason: str, clock: Clock
) -> Verdict:
    """Make a checkpoint the champion, whatever the judge says.

    A promotion leaves the best ever as it is: what the judge promotes later must not lose to that.
    Whoever goes back gives up what came after, so then it is the best ever as well. The loop
    carries it out at the node; a judgement under way against another champion is dropped.
    Raises `LabLocked` in the moment in which the judge writes."""
    origin = origin_of(seal.path)
    assert origin is not None
    here = (seal.number, id_of(origin))
    with ledger.lock(lab):
        standing = ledger.standing_of(lab)
        best = here
        if word == "promote" and standing.best is not None:
            best = (standing.best, standing.best_model)
        verdict = Verdict(
            standing.verdicts + 1, clock.now(), word, seal.number, seal.manifest.step, here[1],
            *here, *best,
            by="user", reason=reason, against=standing.champion,
            false_promotions=standing.false_promotions,
        )  # fmt: skip
        ledger.append(lab, verdict)
    return verdict
