"""Carrying a verdict out: the node's aliases, or a request to the trainer.

Every act may be repeated: a kill between a verdict and the note that it was carried out does it
again, and the second time it finds things as they should be.
"""

from __future__ import annotations

from regime3 import control
from regime3.clock import Clock
from regime3.judge.shelf import Shelf
from regime3.paths import Lab
from regime3.records.verdict import Verdict
from regime3.vault import Vault


def carry_out(lab: Lab, shelf: Shelf, verdict: Verdict, clock: Clock) -> str:
    """Do what the verdict says; a sentence about it. Raises what the node or the vault raises."""
    if verdict.word == "rollback" and verdict.by == "judge":
        return _roll_back(lab, verdict, clock)
    if not shelf.has(verdict.champion_model):
        shelf.ship(Vault(lab, clock).open(verdict.champion))
    shelf.hold(verdict.champion_model, "champion")
    return f"checkpoint {verdict.champion} serves as champion"


def _roll_back(lab: Lab, verdict: Verdict, clock: Clock) -> str:
    """Ask the trainer, unless it has been asked or has done it."""
    target = verdict.champion
    head = Vault(lab, clock).head()
    done = head.number > verdict.seal and head.manifest.rolled_back_from is not None
    asked = any(
        item.request.verb == "rollback" and item.request.seal == target
        for item in control.pending(lab)[0]
    )
    if not done and not asked:
        control.ask(
            lab, control.Request("rollback", clock.now(), seal=target, reason=verdict.reason)
        )
    return f"the trainer goes back to checkpoint {target}"
